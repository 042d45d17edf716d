"""kill -9 while some contacts wait and hold the committed offset: what was finished above it and committed is
not sent again, only what was in flight or was finished since the last commit."""

import collections

from harness import wait_until
from kafka import Kafka

PARTITIONS = 4
CONTACTS = 200
EVENTS = 2000
WAITING = [f"user{n}@example.com" for n in range(PARTITIONS)]  # one in each partition, of its first event
WAITING_EVENTS = EVENTS // CONTACTS * len(WAITING)


class Crash:
    """A worker that is busy with EVENTS while the contacts WAITING are refused."""

    def __init__(self, scene, delivery, delay_ms):
        self.scene = scene
        scene.create_topics(events=PARTITIONS)
        records, self.expected = scene.one_call_history(EVENTS, CONTACTS, PARTITIONS)
        scene.produce(records)
        offsets = collections.Counter()
        self.place = {}  # event id: (partition, offset)
        for n, (partition, _, _) in enumerate(records):
            self.place[f"e{n}"] = (partition, offsets[partition])
            offsets[partition] += 1
        for email in WAITING:
            scene.sandbox.fault(email=email, status=503)
        scene.sandbox.fault(action="delay", delay_ms=delay_ms)
        # The group learns of such an end only by the session's timeout.
        self.victim = scene.start_worker("victim", kafka={"session_timeout_ms": 3000}, delivery=delivery)

    def applied(self):
        """How often each event was."""
        return collections.Counter(event for ids in self.scene.delivered().values() for event in ids)

    def committed(self):
        """The events that the group's commits say are finished."""
        progress = self.scene.kafka.progress(self.scene.group, self.scene.topic())
        return {event for event, (partition, offset) in self.place.items() if offset in progress[partition]}

    def wait_for(self, what, condition):
        wait_until(what, lambda: self.victim.check_running() or condition(), show=self.victim.log_text)

    def finish(self):
        """The next worker does the rest. Returns {event: how often it was sent again}."""
        before = self.applied()
        self.scene.sandbox.end_faults()
        heir = self.scene.start_worker("heir")
        self.scene.wait_until_finished(heir)
        heir.stop()
        self.scene.sandbox.check_no_overlap()
        assert heir.lines("partition.progress"), "no progress was read back"
        stopped = heir.lines("worker.stopped")[0]
        print(f"crash: events={EVENTS} applied={len(before)} finished_before={stopped['finished_before']}")
        return {event: count - 1 for event, count in self.applied().items() if count > 1}


def test_once_it_is_committed_nothing_that_is_finished_is_sent_again(scene):
    crash = Crash(scene, {"commit_interval": "50ms", "retry_max": "2s"}, delay_ms=5)
    crash.wait_for("all others to be finished, and committed",
                   lambda: len(crash.committed()) == EVENTS - WAITING_EVENTS)
    assert not any(scene.committed().values()), "the contacts that wait should hold the committed offsets"
    crash.victim.kill()
    assert crash.finish() == {}
    scene.check_delivered(crash.expected)


def test_in_the_middle_of_it_only_what_is_not_committed_yet_is_sent_again(scene):
    crash = Crash(scene, {"commit_interval": "1s"}, delay_ms=30)
    crash.wait_for("a part of the events to be committed", lambda: len(crash.committed()) > EVENTS // 8)
    enough = scene.sandbox.stats()["requests"] + 60
    crash.wait_for("some more", lambda: scene.sandbox.stats()["requests"] >= enough)
    crash.victim.kill()
    applied, committed = crash.applied(), crash.committed()
    repeated = crash.finish()
    print(f"crash: finished_and_committed={len(committed)} not_committed_yet={len(applied.keys() - committed)} "
          f"repeated={len(repeated)}")
    assert len(committed) < EVENTS - WAITING_EVENTS, "too quick for this test: nothing was left to do"
    assert not repeated.keys() & committed, "sent again in spite of a commit"
    assert set(repeated.values()) <= {1}
    scene.check_delivered_with_repeats(crash.expected, restarts=1)


def test_a_broker_with_less_room_for_metadata_gets_less_of_it(scene):
    """Every other contact waits, so that there is more to be said than fits."""
    folder = scene.folder / "kafka"
    folder.mkdir()
    scene.kafka = Kafka(folder, "offset.metadata.max.bytes=50\n").start()
    try:
        scene.create_topics(events=1)
        records, expected = scene.one_call_history(events=1000, contacts=1000, partitions=1)
        scene.produce(records)
        faults = [scene.sandbox.fault(email=email, status=500) for email in list(expected)[::2]]
        worker = scene.start_worker(delivery={"commit_interval": "20ms", "retry_max": "1s"})
        worker.wait_for("progress.shortened", count=2, level="warning")
        wait_until("a part of it to be committed", lambda: worker.check_running() or any(
            scene.kafka.progress(scene.group, scene.topic()).values()), show=worker.log_text)
        assert scene.committed() == {0: 0}
        for fault in faults:
            scene.sandbox.end_faults(fault)
        scene.wait_until_finished(worker)
        worker.stop()
        scene.check_delivered(expected)
    finally:
        scene.kafka.stop()
