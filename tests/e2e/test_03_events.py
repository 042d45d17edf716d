"""From an event to a contact: the shipped rules, the documentation's examples, both flavours."""

import json
import shutil

import pytest

import oracle
from harness import ROOT
from oracle import PLAN, REGISTERED, comparable

SHIPPED_TOPICS = {"user.registered": 1, "plan.changed": 1}


def test_the_shipped_rules_make_a_contact_and_move_it_to_paid(scene):
    """conf/rules.conf is included as a user would; its topics have their real names."""
    shutil.copy(ROOT / "conf" / "rules.conf", scene.folder / "rules.conf")
    scene.kafka.create_topics(SHIPPED_TOPICS)
    scene.topics = {"registered": "user.registered", "plan": "plan.changed"}
    registered = {"plan": "trial", "user": {
        "email": " Ada.Lovelace@Example.com", "first_name": "Ada", "birthday": "1985-12-10T08:00:00Z", "company": {"name": "Engines"},
        "signup": {"source": "newsletter"}, "beta": True, "interests": ["poetry", "mathematics"]}}
    scene.produce([(0, None, json.dumps(registered).encode())], "registered")
    worker = scene.start_worker(rules='@include "rules.conf"')
    scene.wait_until_finished(worker)
    plans = [{"user": {"email": "ada.lovelace@example.com"}, "from": before, "to": after}
             for before, after in ((None, "trial"), ("trial", "pro"), ("pro", "enterprise"), ("pro", "pro"), ("pro", "free"))]
    scene.produce([(0, None, json.dumps(plan).encode()) for plan in plans], "plan")
    scene.wait_until_finished(worker)
    worker.stop()
    assert [request["body"] for request in scene.sandbox.requests()] == [
        {"email": "ada.lovelace@example.com", "firstName": "Ada", "birthday": "1985-12-10", "company": "Engines",
         "customFields": {"Plan": "trial", "Signup source": "newsletter"},
         "tags": ["registered", "source: newsletter", "beta", "likes poetry", "likes mathematics"]},
        {"addTags": ["trial user"]},
        {"addTags": ["paid user"], "removeTags": ["trial user"]},
        {"addTags": ["paid user"]}]
    assert "trial user" not in scene.sandbox.contact("ada.lovelace@example.com")["tags"]
    assert [(t["change"], t["tag"]) for t in scene.sandbox.triggers()][5:] in (
        [("add", "trial user"), ("add", "paid user"), ("remove", "trial user")],
        [("add", "trial user"), ("remove", "trial user"), ("add", "paid user")])


DOCUMENTED = """
email = "${email}";
rules: (
  { name = "identify"; topics = [ "@TOPIC@" ]; when = "kind == 'identify'";
    identify: { newEmail = "${newEmail}"; firstName = "${firstName}"; birthday = "${birthday}";
                customFields: { Designation = "${designation}"; Age = "${age}"; };
                tags = [ "${tags}" ]; }; },
  { name = "track"; topics = [ "@TOPIC@" ]; when = "kind == 'track'";
    track: { addTags = [ "${add}" ]; removeTags = [ "${remove}" ]; }; }
);
"""


@pytest.mark.parametrize("api", ["v1", "rest"])
def test_the_documented_examples_become_calls(scene, api):
    scene.create_topics(events=1)
    events = [
        {"kind": "identify", "email": "a@example.com", "firstName": "John", "birthday": "1989-03-03",
         "designation": "Software Engineer", "tags": ["Developer"]},
        {"kind": "identify", "email": "a@example.com", "age": 27, "tags": ["API Team"]},
        {"kind": "track", "email": "a@example.com", "add": ["blogger", "female"]},
        {"kind": "track", "email": "a@example.com", "add": ["trial user"]},
        {"kind": "track", "email": "a@example.com", "add": ["paid user"], "remove": ["trial user"]},
        {"kind": "identify", "email": "a@example.com", "newEmail": "b@example.com"},
        {"kind": "track", "email": "b@example.com", "add": ["renamed"]}]
    scene.produce([(0, b"a", json.dumps(event).encode()) for event in events])
    worker = scene.start_worker(api=api, rules=DOCUMENTED.replace("@TOPIC@", scene.topic()))
    scene.wait_until_finished(worker)
    worker.stop()
    assert [str(oracle.seen_call(request)) for request in scene.sandbox.applied()] == [
        str(oracle.make_call(kind, email, body)) for kind, email, body in [
            ("identify", "a@example.com", {"email": "a@example.com", "firstName": "John", "birthday": "1989-03-03",
                                           "customFields": {"Designation": "Software Engineer"}, "tags": ["Developer"]}),
            ("identify", "a@example.com", {"email": "a@example.com", "customFields": {"Age": "27"}, "tags": ["API Team"]}),
            ("track", "a@example.com", {"addTags": ["blogger", "female"]}),
            ("track", "a@example.com", {"addTags": ["trial user"]}),
            ("track", "a@example.com", {"addTags": ["paid user"], "removeTags": ["trial user"]}),
            ("identify", "a@example.com", {"email": "a@example.com", "newEmail": "b@example.com"}),
            ("track", "b@example.com", {"addTags": ["renamed"]})]]
    assert {request["flavour"] for request in scene.sandbox.requests()} == {api}
    assert scene.sandbox.contact("a@example.com") is None
    assert comparable(scene.sandbox.contact("b@example.com")) == comparable(
        {"email": "b@example.com", "firstName": "John", "birthday": "1989-03-03",
         "customFields": {"Designation": "Software Engineer", "Age": "27"},
         "tags": ["Developer", "API Team", "blogger", "female", "paid user", "renamed"]})


@pytest.mark.parametrize("api", ["v1", "rest"])
def test_both_flavours_carry_a_varied_history(scene, api):
    scene.create_topics(registered=2, plan=2)
    records, expected = oracle.history(seed=20, events=600, contacts=60, partitions=2)
    for kind in (REGISTERED, PLAN):
        scene.produce(records[kind], kind)
    worker = scene.start_worker(api=api, rules=oracle.rules_text(scene.topic("registered"), scene.topic("plan")))
    scene.wait_until_finished(worker)
    worker.stop()
    assert {request["flavour"] for request in scene.sandbox.requests()} == {api}
    oracle.check_sequences(expected, [oracle.seen_call(request) for request in scene.sandbox.applied()])
    oracle.check_contacts(oracle.final_contacts(expected), scene.sandbox.contacts())
