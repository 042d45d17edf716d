"""The failure tests of tests/e2e at length. OUTAGE_SECONDS and ACCEPTANCE_EVENTS in the environment shorten them for a trial."""

import collections
import json
import os
import signal
import time

import pytest
from confluent_kafka.admin import AclOperation

from admin import Watch
from dead_letters import check_letters
from harness import let_pass, wait_until
from relay import Relay
from test_21_outages import TWO_ACCOUNTS, check_repeats_until_applied, second_event
from test_22_retry_after import check_no_request_too_early
from test_23_dead_letters import QUICK, email_of, places_of
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
def test_a_minute_of_outage(scene, tell, fault, reason, most):
    scene.sandbox.fault(action="delay", delay_ms=5)
    worker, expected = start(scene, account={"timeout": "2s"})
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 500)
    watch = Watch(worker.admin)
    before = scene.sandbox.last_seq()
    scene.sandbox.end_faults()
    scene.sandbox.fault(**fault)
    wait_until("the hold", lambda: worker.check_running() or reason in worker.admin.held())
    let_pass(SECONDS)
    failed = [request for request in scene.sandbox.requests(before) if not request["applied"]]
    scene.sandbox.end_faults()
    begin = time.monotonic()
    wait_until("the hold to end", lambda: worker.check_running() or not worker.admin.held())
    tell(f"{len(failed)} calls spent on {SECONDS:.0f} s; goes on after {time.monotonic() - begin:.1f} s")
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
    let_pass(SECONDS)
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
def test_a_minute_of_storms(scene, tell, header, seconds):
    """Again and again some calls are refused for a while."""
    scene.sandbox.fault(share=0.01, status=429, retry_after=header, seed=44, count=max(3, int(SECONDS / seconds)))
    worker, expected = start(scene)
    finish(scene, worker)
    asked = check_no_request_too_early(scene.sandbox.requests(), seconds, header.startswith("date"))
    tell(f"{asked} replies asked to wait")
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


def event_ids(letters):
    return [json.loads(letter.value)["id"] for letter in letters]


def hold_a_minute_of_refusals(scene):
    """Everything is answered 400 after the first events. Returns the worker that holds, and the events expected."""
    scene.sandbox.fault(action="delay", delay_ms=5)
    worker, expected = start(scene)
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 500)
    scene.sandbox.fault(status=400)
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_budget" in worker.admin.letters_held(),
               show=worker.log_text)

    def every_contact_waits():
        worker.check_running()
        metrics = worker.admin.metrics()
        return metrics.value("sendx_worker_calls_held") == EVENTS // 10 and metrics.value("sendx_worker_dead_letters_pending") == 0
    wait_until("a held call of every contact", every_contact_waits, show=worker.log_text)
    watch, calls = Watch(worker.admin), scene.sandbox.last_seq()
    within, finished = len(scene.dead_letters()), worker.admin.metrics().sum("sendx_worker_events_total")
    assert 0 < within <= max(20, 0.05 * finished)
    let_pass(SECONDS)
    watch.stop()
    assert worker.admin.get("/livez")[0] == 200 and "dead_letter_budget" in worker.admin.letters_held()
    assert scene.sandbox.last_seq() == calls, "what is held was sent again"
    assert len(scene.dead_letters()) == within
    scene.sandbox.end_faults()
    return worker, expected


def refused_events(scene):
    """Ids of the events whose call was answered 400, none of them twice."""
    refused = [request["body"]["firstName"] for request in scene.sandbox.requests() if request["status"] == 400]
    assert len(refused) == len(set(refused)), "sent again after it was refused"
    return set(refused)


def test_a_minute_of_a_bad_rule_and_sigusr1(scene, tell):
    """All that was refused becomes a letter, and nothing that was not."""
    worker, expected = hold_a_minute_of_refusals(scene)
    before = len(scene.dead_letters())
    worker.send(signal.SIGUSR1)
    scene.wait_until_finished(worker)
    worker.stop()
    refused, dead = refused_events(scene), event_ids(scene.dead_letters())
    tell(f"{before} letters within the budget, held for {SECONDS:.0f} s, then {len(dead)}")
    assert sorted(dead) == sorted(refused)
    scene.check_delivered({email: left for email, ids in expected.items() if (left := [one for one in ids if one not in refused])})
    scene.sandbox.check_no_overlap()


def test_a_minute_of_a_bad_rule_and_a_mended_one(scene, tell):
    """A worker that is started with the mistake mended delivers all that was held; no letter is added."""
    worker, expected = hold_a_minute_of_refusals(scene)
    worker.stop(codes=(0, 1))
    dead = event_ids(scene.dead_letters())
    mended = scene.start_worker("mended")
    scene.wait_until_finished(mended)
    mended.stop()
    refused = refused_events(scene)
    tell(f"{len(dead)} letters within the budget, {len(refused) - len(dead)} refused events held for {SECONDS:.0f} s")
    assert len(dead) == len(set(dead)) and set(dead) <= refused
    assert sorted(event_ids(scene.dead_letters())) == sorted(dead), "letters were added"
    scene.check_delivered({email: left for email, ids in expected.items() if (left := [one for one in ids if one not in dead])})
    scene.sandbox.check_no_overlap()


