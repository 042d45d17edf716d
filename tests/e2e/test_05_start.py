"""Where a group without committed offsets begins, and that one with them goes on from there."""

import datetime
import time

from scene import one_call_event

NOW_MS = int(time.time() * 1000)
HOUR_MS = 3600_000


def records_at(timestamp, first, count, partitions):
    """`count` events per partition, of one contact each."""
    return [(p, None, one_call_event(f"user{p}@example.com", f"e{first + n}"), timestamp)
            for p in range(partitions) for n in range(count)]


def expected_of(ids, partitions):
    return {f"user{p}@example.com": [f"e{n}" for n in ids] for p in range(partitions)}


def test_earliest_begins_at_the_first_event(scene):
    scene.create_topics(events=2)
    scene.produce(records_at(NOW_MS - HOUR_MS, 0, 5, 2))
    worker = scene.start_worker(kafka={"start": "earliest"})
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected_of(range(5), 2))


def test_latest_begins_behind_the_last_event(scene):
    scene.create_topics(events=2)
    scene.produce(records_at(NOW_MS - HOUR_MS, 0, 5, 2))
    worker = scene.start_worker(kafka={"start": "latest"})
    worker.wait_assigned(scene.partitions)
    assigned = {line["partition"]: line["offset"] for line in worker.lines("partition.assigned")}
    scene.produce(records_at(NOW_MS, 5, 3, 2))
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected_of(range(5, 8), 2))
    assert assigned == {"0": "5", "1": "5"}


def test_latest_goes_on_from_what_is_committed(scene):
    """What was produced while nobody ran is delivered: the setting is for a group without offsets."""
    scene.create_topics(events=2)
    scene.produce(records_at(NOW_MS - HOUR_MS, 0, 5, 2))
    worker = scene.start_worker(kafka={"start": "latest"})
    worker.wait_assigned(scene.partitions)
    scene.produce(records_at(NOW_MS, 5, 1, 2))
    scene.wait_until_finished(worker)
    worker.stop()
    scene.produce(records_at(NOW_MS, 6, 2, 2))
    again = scene.start_worker("again", kafka={"start": "latest"})
    scene.wait_until_finished(again)
    again.stop()
    scene.check_delivered(expected_of(range(5, 8), 2))


def test_a_time_begins_at_the_first_event_not_older(scene):
    """Partition 0 and 1 have events on both sides of it, 2 only older ones, 3 none at all."""
    scene.create_topics(events=4)
    scene.produce(records_at(NOW_MS - 3 * HOUR_MS, 0, 4, 3))
    scene.produce(records_at(NOW_MS - HOUR_MS, 4, 4, 2))
    start = datetime.datetime.fromtimestamp((NOW_MS - 2 * HOUR_MS) / 1000, datetime.timezone.utc)
    worker = scene.start_worker(kafka={"start": start.strftime("%Y-%m-%dT%H:%M:%SZ")})
    worker.wait_assigned(scene.partitions)
    scene.produce(records_at(NOW_MS, 8, 2, 4))
    scene.wait_until_finished(worker)
    worker.stop()
    expected = {**expected_of(range(4, 10), 2), **{f"user{p}@example.com": ["e8", "e9"] for p in (2, 3)}}
    scene.check_delivered(expected)
