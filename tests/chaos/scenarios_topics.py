"""What happens to topics: partitions are added, a topic is made anew, records are gone before they were read."""

from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions

from harness import HANG_GUARD_S, wait_until
from registry import scenario

QUICK_METADATA = {"topic_metadata_refresh_interval_ms": 500}


@scenario(planned=True)
def partitions_added(stage):
    """Events of the new partitions are delivered from the first one on."""
    stage.begin(partitions=2)
    worker = stage.start_worker(kafka=QUICK_METADATA)
    worker.wait_assigned({stage.topic(): 2})
    stage.wait_calls(100, worker)
    made = stage.kafka.admin.create_partitions([NewPartitions(stage.topic(), 6)], operation_timeout=30)
    made[stage.topic()].result(HANG_GUARD_S)
    stage.kafka.wait_led({stage.topic(): 6})
    stage.partitions[stage.topic()] = 6
    stage.sampler.parts += [(stage.topic(), p) for p in range(2, 6)]
    stage.feed.grow(6)
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_calls(100, worker)
    stage.finish(worker)
    stage.check_no_lost_assignment()


@scenario(planned=True)
def topic_deleted_and_made_anew(stage):
    """Another topic of the group goes on all the while; of the new one all is delivered, or it stops by name."""
    stage.begin(partitions=2, more_topics={"other": 2}, feed=False)
    other = stage.add_feed("other")
    other.start()
    worker = stage.start_worker(kafka=QUICK_METADATA, rules=stage.rules("events", "other"))
    worker.wait_assigned(stage.partitions)
    stage.kafka.wait_until_finished(stage.group, [stage.topic()], worker)
    stage.kafka.delete_topic(stage.topic())
    ended = worker.log_text().count("\n")
    stage.wait_calls(100, worker)
    wait_until("other's offsets to be committed while the topic is gone", committing(stage, stage.topic("other")))
    stage.kafka.create_topics({stage.topic(): 2})
    old = list(stage.feed.events)
    stage.feed.events.clear()
    forget_commits(stage, stage.topic())
    stage.feed.produce(60)  # fewer than there were: the old offsets are behind the end
    stage.wait_calls(100, worker)
    stage.notes["old"] = len(old)

    def delivered_or_stopped():
        worker.check_running()
        lines = worker.log_text().splitlines()[ended:]
        if any("event=partition.stopped" in line and stage.topic() in line for line in lines):
            return "stopped"
        return "delivered" if not stage.kafka.unfinished(stage.group, [stage.topic()]) else None
    outcome = wait_until("the new topic to be delivered, or to stop by name", delivered_or_stopped, show=worker.log_text)
    stage.notes["outcome"] = outcome
    wait_until("other's offsets to be committed", committing(stage, stage.topic("other")))
    other.stop()
    if outcome == "stopped":
        worker.stop()
        stage.kafka.reset_group(stage.group, stage.topic(), 0)
        worker = stage.start_worker("after-reset", kafka=QUICK_METADATA, rules=stage.rules("events", "other"))
    stage.finish(worker)


def forget_commits(stage, topic):
    """Those of a topic that was deleted: they end with it, and so does what the sampler has been told of them."""
    wait_until("the old offsets to be gone", lambda: not any(stage.kafka.committed(stage.group, topic).values()))
    seen = stage.sampler.samples
    wait_until("two samples without them", lambda: stage.sampler.samples >= seen + 2)
    for part in [part for part in stage.sampler.parts if part[0] == topic]:
        stage.sampler.changes.pop(part, None)


def committing(stage, topic):
    """A condition: a committed offset of the topic has moved since now."""
    parts = [part for part in stage.sampler.parts if part[0] == topic]
    before = {part: len(stage.sampler.changes[part]) for part in parts}
    return lambda: any(len(stage.sampler.changes[part]) > before[part] for part in parts)


@scenario(planned=True)
def records_gone_before_they_were_read(stage):
    """The committed offset is out of range: that partition stops by name, the others go on; after a reset all of what
    is left is delivered."""
    stage.begin(partitions=3, feed=False)
    first = stage.start_worker("first")
    stage.kafka.wait_until_finished(stage.group, stage.partitions, first)
    first.stop()
    stage.feed.produce(150)
    mine = [event for event in stage.feed.events if event.partition == 0]
    low = mine[-5].offset
    committed = stage.kafka.committed(stage.group, stage.topic())[0]
    gone = [event for event in mine if committed <= event.offset < low]
    assert gone, "nothing to be lost"
    stage.kafka.admin.delete_records([TopicPartition(stage.topic(), 0, low)])[
        TopicPartition(stage.topic(), 0, low)].result(HANG_GUARD_S)
    stage.held = {event.id for event in gone}  # nobody can deliver them any more
    worker = stage.start_worker("second")
    line = worker.wait_for("partition.stopped", topic=stage.topic(), partition=0)
    assert line.get("reason"), f"no reason: {line}"
    wait_until("the other partitions to be finished", lambda: worker.check_running() or not [
        part for part in stage.kafka.unfinished(stage.group, [stage.topic()]) if part[1] != 0])
    assert stage.kafka.committed(stage.group, stage.topic())[0] == committed, "it jumped silently"
    worker.stop()
    stage.kafka.reset_group(stage.group, stage.topic(), 0, low)
    third = stage.start_worker("third")
    stage.finish(third)


@scenario(planned=True)
def records_gone_while_they_wait(stage):
    """The same under a running worker whose account is held: nothing is jumped over in silence."""
    stage.begin(partitions=3, feed=False)
    worker = stage.start_worker(delivery={"max_pending_events": 10, "prefetch_bytes": "1MiB"},
                                kafka={"fetch_message_max_bytes": 2000, "max_partition_fetch_bytes": 2000})
    stage.kafka.wait_until_finished(stage.group, stage.partitions, worker)
    stage.sandbox.fault(status=401)
    stage.feed.produce(6000)
    wait_until("the hold", lambda: worker.check_running() or worker.lines("account.held"))
    mine = [event for event in stage.feed.events if event.partition == 0]
    low = mine[-5].offset
    stage.kafka.admin.delete_records([TopicPartition(stage.topic(), 0, low)])[
        TopicPartition(stage.topic(), 0, low)].result(HANG_GUARD_S)
    stage.sandbox.end_faults()
    stopped_or_all = wait_until(
        "partition 0 to stop by name or to be finished", lambda: worker.check_running() or
        worker.lines("partition.stopped", partition=0) or not [
            part for part in stage.kafka.unfinished(stage.group, [stage.topic()]) if part[1] == 0], show=worker.log_text)
    if stopped_or_all is True:
        stage.notes["outcome"] = "all prefetched"
        stage.finish(worker)
        return
    stage.notes["outcome"] = "stopped"
    stage.held = {event.id for event in mine if event.offset < low}
    wait_until("the other partitions to be finished", lambda: worker.check_running() or not [
        part for part in stage.kafka.unfinished(stage.group, [stage.topic()]) if part[1] != 0])
    worker.stop()
    stage.kafka.reset_group(stage.group, stage.topic(), 0, low)
    stage.finish(stage.start_worker("after-reset"))