def stored(worker):
    """Letters that the broker has confirmed; while writing is denied, the topic cannot be read either."""
    return worker.admin.metrics().value("sendx_worker_events_total", outcome="dead_lettered")


def test_a_minute_without_the_dead_letter_topic_in_the_midst_of_poison(scene, tell):
    """The rate is such that events, and poison among them, come before, all the while and after."""
    victims = {f"user{n}@example.com" for n in range(0, EVENTS // 10, EVENTS // 200)}
    for victim in victims:
        scene.sandbox.fault(email=victim, status=422)
    scene.create_topics(events=8)
    records, expected = scene.one_call_history(events=EVENTS, contacts=EVENTS // 10, partitions=8)
    scene.produce(records)
    worker = scene.start_worker(admin=ANY_PORT, kafka=QUICK, account={"rate_limit": EVENTS / (2 * SECONDS)})
    watch = Watch(worker.admin)
    wait_until("the first letters", lambda: worker.check_running() or len(scene.dead_letters()) >= len(victims) // 2,
               show=worker.log_text)
    scene.kafka.deny(AclOperation.WRITE, scene.dead_letter_topic)
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_unavailable" in worker.admin.letters_held(),
               show=worker.log_text)
    before, calls = stored(worker), scene.sandbox.last_seq()
    let_pass(SECONDS)
    assert "dead_letter_unavailable" in worker.admin.letters_held() and worker.admin.get("/livez")[0] == 200
    assert stored(worker) == before > 0
    during = scene.sandbox.last_seq() - calls
    assert during, "the others' calls were held, too"
    scene.kafka.allow_again(scene.dead_letter_topic)
    scene.wait_until_finished(worker)
    watch.stop()
    worker.stop()
    letters = scene.dead_letters()
    tell(f"{before:.0f} letters before, {during} calls in {SECONDS:.0f} s without the topic, {len(letters) - before:.0f} letters after")
    assert len(letters) > before
    check_letters(letters, {place: record for place, record in places_of(records).items() if email_of(record) in victims},
                  scene.topic())
    scene.check_delivered({email: ids for email, ids in expected.items() if email not in victims})
    scene.sandbox.check_no_overlap()


def test_a_minute_of_dns_that_hangs(scene, tell, hanging_resolver):
    """Many times the group's patience: the other account goes on, and the next worker delivers what had to wait."""
    scene.create_topics(events=2)
    waiting = {f"second{n}@example.com": [f"s{n}"] for n in range(5)}
    scene.produce([(0, None, second_event(n)) for n in range(5)])
    asked, rules = scene.folder / "asked", TWO_ACCOUNTS.replace("@TOPIC@", scene.topic())
    settings = {"rules": rules, "admin": ANY_PORT, "delivery": {"drain_timeout": "2s"}, "account": {"timeout": "2s"},
                "kafka": {"session_timeout_ms": 2000, "max_poll_interval_ms": 2500}}
    worker = scene.start_worker(env={"LD_PRELOAD": str(hanging_resolver), "SHIM_LOG": str(asked)}, more_accounts=[
        {"name": "second", "base_url": "http://hangs.example.com/api/v1", "allow_plaintext": True, "timeout": "2s",
         "connect_timeout": "1s"}], **settings)
    wait_until("the first look-ups", lambda: worker.check_running() or asked.exists())
    watch, begin, expected, count = Watch(worker.admin), time.monotonic(), collections.defaultdict(list), 0
    while time.monotonic() < begin + SECONDS:
        records, more = scene.one_call_history(events=100, contacts=50, partitions=2, first=count)
        scene.produce(records)
        count += len(records)
        for email, ids in more.items():
            expected[email] += ids
        wait_until("the other account's calls", lambda: worker.check_running() or worker.admin.metrics().value(
            "sendx_worker_events_total", outcome="delivered") == count)
        let_pass(0.5)  # so that there are not too many of them
    watch.stop()
    assert worker.admin.held("main") == set() and not worker.lines("partition.revoked")
    assert worker.admin.metrics().value("sendx_worker_events_pending") == len(waiting)
    worker.stop(codes=(0, 1))
    assert not worker.lines("partition.lost")
    looked_up = len(asked.read_text().splitlines())
    tell(f"{count} events of the other account delivered beside {looked_up} look-ups that hung")
    assert looked_up <= 30 + SECONDS
    scene.check_delivered(expected)
    again = scene.start_worker("again", more_accounts=[{"name": "second", "base_url": scene.sandbox.base_url()}], **settings)
    scene.wait_until_finished(again)
    again.stop()
    scene.check_delivered({**expected, **waiting})
    scene.check_no_dead_letters()
    scene.sandbox.check_no_overlap()
