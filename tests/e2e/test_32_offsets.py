"""Where a partition is read from and what stands in the way: offsets that are gone, events to be skipped, gaps, topics
that are missing or may not be read."""

import json
import signal

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)

from harness import HANG_GUARD_S, wait_until
from scene import one_call_event
from worker import ANY_PORT


def commit(scene, offsets, topic="events", metadata=""):
    """Puts the group's offsets, as an operator does while it has no members."""
    consumer = Consumer({"bootstrap.servers": scene.kafka.address, "group.id": scene.group, "enable.auto.commit": False})
    try:
        consumer.commit(offsets=[TopicPartition(scene.topic(topic), p, offset, metadata) for p, offset in offsets.items()],
                        asynchronous=False)
    finally:
        consumer.close()


def delete_before(scene, partition, offset, topic="events"):
    """What retention does."""
    asked = [TopicPartition(scene.topic(topic), partition, offset)]
    for future in scene.kafka.admin.delete_records(asked).values():
        future.result(HANG_GUARD_S)


def of_partitions(count, partitions, first=0):
    """`count` events in each of the partitions, of one contact per partition."""
    records = [(p, None, one_call_event(f"user{p}@example.com", f"e{n}")) for n in range(first, first + count) for p in partitions]
    return records, {f"user{p}@example.com": [f"e{n}" for n in range(first, first + count)] for p in partitions}


def wait_stopped(worker, partition, reason="out_of_range"):
    line = worker.wait_for("partition.stopped", partition=partition)
    assert line["reason"] == reason
    stopped = {labels["partition"]: labels["reason"]
               for labels in worker.admin.metrics().active("sendx_worker_partition_stopped")}
    assert stopped == {str(partition): reason}, stopped
    status, _, text = worker.admin.get("/readyz")
    assert status == 200 and f"partition {partition} of" in text and reason in text, (status, text)
    assert worker.admin.holds() == {("partition", f"{line['topic']}/{partition}", reason)}
    shown = worker.admin.status()["partitions"][partition]
    assert (shown["partition"], shown["state"], shown["reason"]) == (partition, "stopped", reason), shown
    return int(line["offset"])


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.parametrize("where", ["below", "above"])
def test_an_offset_that_is_gone_stops_its_partition_and_no_other(scene, where, start):
    """Below: retention has passed it. Above: the topic was made anew with fewer events."""
    scene.create_topics(events=3)
    records, expected = of_partitions(10, range(3))
    scene.produce(records)
    commit(scene, {0: 0, 1: 2 if where == "below" else 11, 2: 0})
    if where == "below":
        delete_before(scene, 1, 5)
    worker = scene.start_worker(kafka={"start": start}, admin=ANY_PORT)
    assert wait_stopped(worker, 1) == (2 if where == "below" else 11)
    wait_until("the other partitions", lambda: worker.check_running() or
               scene.committed() == {0: 10, 1: 2 if where == "below" else 11, 2: 10}, show=scene.committed)
    worker.stop()
    del expected["user1@example.com"]
    scene.check_delivered(expected)
    # The way out: an offset that exists.
    commit(scene, {1: 5})
    after = scene.sandbox.last_seq()
    heir = scene.start_worker("heir", kafka={"start": start})
    scene.wait_until_finished(heir)
    heir.stop()
    scene.check_delivered({"user1@example.com": [f"e{n}" for n in range(5, 10)]}, after)


