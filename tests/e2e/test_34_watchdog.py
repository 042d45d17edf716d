"""The progress watchdog: events wait, nothing moves, and there is no reason; every other pause has a name."""

import pytest

from harness import wait_until
from notify import Manager
from worker import ANY_PORT

IMPATIENT = {"stall_after": "1s", "drain_timeout": "1s"}


def wait_live(worker, status):
    return wait_until(f"/livez to say {status}", lambda: worker.check_running() or
                      (worker.admin.get("/livez") if worker.admin.get("/livez")[0] == status else None), show=worker.log_text)


def test_replies_that_do_not_come_fail_liveness_until_they_do(scene):
    """A time-out that is longer than the watchdog's patience: nothing else names the reason."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=20, contacts=4, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=4000, count=4)
    manager = Manager(watchdog_ms=400)
    worker = scene.start_worker(account={"timeout": "10m"}, delivery=IMPATIENT, admin=ANY_PORT, env=manager.env)
    text = wait_live(worker, 503)[2]
    assert "nothing has moved" in text, text
    assert worker.admin.metrics().value("sendx_worker_stalled") == 1
    assert worker.admin.holds() == {("worker", "events", "stalled")}
    line = worker.wait_for("worker.stalled", level="error")
    assert int(line["calls_in_flight"]) == 4 and int(line["events"]) == 20, line
    waits = {one["partition"]: one for one in worker.lines("partition.waits")}
    assert {one["for"] for one in waits.values()} == {"reply"} and sum(int(one["events"]) for one in waits.values()) == 20, waits
    manager.wait_for("STATUS=2 partitions, 20 events pending; nothing moves", worker)
    scene.wait_until_finished(worker)
    wait_live(worker, 200)
    assert worker.lines("worker.moving")
    assert worker.admin.metrics().value("sendx_worker_stalled") == 0
    beats = manager.beats()
    wait_until("beats of the watchdog again", lambda: worker.check_running() or manager.beats() > beats)
    worker.stop()
    manager.stop()
    scene.check_delivered(expected)


@pytest.mark.parametrize("reason, account, fault", [
    ("operator", {"hold": True}, None),
    ("configuration", {}, {"status": 401}),
    ("outage", {}, {"status": 500}),
    ("rate_limit", {"rate_limit": 0.01}, None),
    ("retry", {}, {"status": 500, "email": "user0@example.com"}),
    ("dead_letter_off", {}, {"status": 422, "email": "user0@example.com"})])
def test_a_pause_with_a_reason_is_named_and_stays_alive(scene, reason, account, fault):
    scene.create_topics(events=2)
    records, _ = scene.one_call_history(events=60, contacts=30, partitions=2)
    scene.produce(records)
    if fault:
        scene.sandbox.fault(**fault)
    worker = scene.start_worker(account=account, delivery={**IMPATIENT, "retry_min": "1s", "retry_max": "10s"}, admin=ANY_PORT,
                                dead_letter={"topic": ""})
    seen = []

    def paused():
        """The reason, ten times in a row."""
        worker.check_running()
        status, _, text = worker.admin.get("/livez")
        assert status == 200, (text, worker.log_text())
        labels = worker.admin.metrics().active("sendx_worker_paused")
        seen.append([label["reason"] for label in labels])
        return seen[-10:] == [[reason]] * 10
    wait_until(f"the reason {reason}", paused, every=0.3, show=lambda: (seen[-10:], worker.log_text()))
    assert not worker.lines("worker.stalled")
    worker.stop(codes=(0, 1))


def test_nothing_to_do_is_no_stall(scene):
    """Longer than the patience, told by the beats for the service manager."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=4, contacts=4, partitions=2)
    manager = Manager(watchdog_ms=400)
    worker = scene.start_worker(delivery=IMPATIENT, admin=ANY_PORT, env=manager.env)
    worker.wait_assigned(scene.partitions)
    scene.produce(records)
    scene.wait_until_finished(worker)
    beats = manager.beats()
    wait_until("ten beats, 2 s", lambda: worker.check_running() or manager.beats() >= beats + 10)
    assert worker.admin.get("/livez")[0] == 200
    assert worker.admin.metrics().active("sendx_worker_paused") == []
    worker.stop()
    manager.stop()
    assert not worker.lines("worker.stalled")
    scene.check_delivered(expected)
