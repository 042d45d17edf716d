"""The main job at size: 20,000 events of 3,000 contacts over two topics of 8 partitions each, compared
call by call and contact by contact with the oracle."""

import json

import oracle
from oracle import PLAN, REGISTERED

EVENTS, CONTACTS, PARTITIONS = 20_000, 3_000, 8
SEED = 20_260_101


def test_every_call_and_every_contact_is_what_the_oracle_says(scene):
    scene.create_topics(registered=PARTITIONS, plan=PARTITIONS)
    records, expected = oracle.history(SEED, EVENTS, CONTACTS, PARTITIONS)
    print(f"seed {SEED}, {len(expected)} calls")
    for kind in (REGISTERED, PLAN):
        scene.produce(records[kind], kind)
    rules = oracle.rules_text(scene.topic(REGISTERED), scene.topic(PLAN))
    worker = scene.start_worker(rules=rules)
    scene.wait_until_finished(worker)
    worker.stop()

    # Sequences, states, offsets.
    requests = scene.sandbox.requests()
    assert all(request["status"] == 200 and request["applied"] for request in requests), "a request was refused"
    scene.sandbox.check_no_overlap()
    oracle.check_sequences(expected, [oracle.seen_call(request) for request in requests])
    oracle.check_contacts(oracle.final_contacts(expected), scene.sandbox.contacts())
    for kind in (REGISTERED, PLAN):
        assert scene.committed(kind) == scene.kafka.ends(scene.topic(kind))

    check_restart_sends_nothing_again(scene, rules)


def check_restart_sends_nothing_again(scene, rules):
    """One new event in every partition shows that the restarted worker reads there, and reads nothing else."""
    before = scene.sandbox.last_seq()
    again = scene.start_worker("again", rules=rules)
    again.wait_assigned(scene.partitions)
    new = []
    for kind in (REGISTERED, PLAN):
        for partition in range(PARTITIONS):
            email = f"new-{kind}-{partition}@example.com"
            event = {"id": f"n{partition}", "user": {"email": email}, "to": "pro"}
            scene.produce([(partition, None, json.dumps(event).encode())], kind)
            new += oracle.calls_of(kind, event)
    scene.wait_until_finished(again)
    again.stop()
    seen = [oracle.seen_call(request) for request in scene.sandbox.requests(before)]
    assert sorted(map(str, seen)) == sorted(map(str, new))
