"""An API that fails for a while, or for one contact: nothing is lost, order is kept, others go on."""

import collections

import pytest

import oracle
from harness import free_port, wait_until
from oracle import PLAN, REGISTERED
from relay import Relay


def check_repeats_until_applied(requests):
    """Per contact, a failed request is followed by itself until it is applied, before anything else."""
    waiting = {}
    for request in requests:
        call = oracle.seen_call(request)
        failed = waiting.get(call.email)
        assert failed in (None, call), f"after the failed\n  {failed}\ncame\n  {call}"
        waiting[call.email] = None if request["applied"] else call
    assert not any(waiting.values()), f"given up: {[call for call in waiting.values() if call][:3]}"


@pytest.mark.parametrize("faults", [
    [{"share": 0.05, "status": 500, "seed": 5}],
    [{"share": 0.05, "action": "reset", "seed": 6}],
    [{"share": 0.04, "status": 503, "seed": 7}, {"share": 0.04, "status": 408, "seed": 8},
     {"share": 0.03, "action": "reset", "seed": 9}, {"share": 0.2, "action": "delay", "delay_ms": 15, "seed": 10}],
], ids=["500", "reset", "mixed"])
def test_transient_failures_lose_nothing_and_keep_order(scene, faults):
    scene.create_topics(registered=4, plan=4)
    records, expected = oracle.history(seed=30, events=1500, contacts=150, partitions=4)
    for kind in (REGISTERED, PLAN):
        scene.produce(records[kind], kind)
    fault_ids = [scene.sandbox.fault(**fault) for fault in faults]
    worker = scene.start_worker(rules=oracle.rules_text(scene.topic("registered"), scene.topic("plan")))
    scene.wait_until_finished(worker)
    worker.stop()
    assert all(scene.sandbox.fault_hits(fault_id) > 10 for fault_id in fault_ids), "the faults did not strike"
    scene.sandbox.check_no_overlap()
    check_repeats_until_applied(scene.sandbox.requests())
    oracle.check_sequences(expected, [oracle.seen_call(request) for request in scene.sandbox.applied()])
    oracle.check_contacts(oracle.final_contacts(expected), scene.sandbox.contacts())


def test_a_reply_lost_is_sent_again_and_still_in_order(scene):
    """The call was carried out and nobody said so: it is repeated, which is all that at-least-once allows."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=400, contacts=40, partitions=2)
    scene.produce(records)
    lost = scene.sandbox.fault(action="lost_reply", share=0.1, seed=11)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    assert scene.sandbox.fault_hits(lost) > 10
    repeats_removed = {email: [one for n, one in enumerate(ids) if n == 0 or ids[n - 1] != one]
                       for email, ids in scene.delivered().items()}
    assert repeats_removed == expected


def test_a_refused_call_holds_only_its_contact(scene):
    """Without dead letters. One partition, so that a contact's hold and a partition's differ; offset 4 is the victim's first event."""
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=60, contacts=6, partitions=1)
    victim = "user4@example.com"
    scene.produce(records)
    scene.sandbox.fault(email=victim, status=400, body='{"status":"error","message":"no"}')
    worker = scene.start_worker(dead_letter={"topic": ""})
    others = {email: ids for email, ids in expected.items() if email != victim}
    wait_until("the others' calls", lambda: worker.check_running() or scene.delivered() == others,
               show=lambda: scene.delivered())
    wait_until("the offset of the held event", lambda: scene.committed() == {0: 4}, show=lambda: scene.committed())
    held = [line for line in worker.lines() if line.get("event") in ("call.held", "event.held")]
    assert held and held[0]["level"] in ("warn", "warning", "error"), "the hold is not in the log"
    assert "400" in str(held[0]), f"the log does not say why: {held[0]}"
    assert victim not in worker.log_text()

    # More events of the others still go through.
    more, more_expected = scene.one_call_history(events=60, contacts=6, partitions=1, first=60)
    scene.produce(more)
    everything = {email: ids + more_expected[email] for email, ids in others.items()}
    wait_until("the others' next calls", lambda: worker.check_running() or scene.delivered() == everything,
               show=lambda: scene.delivered())
    assert scene.committed() == {0: 4}
    assert {request["body"]["firstName"] for request in scene.sandbox.requests() if request["email"] == victim} == {"e4"}
    worker.stop()
    assert scene.committed() == {0: 4}

    # Once the API takes it, the contact's events follow in order; the others' may come a second time.
    scene.sandbox.end_faults()
    again = scene.start_worker("again")
    scene.wait_until_finished(again)
    again.stop()
    assert scene.delivered()[victim] == expected[victim] + more_expected[victim]


def test_a_worker_started_before_the_api_waits_for_it(scene):
    """First nothing listens, then every connection is reset, then the API is there."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=50, contacts=10, partitions=2)
    scene.produce(records)
    port = free_port()
    worker = scene.start_worker(base_url=f"http://127.0.0.1:{port}/api/v1")
    worker.wait_assigned(scene.partitions)
    relay = Relay(port=port)
    wait_until("attempts", lambda: worker.check_running() or relay.connections >= 2, show=worker.log_text)
    relay.close()
    assert all(offset in (None, 0) for offset in scene.committed().values())
    scene.start_sandbox(f"127.0.0.1:{port}")
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected)


def test_an_outage_in_the_middle_loses_nothing(scene):
    """The API answers 500 to everything until the worker holds; back-off does not reorder or give up."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=2000, contacts=200, partitions=4)
    scene.produce(records)
    worker = scene.start_worker()
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 100)
    outage = scene.sandbox.fault(status=500)
    wait_until("the outage to be felt", lambda: worker.check_running() or (
        worker.lines("account.held") and scene.sandbox.fault_hits(outage) >= 20))
    scene.sandbox.end_faults()
    scene.wait_until_finished(worker)
    worker.stop()
    check_repeats_until_applied(scene.sandbox.requests())
    scene.check_delivered(expected)
    assert collections.Counter(request["overlap"] for request in scene.sandbox.requests())[True] == 0
