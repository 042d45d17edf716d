"""The failure tests of tests/e2e at length. OUTAGE_SECONDS and ACCEPTANCE_EVENTS in the environment shorten them for a trial."""

import collections
import json
import os
import time

import pytest

from admin import Watch
from harness import wait_until
from relay import Relay
from test_21_outages import check_repeats_until_applied
from test_22_retry_after import check_no_request_too_early
from worker import ANY_PORT

SECONDS = float(os.environ.get("OUTAGE_SECONDS", "60"))
EVENTS = int(os.environ.get("ACCEPTANCE_EVENTS", "20000"))
ALL_KINDS = {"retry_max": "5s", "retry_min": "50ms"}


def start(scene, **settings):
    """EVENTS events of a tenth as many contacts, at a speed that leaves most of them for what comes."""
    scene.create_topics(events=8)
    records, expected = scene.one_call_history(events=EVENTS, contacts=EVENTS // 10, partitions=8)
    scene.produce(records)
    worker = scene.start_worker(admin=ANY_PORT, delivery=ALL_KINDS, **settings)
    return worker, expected


def finish(scene, worker):
    scene.wait_until_finished(worker)
    worker.stop()
    assert not worker.lines("partition.lost")
    check_repeats_until_applied(scene.sandbox.requests())
    scene.sandbox.check_no_overlap()


@pytest.mark.parametrize("fault, reason, most", [
    ({"status": 503}, "outage", 120), ({"action": "reset"}, "outage", 200), ({"action": "hang"}, "outage", 200),
    ({"status": 401}, "configuration", 100), ({"action": "html"}, "configuration", 100)],
    ids=["503", "reset", "hang", "401", "html"])
def test_a_minute_of_outage(scene, fault, reason, most):
    scene.sandbox.fault(action="delay", delay_ms=5)
    worker, expected = start(scene, account={"timeout": "2s"})
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 500)
    watch = Watch(worker.admin)
    before = scene.sandbox.last_seq()
    scene.sandbox.end_faults()
    scene.sandbox.fault(**fault)
    wait_until("the hold", lambda: worker.check_running() or reason in worker.admin.held())
    time.sleep(SECONDS)
    failed = [request for request in scene.sandbox.requests(before) if not request["applied"]]
    scene.sandbox.end_faults()
    begin = time.monotonic()
    wait_until("the hold to end", lambda: worker.check_running() or not worker.admin.held())
    print(f"\n{len(failed)} calls spent on {SECONDS:.0f} s; goes on after {time.monotonic() - begin:.1f} s")
    scene.wait_until_finished(worker)
    watch.stop()
    finish(scene, worker)
    assert len(failed) <= most
    scene.check_delivered(expected)
    scene.check_no_dead_letters()


def test_a_minute_without_an_api(scene):
    scene.sandbox.fault(action="delay", delay_ms=5)
    relay = Relay(scene.sandbox.address)
    worker, expected = start(scene, base_url=scene.sandbox.base_url(address=relay.address))
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 500)
    relay.cut()
    scene.sandbox.end_faults()
    time.sleep(SECONDS)
    assert worker.admin.held() == {"outage"}
    relay.listen()
    scene.wait_until_finished(worker)
    worker.stop()
    seen = {email: [one for n, one in enumerate(ids) if n == 0 or ids[n - 1] != one]  # replies that were cut off repeat
            for email, ids in scene.delivered().items()}
    assert seen == expected
    scene.check_no_dead_letters()


def test_errors_resets_and_hangs(scene):
    faults = [scene.sandbox.fault(**fault) for fault in (
        {"share": 0.05, "status": 500, "seed": 41}, {"share": 0.02, "action": "reset", "seed": 42},
        {"share": 0.002, "action": "hang", "seed": 43})]
    worker, expected = start(scene, account={"timeout": "2s"})
    finish(scene, worker)
    assert all(scene.sandbox.fault_hits(fault) for fault in faults)
    scene.check_delivered(expected)
    scene.check_no_dead_letters()


@pytest.mark.parametrize("header, seconds", [("2", 2), ("date:+3", 3)], ids=["seconds", "date"])
def test_a_minute_of_storms(scene, header, seconds):
    """Again and again some calls are refused for a while."""
    scene.sandbox.fault(share=0.01, status=429, retry_after=header, seed=44, count=max(3, int(SECONDS / seconds)))
    worker, expected = start(scene)
    finish(scene, worker)
    asked = check_no_request_too_early(scene.sandbox.requests(), seconds, header.startswith("date"))
    print(f"\n{asked} replies asked to wait")
    assert asked
    scene.check_delivered(expected)
    scene.check_no_dead_letters()


def test_poison_in_the_midst_of_failures(scene):
    """0.5 % of the events are refused for good, 3 % of all calls fail for a while."""
    contacts = EVENTS // 10
    victims = {f"user{n}@example.com" for n in range(0, contacts, 20)}
    for victim in victims:
        scene.sandbox.fault(email=victim, status=422, count=1)
    scene.sandbox.fault(share=0.03, status=500, seed=45)
    worker, expected = start(scene)
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    dead = collections.Counter(json.loads(letter.value)["email"] for letter in letters)
    assert dead == collections.Counter(victims)
    for letter in letters:
        letter.check_hygiene()
        event = json.loads(letter.value)
        expected[event["email"]].remove(event["id"])
    scene.check_delivered(expected)
    scene.sandbox.check_no_overlap()