def test_retention_that_overtakes_a_waiting_worker_stops_the_partition(scene):
    """What was fetched already is delivered, and nothing behind the gap."""
    scene.create_topics(events=2)
    count = 1200
    pad = "x" * 8000
    scene.produce([(0, None, json.dumps({"email": "user0@example.com", "id": f"e{n}", "pad": pad}).encode()) for n in range(count)])
    settings = {"delivery": {"max_pending_events": 10, "prefetch_bytes": "1MiB"}, "admin": ANY_PORT}
    worker = scene.start_worker(account={"hold": True}, **settings)
    wait_until("pending events", lambda: worker.check_running() or
               worker.admin.metrics().value("sendx_worker_events_pending") == 10)
    delete_before(scene, 0, count - 5)
    worker.config_path.write_text(scene.config(**settings))
    worker.send(signal.SIGHUP)
    at = wait_stopped(worker, 0)
    assert 10 <= at < count - 5
    wait_until("the commit of what was there", lambda: worker.check_running() or scene.committed()[0] == at, show=scene.committed)
    records, expected = of_partitions(5, [1])
    scene.produce(records)
    wait_until("the other partition", lambda: worker.check_running() or scene.committed()[1] == 5)
    worker.stop()
    scene.check_delivered({"user0@example.com": [f"e{n}" for n in range(at)], **expected})


def test_events_to_be_skipped_are_not_tried_and_counted(scene):
    scene.create_topics(events=2)
    records, expected = of_partitions(20, range(2))
    scene.produce(records)
    topic = scene.topic()
    rules = (f'kafka: {{ skip = [ "{topic}:0:3", "{topic}:1:19", "{topic}:1:40", "another.topic:0:4" ]; ')
    config = scene.config(admin=ANY_PORT)
    worker = scene.start_worker_of(config.replace("kafka: {", rules, 1))
    scene.wait_until_finished(worker)
    assert {(line["topic"], line["partition"], line["offset"]) for line in worker.lines("event.skipped", level="warning")} \
        == {(topic, "0", "3"), (topic, "1", "19")}
    assert worker.admin.metrics().value("sendx_worker_events_total", outcome="skipped") == 2
    worker.config_path.write_text(config.replace("kafka: {", f'kafka: {{ skip = [ "{topic}:0:20" ]; ', 1))
    worker.send(signal.SIGHUP)
    worker.wait_for("config.reloaded")
    assert not worker.lines("config.kept")
    more, later = of_partitions(1, range(2), first=20)
    scene.produce(more)
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered({"user0@example.com": [f"e{n}" for n in range(20) if n != 3],
                           "user1@example.com": [f"e{n}" for n in range(19)] + ["e20"]})
    assert later


def test_metadata_of_another_program_says_nothing_of_what_is_finished(scene):
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=10, contacts=2, partitions=1)
    scene.produce(records)
    commit(scene, {0: 4}, metadata="1c29tZWJvZHkgZWxzZSdzIHRleHQ")
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    line = worker.lines("progress.ignored", level="warning", partition=0)[0]
    assert line["effect"] == "what was finished above the offset is sent again", line
    scene.check_delivered({email: ids[2:] for email, ids in expected.items()})


def test_transaction_markers_and_aborted_transactions_are_no_events(scene):
    """Offsets of markers hold nothing, the last ones of the partition among them; what was aborted is not delivered."""
    scene.create_topics(events=2)
    producer = Producer({"bootstrap.servers": scene.kafka.address, "transactional.id": scene.name, "linger.ms": 5})
    producer.init_transactions(HANG_GUARD_S)
    expected = {}
    for n, commits in enumerate([True, False, True, False, False, True, False]):
        producer.begin_transaction()
        records, events = of_partitions(5, range(2), first=5 * n)
        for p, key, value in records:
            producer.produce(scene.topic(), value, key, p)
        assert producer.flush(HANG_GUARD_S) == 0
        producer.commit_transaction(HANG_GUARD_S) if commits else producer.abort_transaction(HANG_GUARD_S)
        for email, ids in events.items() if commits else ():
            expected.setdefault(email, []).extend(ids)
    worker = scene.start_worker(admin=ANY_PORT)
    # The committed offset is one past the last event: what follows are an aborted transaction and its marker.
    wait_until("all that is committed", lambda: worker.check_running() or scene.committed() == {0: 35, 1: 35}, show=scene.committed)
    worker.stop()
    heir = scene.start_worker("heir")
    records, more = of_partitions(2, range(2), first=100)
    scene.produce(records)
    scene.wait_until_finished(heir)
    heir.stop()
    scene.check_delivered({email: ids + more[email] for email, ids in expected.items()})


