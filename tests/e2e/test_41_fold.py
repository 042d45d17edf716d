"""Folding: fewer calls, the same contacts; safely folded, with every tag change."""

import collections
import json
import random

import pytest

from worker import ANY_PORT

RULES = """
email = "${email}";
rules: (
  { name = "profile"; topics = [ "@TOPIC@" ]; when = "kind == 'profile'";
    identify: { company = "${company}"; customFields = ( ("Score", "${score}") ); tags = [ "${tags}" ]; }; },
  { name = "moves"; topics = [ "@TOPIC@" ]; when = "kind == 'moves'";
    track: { addTags = [ "${add}" ]; removeTags = [ "${remove}" ]; }; }
);
"""
CONTACTS, EVENTS, PARTITIONS, SEED = 12, 400, 2, 71
TAGS = [f"tag {n}" for n in range(6)]


def event(rng, n):
    email = f"user{n % CONTACTS}@example.com"
    if rng.random() < 0.5:
        return {"email": email, "kind": "profile", "tags": rng.sample(TAGS, rng.randrange(3)),
                **({"company": f"Company {rng.randrange(3)}"} if rng.random() < 0.4 else {}),
                **({"score": rng.randrange(3)} if rng.random() < 0.4 else {})}
    side = rng.choice(["add", "remove", "both"])
    tags = rng.sample(TAGS, 2)
    return {"email": email, "kind": "moves", "add": [] if side == "remove" else tags[:1],
            "remove": [] if side == "add" else tags[1:]}


def end_of(scene):
    """{e-mail: what the contact has}, and {e-mail: its tag changes in order}."""
    contacts = {email: (contact.get("company"), contact["customFields"], sorted(contact["tags"]))
                for email, contact in scene.sandbox.contacts().items()}
    changes = collections.defaultdict(list)
    for trigger in scene.sandbox.triggers():
        changes[trigger["email"]].append((trigger["change"], trigger["tag"]))
    return contacts, changes


def run(scene, mode, faults):
    scene.start_sandbox()
    scene.group = f"{scene.name}-{mode}"
    scene.sandbox.fault(action="delay", delay_ms=5)
    for fault in faults:
        scene.sandbox.fault(**fault)
    worker = scene.start_worker(mode, rules=RULES.replace("@TOPIC@", scene.topic()), admin=ANY_PORT,
                                account={"max_in_flight": 2}, delivery={"fold": mode})
    scene.wait_until_finished(worker)
    folded = worker.admin.metrics().value("sendx_worker_calls_folded_total")
    worker.stop()
    scene.sandbox.check_no_overlap()
    return *end_of(scene), len(scene.sandbox.applied()), folded


@pytest.mark.parametrize("faults", [[], [{"status": 500, "share": 0.1, "seed": 3}]], ids=["fine", "flaky"])
def test_folded_or_not_the_contacts_are_the_same(scene, faults):
    scene.create_topics(events=PARTITIONS)
    rng = random.Random(SEED)
    scene.produce([(n % CONTACTS % PARTITIONS, None, json.dumps(event(rng, n)).encode()) for n in range(EVENTS)])
    contacts, changes, calls, folded = run(scene, "off", faults)
    assert folded == 0 and len(contacts) == CONTACTS
    for mode in ("safe", "final"):
        its_contacts, its_changes, its_calls, its_folded = run(scene, mode, faults)
        print(f"{mode}: {its_calls} calls instead of {calls}")
        assert its_contacts == contacts, f"seed {SEED}"
        assert mode == "final" or its_changes == changes
        assert its_calls < calls * (0.9 if mode == "safe" else 0.5) and its_folded >= calls - its_calls
    scene.check_no_dead_letters()


def test_only_the_refused_call_of_a_fold_becomes_a_dead_letter(scene):
    """Of what waits for a contact one call is refused, whatever it is folded with: its name is too long."""
    scene.create_topics(events=1)
    rules = """email = "${email}"; rules: ( { name = "tag"; topics = [ "@TOPIC@" ];
                                             identify: { firstName = "${name}"; tags = [ "${tag}" ]; }; } );"""
    events = [{"email": "ada@example.com", "tag": f"tag {n}", **({"name": "x" * 1000} if n == 17 else {})} for n in range(30)]
    scene.produce([(0, None, json.dumps(one).encode()) for one in events])
    scene.sandbox.fault(action="delay", delay_ms=20)
    worker = scene.start_worker(rules=rules.replace("@TOPIC@", scene.topic()), api="rest", delivery={"fold": "safe"},
                                admin=ANY_PORT)
    scene.wait_until_finished(worker)
    assert worker.admin.metrics().value("sendx_worker_calls_settled_total", result="split") >= 1
    worker.stop()
    assert [letter.place[2] for letter in scene.dead_letters()] == [17]
    contact = scene.sandbox.contact("ada@example.com")
    assert contact["tags"] == [f"tag {n}" for n in range(30) if n != 17]
