"""Joins and leaves of a second worker, with a commit every 50 ms, while events keep coming: no assignment
is lost, and no event is lost, reordered or sent twice."""

import collections
import threading

from harness import wait_until
from scene import one_call_event

JOINS = 20
PARTITIONS = 8
CONTACTS = 80


class Trickle(threading.Thread):
    """Produces small batches, each when the one before it is acknowledged, until told to stop."""

    def __init__(self, scene):
        super().__init__(daemon=True)
        self.scene = scene
        self.expected = collections.defaultdict(list)
        self.count = 0
        self.pause = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.pause.wait(0.02):
                self.produce(10)
        except BaseException as failure:  # shown by stop()
            self.failure = failure

    def produce(self, count):
        records = []
        for n in range(self.count, self.count + count):
            # Even partitions: each event has a contact of its own. Odd ones: contacts with many events.
            email = f"single{n}@example.com" if n % 2 == 0 else f"user{n % CONTACTS}@example.com"
            records.append((n % PARTITIONS, email.encode(), one_call_event(email, f"e{n}")))
            self.expected[email].append(f"e{n}")
        self.count += count
        self.scene.produce(records)

    def stop(self):
        self.pause.set()
        self.join()
        if self.failure:
            raise self.failure


def test_twenty_joins_and_leaves_cost_no_assignment_and_no_event(scene):
    scene.create_topics(events=PARTITIONS)
    settings = {"delivery": {"commit_interval": "50ms"}, "kafka": {"heartbeat_interval_ms": 200}}
    trickle = Trickle(scene)
    trickle.produce(100)
    scene.sandbox.fault(action="delay", delay_ms=5)
    resident = scene.start_worker("resident", **settings)
    resident.wait_assigned(scene.partitions)
    trickle.start()
    try:
        guests = [join_and_leave(scene, resident, n, settings) for n in range(JOINS)]
    finally:
        trickle.stop()
    scene.wait_until_finished(resident)
    resident.stop()
    for worker in [resident, *guests]:
        bad = [line for line in worker.lines()
               if line.get("event") == "partition.lost" or line.get("level") == "error"]
        if bad:
            raise AssertionError(f"{worker.name}'s log has {len(bad)} such lines, the first: {bad[0]}")
    scene.sandbox.end_faults()
    scene.check_delivered(trickle.expected)
    scene.sandbox.check_no_overlap()
    assert trickle.count > JOINS * 10, "too few events for the number of rebalances"


def join_and_leave(scene, resident, n, settings):
    """One guest comes, gets its share, delivers something, and leaves; the resident has all again."""
    given_back = len(resident.lines("partition.assigned"))
    guest = scene.start_worker(f"guest-{n}", **settings)

    def has_a_share():
        guest.check_running()
        resident.check_running()
        return len({line["partition"] for line in guest.lines("partition.assigned")}) >= PARTITIONS // 2
    wait_until(f"guest {n} to get its share", has_a_share, show=resident.log_text)
    guest.stop()
    wait_until(f"the resident to have all again after guest {n}",
               lambda: len(resident.lines("partition.assigned")) >= given_back + PARTITIONS // 2,
               show=resident.log_text)
    return guest