def test_the_gaps_of_a_compacted_topic_are_no_events(scene):
    scene.create_topics(events=1)
    topic = f"{scene.name}.compacted"
    scene.kafka.create_topics({topic: 1}, cleanup_policy="compact", segment_ms=100, min_cleanable_dirty_ratio=0.01,
                              max_compaction_lag_ms=100, delete_retention_ms=60000)
    scene.topics["compacted"], scene.partitions[topic] = topic, 1
    keys, rounds = 10, 30
    for n in range(rounds):
        scene.produce([(0, f"k{k}".encode(), one_call_event(f"user{k}@example.com", f"e{n}")) for k in range(keys)], "compacted")

    def compacted():
        scene.produce([(0, b"last", one_call_event("last@example.com", "e"))], "compacted")  # rolls the segment
        return first_offsets(scene, topic)
    kept = wait_until("gaps", compacted, every=1)
    worker = scene.start_worker(rules=f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{topic}" ]; '
                                      'identify: { firstName = "${id}"; }; } );')
    scene.kafka.wait_until_finished(scene.group, [topic], worker)
    worker.stop()
    seen = scene.delivered()
    assert all(ids[-1] == f"e{rounds - 1}" for email, ids in seen.items() if email.startswith("user"))
    assert sum(map(len, seen.values())) < kept, "nothing was compacted"


def first_offsets(scene, topic):
    """The end offset, once an offset below it holds no record; else None."""
    end = scene.kafka.ends(topic)[0]
    consumer = Consumer({"bootstrap.servers": scene.kafka.address, "group.id": "reader", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        expected = 0
        while expected < end:
            message = consumer.poll(5)
            if message is None:
                return None
            if message.offset() > expected + 5:
                return end
            expected = message.offset() + 1
    finally:
        consumer.close()
    return None


def test_a_missing_topic_is_named_and_found_when_it_comes(scene):
    scene.create_topics(events=1)
    later = f"{scene.name}.later"
    rules = (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}", "{later}" ]; '
             'identify: { firstName = "${id}"; }; } );')
    records, expected = of_partitions(3, [0])
    scene.produce(records)
    worker = scene.start_worker(rules=rules, admin=ANY_PORT)
    assert worker.wait_for("topic.unavailable")["topic"] == later
    assert worker.admin.metrics().active("sendx_worker_topic_unavailable") == [{"topic": later, "reason": "topic_missing"}]
    assert f"topic {later}: topic_missing" in worker.admin.get("/readyz")[2]
    assert worker.admin.holds() == {("topic", later, "topic_missing")}
    scene.wait_until_finished(worker)
    scene.kafka.create_topics({later: 2})
    scene.topics["later"], scene.partitions[later] = later, 2
    scene.produce([(1, None, one_call_event("late@example.com", "e0"))], "later")
    worker.wait_for("topic.available", topic=later)
    worker.wait_assigned({later: 2})
    scene.wait_until_finished(worker)
    assert worker.admin.metrics().active("sendx_worker_topic_unavailable") == []
    worker.stop()
    scene.check_delivered({**expected, "late@example.com": ["e0"]})
    assert not worker.lines("partition.lost")


def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_beginning(scene):
    """Kafka forgets the group's offsets with the topic."""
    scene.create_topics(events=1, other=1)
    rules = (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}", "{scene.topic("other")}" ]; '
             'identify: { firstName = "${id}"; }; } );')
    records, expected = of_partitions(5, [0])
    scene.produce(records)
    worker = scene.start_worker(rules=rules, admin=ANY_PORT, kafka={"topic_metadata_refresh_interval_ms": 500})
    scene.wait_until_finished(worker)
    scene.kafka.delete_topic(scene.topic())
    worker.wait_for("topic.unavailable", topic=scene.topic(), reason="topic_missing")
    scene.produce([(0, None, one_call_event("other@example.com", "e0"))], "other")  # is read all the time
    scene.kafka.wait_until_finished(scene.group, [scene.topic("other")], worker)
    scene.kafka.create_topics({scene.topic(): 1})
    scene.produce([(0, None, one_call_event("user0@example.com", f"n{n}")) for n in range(3)])
    worker.wait_for("topic.available", topic=scene.topic())
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered({"user0@example.com": expected["user0@example.com"] + ["n0", "n1", "n2"],
                           "other@example.com": ["e0"]})
    assert len(worker.lines("partition.assigned", topic=scene.topic("other"))) == 1


