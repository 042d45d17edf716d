"""How a stop ends where something is in its way, what the exit codes are, and what a service manager hears."""

import signal
import time

import pytest

from harness import wait_until
from notify import Manager
from worker import ANY_PORT

SHORT = {"drain_timeout": "1500ms"}


def hang(scene, worker):
    """Waits until a call is in flight that will not be answered."""
    wait_until("a hanging call", lambda: worker.check_running() or scene.sandbox.stats()["open"] > 0, show=worker.log_text)


def check_rest_is_delivered(scene, expected, restarts):
    scene.sandbox.end_faults()
    heir = scene.start_worker("heir")
    scene.wait_until_finished(heir)
    heir.stop()
    scene.check_delivered_with_repeats(expected, restarts=restarts)


def test_a_second_sigterm_ends_it_at_once(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=40, contacts=10, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(action="hang")
    worker = scene.start_worker(delivery={"drain_timeout": "10m"}, kafka={"session_timeout_ms": 3000})
    hang(scene, worker)
    worker.send(signal.SIGTERM)
    worker.wait_for("worker.stopping")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 1
    assert worker.lines("worker.hurried")
    check_rest_is_delivered(scene, expected, restarts=1)


def test_a_hanging_api_is_given_up_at_the_deadline(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=40, contacts=10, partitions=2)
    scene.produce(records[:20])
    worker = scene.start_worker(delivery=SHORT)
    scene.wait_until_finished(worker)
    scene.sandbox.fault(action="hang")
    scene.produce(records[20:])
    hang(scene, worker)
    committed = scene.committed()
    worker.stop(codes=(1,))
    line = worker.wait_for("worker.abandoned") if worker.running() else worker.lines("worker.abandoned")[0]
    assert 0 < int(line["calls_in_flight"]) <= 10
    assert all(offset >= committed[p] for p, offset in scene.committed().items())
    check_rest_is_delivered(scene, expected, restarts=1)
    scene.sandbox.check_no_overlap()


def test_a_frozen_broker_cannot_keep_it(scene):
    """What is finished cannot be committed, so it is sent again, and nothing is lost."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=60, contacts=20, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=50)
    worker = scene.start_worker(delivery={**SHORT, "commit_interval": "5m"}, kafka={"session_timeout_ms": 6000})
    wait_until("some calls", lambda: worker.check_running() or scene.sandbox.stats()["requests"] >= 30)
    scene.kafka.process.send(signal.SIGSTOP)
    try:
        worker.send(signal.SIGTERM)
        assert worker.wait() == 1
    finally:
        scene.kafka.process.send(signal.SIGCONT)
    assert worker.lines("worker.hurried"), worker.log_text()
    check_rest_is_delivered(scene, expected, restarts=1)


def test_a_long_commit_interval_does_not_keep_back_the_last_commit(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=60, contacts=20, partitions=2)
    scene.produce(records)
    worker = scene.start_worker(delivery={"commit_interval": "5m", "drain_timeout": "20s"})
    wait_until("all calls", lambda: worker.check_running() or len(scene.sandbox.applied()) == 60, show=worker.log_text)
    worker.stop()
    assert not scene.kafka.unfinished(scene.group, [scene.topic()])
    scene.check_delivered(expected)


def test_a_membership_that_ended_for_good_is_exit_3(scene):
    """A second process takes the same group_instance_id, which the group answers by putting the first one out."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=20, contacts=5, partitions=2)
    settings = {"kafka": {"group_instance_id": "one-and-only", "session_timeout_ms": 6000}}
    first = scene.start_worker("first", **settings)
    first.wait_assigned(scene.partitions)
    second = scene.start_worker("second", **settings)
    assert first.wait() == 3
    assert first.lines("kafka.fatal") and first.lines("worker.stopped", exit=3)
    scene.produce(records)
    scene.wait_until_finished(second)
    second.stop()
    scene.check_delivered(expected)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_service_manager_hears_of_ready_reload_and_stop(scene, abstract):
    scene.create_topics(events=1)
    manager = Manager(None if abstract else scene.folder, watchdog_ms=400)
    worker = scene.start_worker(env=manager.env)
    manager.wait_for("READY=1", worker)
    assert worker.lines("kafka.subscribed")
    worker.wait_assigned(scene.partitions)
    manager.wait_for("STATUS=1 partitions, 0 events pending", worker)
    begin = time.monotonic_ns() // 1000
    worker.send(signal.SIGHUP)
    worker.wait_for("config.reloaded")
    worker.config_path.write_text("nonsense")
    worker.send(signal.SIGHUP)
    worker.wait_for("config.not_reloaded")
    beats = manager.beats()
    wait_until("beats of the watchdog", lambda: worker.check_running() or manager.beats() >= beats + 5)
    manager.wait_for("STATUS=1 partitions, 0 events pending; the last reload was refused", worker)
    worker.stop()
    manager.stop()
    assert manager.states() == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    times = [int(message.split("MONOTONIC_USEC=")[1]) for message in manager.heard if "MONOTONIC" in message]
    assert begin <= times[0] <= times[1] <= time.monotonic_ns() // 1000


def test_the_watchdog_is_fed_while_the_api_hangs(scene):
    scene.create_topics(events=1)
    scene.produce(scene.one_call_history(events=5, contacts=5, partitions=1)[0])
    scene.sandbox.fault(action="hang")
    manager = Manager(watchdog_ms=400)
    worker = scene.start_worker(env=manager.env, delivery=SHORT, admin=ANY_PORT)
    hang(scene, worker)
    beats = manager.beats()
    wait_until("beats of the watchdog", lambda: worker.check_running() or manager.beats() >= beats + 10)
    worker.stop(codes=(1,))
    manager.stop()


def test_a_notify_socket_that_cannot_be_is_said_at_the_start(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker(env={"NOTIFY_SOCKET": "somewhere"})
    assert worker.wait() == 1
    assert "NOTIFY_SOCKET" in worker.lines("worker.not_started")[0]["reason"]
