"""The examples of the API's documentation, sent by hand with `sendx-worker call`."""

import pytest

from oracle import comparable
from sandbox import API_KEY
from worker import call, call_identify, call_track, run_command

pytestmark = pytest.mark.parametrize("api", ["v1", "rest"])

EMAIL = "john.doe@example.com"
A = {"email": EMAIL, "firstName": "John", "birthday": "1989-03-03", "customFields": {"Designation": "Software Engineer"},
     "tags": ["Developer"]}
B = {"email": EMAIL, "customFields": {"Age": "27"}, "tags": ["API Team"]}


@pytest.fixture
def call_config(scene, api):
    """`call` needs the account and no event, but a configuration is always a whole one."""
    scene.topics = {"events": "never-used"}
    return scene.config_file(api=api)


def only_request(scene):
    requests = scene.sandbox.requests()
    assert len(requests) == 1, requests
    return requests[0]


def test_identify_merges_b_into_a(scene, call_config, api):
    call_identify(call_config, A)
    printed = call_identify(call_config, B)
    merged = {"email": EMAIL, "firstName": "John", "birthday": "1989-03-03",
              "customFields": {"Designation": "Software Engineer", "Age": "27"}, "tags": ["Developer", "API Team"]}
    assert comparable(scene.sandbox.contact(EMAIL)) == comparable(merged)
    requests = scene.sandbox.requests()
    assert [(request["flavour"], request["kind"], request["body"]) for request in requests] == [
        (api, "identify", A), (api, "identify", B)]
    for word in ("Designation", "Software Engineer", "Age", "27", "Developer", "API Team", "John"):
        assert word in printed, f"{word!r} of the contact is not in the printed reply:\n{printed}"


def test_a_given_scalar_replaces_the_old_one(scene, call_config, api):
    call_identify(call_config, A)
    call_identify(call_config, {"email": EMAIL, "firstName": "Johnny", "lastName": "Doe", "company": "SendX"})
    contact = scene.sandbox.contact(EMAIL)
    assert (contact["firstName"], contact["lastName"], contact["company"]) == ("Johnny", "Doe", "SendX")
    assert contact["birthday"] == "1989-03-03"


def test_track_adds_blogger_and_female(scene, call_config, api):
    call_identify(call_config, A)
    before = scene.sandbox.last_seq()
    call_track(call_config, EMAIL, add=["blogger", "female"])
    request = scene.sandbox.requests(before)[0]
    body = {name: value for name, value in request["body"].items() if name != "email"}
    assert body == {"addTags": ["blogger", "female"]}
    assert ("email" in request["body"]) == (api == "rest"), "v1 has the e-mail in the query, rest in the body"
    assert scene.sandbox.contact(EMAIL)["tags"] == ["Developer", "blogger", "female"]
    assert [(t["change"], t["tag"]) for t in scene.sandbox.triggers()] == [
        ("add", "Developer"), ("add", "blogger"), ("add", "female")]


def test_an_upgrade_adds_paid_and_removes_trial(scene, call_config, api):
    call_identify(call_config, {"email": EMAIL, "tags": ["trial user"]})
    before = scene.sandbox.last_seq()
    call_track(call_config, EMAIL, add=["paid user"], remove=["trial user"])
    request = scene.sandbox.requests(before)[0]
    body = {name: value for name, value in request["body"].items() if name != "email"}
    assert body == {"addTags": ["paid user"], "removeTags": ["trial user"]}
    assert scene.sandbox.contact(EMAIL)["tags"] == ["paid user"]
    changes = [(t["change"], t["tag"]) for t in scene.sandbox.triggers()]
    assert changes[0] == ("add", "trial user")
    assert sorted(changes[1:]) == [("add", "paid user"), ("remove", "trial user")]


def test_new_email_renames_and_keeps_everything(scene, call_config, api):
    call_identify(call_config, A)
    call_identify(call_config, {"email": EMAIL, "newEmail": "john@example.org"})
    assert scene.sandbox.contact(EMAIL) is None
    assert comparable(scene.sandbox.contact("john@example.org")) == comparable({**A, "email": "john@example.org"})


@pytest.mark.parametrize("email", ["john+sendx@example.com", "jürgen&co=1@example.com", "50%25/x?y#z@example.com"])
def test_any_address_arrives_as_it_is(scene, call_config, api, email):
    call_identify(call_config, {"email": email})
    call_track(call_config, email, add=["reached"])
    assert [(request["email"], request["status"] // 100) for request in scene.sandbox.requests()] == [(email, 2), (email, 2)]
    assert scene.sandbox.contact(email)["tags"] == ["reached"]


def test_what_fails_has_an_exit_code_and_no_key_in_its_message(scene, call_config, api):
    call_track(call_config, "nobody@example.com", add=["x"], code=1)
    call(call_config, "identify", '{"email": ', code=2)
    call(call_config, "paint", "it", code=2)
    for env, what in (({"SENDX_API_KEY": "wrong-key-5551"}, "401"), ({}, "500")):
        scene.sandbox.fault(status=500) if what == "500" else None
        done = run_command("call", "-c", call_config, "identify", '{"email": "john.doe@example.com"}', env=env)
        assert done.returncode == 1, done.stderr
        assert what in done.stdout + done.stderr, f"the status {what} is not named:\n{done.stdout}{done.stderr}"
        assert API_KEY not in done.stdout + done.stderr and "wrong-key-5551" not in done.stdout + done.stderr