@pytest.mark.parametrize("operation", [AclOperation.DESCRIBE, AclOperation.READ], ids=["describe", "read"])
def test_a_topic_that_may_not_be_read_is_named_and_read_when_it_may(scene, operation):
    """At the start, and once more while it is read."""
    scene.create_topics(events=1, other=1)
    rules = (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}", "{scene.topic("other")}" ]; '
             'identify: { firstName = "${id}"; }; } );')
    records, expected = of_partitions(3, [0])
    scene.produce(records)
    scene.produce([(0, None, one_call_event("other@example.com", "e0"))], "other")
    scene.kafka.deny(operation, scene.topic())
    worker = scene.start_worker(rules=rules, admin=ANY_PORT, kafka={"topic_metadata_refresh_interval_ms": 300})

    def named():
        worker.check_running()
        metrics = worker.admin.metrics()
        return {labels["topic"] for family in ("topic_unavailable", "partition_stopped")
                for labels in metrics.active(f"sendx_worker_{family}") if labels["reason"] == "topic_not_authorized"}
    assert wait_until("the reason", named, show=worker.log_text) == {scene.topic()}
    assert "topic_not_authorized" in worker.admin.get("/readyz")[2]
    wait_until("the other topic", lambda: worker.check_running() or "other@example.com" in scene.delivered())
    scene.kafka.allow_again(scene.topic())
    scene.wait_until_finished(worker)
    wait_until("the reason to be gone", lambda: not named())
    scene.kafka.deny(operation, scene.topic())
    wait_until("the reason", named, show=worker.log_text)
    scene.kafka.allow_again(scene.topic())
    more, later = of_partitions(2, [0], first=3)
    scene.produce(more)
    scene.wait_until_finished(worker)
    wait_until("the reason to be gone", lambda: not named())
    scene.produce([(0, None, one_call_event("other@example.com", "e1"))], "other")
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered({"user0@example.com": expected["user0@example.com"] + later["user0@example.com"],
                           "other@example.com": ["e0", "e1"]})


def test_a_group_that_does_not_let_us_in_is_named_until_it_does(scene):
    scene.create_topics(events=1)
    records, expected = of_partitions(3, [0])
    scene.produce(records)
    rule = AclBinding(ResourceType.GROUP, scene.group, ResourcePatternType.LITERAL, "User:*", "*", AclOperation.READ,
                      AclPermissionType.DENY)
    for future in scene.kafka.admin.create_acls([rule]).values():
        future.result(HANG_GUARD_S)
    worker = scene.start_worker(admin=ANY_PORT)
    wait_until("the reason", lambda: worker.check_running() or worker.admin.metrics().active("sendx_worker_group_refused")
               == [{"reason": "group_not_authorized"}], show=worker.log_text)
    status, _, text = worker.admin.get("/readyz")
    assert status == 503 and "group_not_authorized" in text, (status, text)
    every = AclBindingFilter(ResourceType.GROUP, scene.group, ResourcePatternType.LITERAL, None, None, AclOperation.ANY,
                             AclPermissionType.ANY)
    for future in scene.kafka.admin.delete_acls([every]).values():
        future.result(HANG_GUARD_S)
    scene.wait_until_finished(worker)
    assert worker.admin.metrics().active("sendx_worker_group_refused") == []
    worker.stop()
    scene.check_delivered(expected)
