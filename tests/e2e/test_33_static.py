"""Static membership (group_instance_id) and co-partitioned topics (range)."""

import json
import signal

from harness import wait_until
from worker import run_command

STATIC = {"session_timeout_ms": 30000, "heartbeat_interval_ms": 200}


def static(n):
    return {**STATIC, "group_instance_id": f"worker-{n}"}


def wait_shared(workers, partitions):
    """Each has its half, as the log has it: assigned less revoked."""
    def owned(worker):
        gone = [line["partition"] for line in worker.lines("partition.revoked")]
        return sorted({line["partition"] for line in worker.lines("partition.assigned")} - set(gone), key=int)

    def shared():
        for worker in workers:
            worker.check_running()
        parts = [owned(worker) for worker in workers]
        return parts if sum(map(len, parts)) == partitions and max(map(len, parts)) < partitions else None
    return wait_until("the partitions to be shared", shared, show=lambda: [owned(worker) for worker in workers])


def test_a_quick_restart_of_a_static_member_moves_nothing(scene):
    """By SIGTERM and by kill -9: the other member sees no revocation and no assignment, and the one that comes back has
    its own partitions again."""
    scene.create_topics(events=4)
    first = scene.start_worker("first", kafka=static(1))
    first.wait_assigned(scene.partitions)
    second = scene.start_worker("second", kafka=static(2))
    own = wait_shared([first, second], 4)
    records, expected = scene.one_call_history(events=200, contacts=20, partitions=4)
    scene.produce(records[:100])
    scene.wait_until_finished(first)
    before = len(first.lines())
    for n, end in enumerate((lambda worker: worker.stop(), lambda worker: worker.kill())):
        end(second)
        second = scene.start_worker(f"second-{n}", kafka=static(2))
        wait_until("its own partitions", lambda: second.check_running() or
                   sorted(line["partition"] for line in second.lines("partition.assigned")) == own[1], show=second.log_text)
        scene.produce(records[100 + 50 * n:150 + 50 * n])
        scene.wait_until_finished(second)
    moved = [line for line in first.lines()[before:] if line["event"].startswith("partition.")]
    assert not moved, moved
    first.stop()
    second.stop()
    scene.check_delivered(expected)


def test_by_range_a_contacts_events_of_two_topics_meet_in_one_process(scene):
    """Equal partition counts and equal keys: so their order is kept across the topics, one call at a time."""
    scene.create_topics(events=4, plans=4)
    rules = (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}", "{scene.topic("plans")}" ]; '
             'identify: { firstName = "${id}"; }; } );')
    settings = {"kafka": {"partition_assignment_strategy": "range"}, "rules": rules}
    workers = [scene.start_worker(f"worker-{n}", **settings) for n in range(2)]

    def of_topic(worker, topic):
        """The partitions it has now: those of its last assignment."""
        lines = [line for line in worker.lines() if line["event"] in ("partition.assigned", "partition.revoked", "partition.lost")]
        last = max((n for n, line in enumerate(lines) if line["event"] != "partition.assigned"), default=-1)
        return {line["partition"] for line in lines[last + 1:] if line["topic"] == scene.topic(topic)}

    def settled():
        for worker in workers:
            worker.check_running()
        return all(len(of_topic(worker, topic)) == 2 for worker in workers for topic in ("events", "plans"))
    wait_until("two and two", settled, show=lambda: [worker.log_text() for worker in workers])
    for worker in workers:
        assert of_topic(worker, "events") == of_topic(worker, "plans")
    scene.sandbox.fault(action="delay", delay_ms=5)
    for topic in ("events", "plans"):
        scene.produce([(n % 20 % 4, None, json.dumps({"email": f"user{n % 20}@example.com", "id": f"{topic}{n}"}).encode())
                       for n in range(200)], topic)
    scene.wait_until_finished(workers[0])
    for worker in workers:
        worker.stop()
    scene.sandbox.check_no_overlap()
    assert sum(map(len, scene.delivered().values())) == 400


def test_the_new_group_protocol_is_refused_with_a_reason(scene):
    scene.topics = {"events": "never-used"}
    done = run_command("check", "-c", scene.config_file(kafka={"group_protocol": "consumer"}))
    assert done.returncode == 2 and "group_protocol" in done.stderr and 'can only be "classic"' in done.stderr, done.stderr


def test_a_static_member_that_stops_is_expected_back(scene):
    """No LeaveGroup: the group still counts it until the session times out."""
    scene.create_topics(events=2)
    worker = scene.start_worker(kafka=static(1))
    worker.wait_assigned(scene.partitions)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert scene.kafka.members(scene.group) == 1
