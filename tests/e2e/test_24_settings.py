"""Settings that decide what becomes of a call or an event: on_unknown_contact, max_age."""

import json
import time

import pytest

from dead_letters import check_letters
from scene import one_call_event
from worker import ANY_PORT, run_command

TRACK = """
email = "${email}";
rules: ( { name = "tagged"; topics = [ "@TOPIC@" ]; track: { addTags = [ "${id}" ]; }; } );
"""


def track_scene(scene):
    """ten events of one contact that SendX does not have, between those of one that it has."""
    scene.create_topics(events=1)
    records = [(0, b"k", one_call_event(email, f"t{n}")) for n in range(10) for email in ("known@example.com", "new@example.com")]
    scene.produce(records)
    return records


def known(scene):
    """Puts the known contact into the sandbox by hand."""
    done = run_command("call", "-c", scene.config_file(rules=TRACK.replace("@TOPIC@", scene.topic())), "identify",
                       '{"email": "known@example.com"}')
    assert done.returncode == 0, done.stderr
    return scene.sandbox.last_seq()


@pytest.mark.parametrize("api", ["v1", "rest"])
def test_an_unknown_contact_is_created(scene, api):
    track_scene(scene)
    after = known(scene)
    worker = scene.start_worker(rules=TRACK.replace("@TOPIC@", scene.topic()), api=api)
    scene.wait_until_finished(worker)
    worker.stop()
    of_new = [(request["kind"], request["body"], request["status"]) for request in scene.sandbox.requests(after)
              if request["email"] == "new@example.com"]
    assert [kind for kind, _, _ in of_new] == ["track", "identify"] + ["track"] * 10
    assert of_new[0][2] == 404 and of_new[1][1] == {"email": "new@example.com"}
    for email in ("known@example.com", "new@example.com"):
        assert scene.sandbox.contact(email)["tags"] == [f"t{n}" for n in range(10)]
    scene.check_no_dead_letters()


def test_an_unknown_contact_becomes_a_dead_letter(scene):
    records = track_scene(scene)
    known(scene)
    worker = scene.start_worker(rules=TRACK.replace("@TOPIC@", scene.topic()), account={"on_unknown_contact": "dead_letter"})
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, {(0, n): records[n] for n in range(1, 20, 2)}, scene.topic())
    assert {(letter.sx["class"], letter.sx["status"], letter.sx["attempts"]) for letter in letters} == {("unknown_contact", "404", "1")}
    assert scene.sandbox.contacts().keys() == {"known@example.com"}


def test_an_unknown_contact_is_skipped(scene):
    track_scene(scene)
    after = known(scene)
    worker = scene.start_worker(rules=TRACK.replace("@TOPIC@", scene.topic()), account={"on_unknown_contact": "skip"},
                                admin=ANY_PORT)
    scene.wait_until_finished(worker)
    metrics = worker.admin.metrics()
    worker.stop()
    assert metrics.value("sendx_worker_calls_settled_total", result="skipped") == 10
    scene.check_no_dead_letters()
    assert scene.sandbox.contacts().keys() == {"known@example.com"}
    assert sum(request["email"] == "new@example.com" for request in scene.sandbox.requests(after)) == 10


def test_a_contact_that_stays_unknown_is_given_up(scene):
    """Created and still unknown: it does not go round for ever."""
    scene.create_topics(events=1)
    records = [(0, b"k", one_call_event("odd@example.com", "t0")), (0, b"k", one_call_event("known@example.com", "t1"))]
    scene.produce(records)
    known(scene)
    scene.sandbox.fault(path="track", email="odd@example.com", status=404)
    worker = scene.start_worker(rules=TRACK.replace("@TOPIC@", scene.topic()))
    scene.wait_until_finished(worker)
    worker.stop()
    check_letters(scene.dead_letters(), {(0, 0): records[0]}, scene.topic())
    assert sum(request["email"] == "odd@example.com" for request in scene.sandbox.requests()) <= 8


def test_max_age_drops_what_is_late_and_counts_it(scene):
    scene.create_topics(events=1)
    now = int(time.time() * 1000)
    ages_s = [7200, 3700, 3500, 60, 0, -60]
    scene.produce([(0, b"k", json.dumps({"email": f"user{n}@example.com", "id": f"e{n}"}).encode(), now - age * 1000)
                   for n, age in enumerate(ages_s)])
    worker = scene.start_worker(admin=ANY_PORT, rules=f"""
        email = "${{email}}";
        rules: ( {{ name = "in time"; topics = [ "{scene.topic()}" ]; max_age = "1h"; stop = true; identify: {{ firstName = "${{id}}"; }}; }},
                 {{ name = "late"; topics = [ "{scene.topic()}" ]; when = "id == 'e0'"; identify: {{ lastName = "late"; }}; }} );""")
    scene.wait_until_finished(worker)
    metrics = worker.admin.metrics()
    worker.stop()
    assert [request["body"] for request in sorted(scene.sandbox.requests(), key=lambda one: one["email"])] == [
        {"email": "user0@example.com", "lastName": "late"}] + [
        {"email": f"user{n}@example.com", "firstName": f"e{n}"} for n in range(2, 6)]
    assert metrics.value("sendx_worker_rules_too_old_total") == 2
    assert metrics.value("sendx_worker_events_total", outcome="no_match") == 1
