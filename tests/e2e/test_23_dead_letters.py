"""What fails for good: one dead letter for each such event, byte for byte, stored before its offset moves; what is
too much of it is held until somebody has looked."""

import json
import random
import signal
import string
import time

import pytest
from confluent_kafka.admin import AclOperation

from dead_letters import check_letters
from harness import wait_until
from scene import one_call_event
from worker import ANY_PORT

SECRET_REPLY = '{"status":"error","message":"user7@example.com may not with key-8f3c1b7a9e5d2460"}'
NOW_MS = int(time.time() * 1000)


def places_of(records):
    """{(partition, offset): record} of records produced into an empty topic."""
    places, ends = {}, {}
    for record in records:
        offset = ends.get(record[0], 0)
        places[record[0], offset] = record
        ends[record[0]] = offset + 1
    return places


def email_of(record):
    return json.loads(record[2])["email"]


def test_poison_becomes_dead_letters_and_nothing_else_does(scene):
    """0.5 % of 4,000 events: of eight contacts the first call is refused and the others go on, of two all are."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=4000, contacts=1600, partitions=4)
    oddities = [(b"\xff\x00k", [("a", b"1"), ("a", None), ("\u00fc", b"\xff\x00"), ("sx-topic", b"mine"), ("", b"")]),
                (None, [("b", b"")]), (b"", [])]
    records = [(p, *((key, value, NOW_MS - n, [("n", b"%d" % n)]) if n % 3 else
                     (oddities[n // 3 % 3][0], b" " + value + b"\t\n", NOW_MS - n, oddities[n // 3 % 3][1])))
               for n, (p, key, value) in enumerate(records)]
    scene.produce(records)
    first_only = [f"user{n}@example.com" for n in (0, 7, 300, 601, 802, 1003, 1204, 1599)]
    always = [f"user{n}@example.com" for n in (1, 998)]
    statuses = (400, 409, 422, 501, 505, 410, 413, 418)
    for email, status in zip(first_only, statuses):
        scene.sandbox.fault(email=email, status=status, count=1, body=SECRET_REPLY)
    for email in always:
        scene.sandbox.fault(email=email, status=422, body=SECRET_REPLY)
    poison, delivered, seen = {}, {email: list(ids) for email, ids in expected.items()}, set()
    for place, record in places_of(records).items():
        email = email_of(record)
        if email in always or (email in first_only and email not in seen):
            poison[place] = record
            delivered[email].remove(json.loads(record[2])["id"])
        seen.add(email)
    worker = scene.start_worker(admin=ANY_PORT)
    scene.wait_until_finished(worker)
    assert worker.admin.metrics().value("sendx_worker_events_total", outcome="dead_lettered") == len(poison)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, poison, scene.topic())
    scene.check_delivered({email: ids for email, ids in delivered.items() if ids})
    for letter in letters:
        status = 422 if email_of((0, 0, letter.value)) in always else statuses[first_only.index(email_of((0, 0, letter.value)))]
        assert letter.sx["class"] == "permanent" and letter.sx["rule"] == "one call" and letter.sx["status"] == str(status)
        assert letter.sx["attempts"] == "1" and str(status) in letter.sx["reason"]
        assert letter.sx["first-try"] and letter.sx["first-try"] <= letter.sx["last-try"]
        [call] = letter.calls
        assert (call["call"], call["rule"], call["class"], call["status"]) == ("identify", "one call", "permanent", status)
    for email in always:  # a contact's letters stand in one partition, in their order
        of_contact = [letter for letter in letters if email_of((0, 0, letter.value)) == email]
        assert len({letter.partition for letter in of_contact}) == 1
        assert [letter.place for letter in of_contact] == sorted(letter.place for letter in of_contact)
    log = worker.log_text()
    assert "user7@example.com" not in log and "key-8f3c1b7a9e5d2460" not in log


SEVERAL_CALLS = """
email = "${email}";
rules: (
  { name = "first";  topics = [ "@TOPIC@" ]; identify: { firstName = "${id}"; }; track: { addTags = [ "seen ${id}" ]; }; },
  { name = "second"; topics = [ "@TOPIC@" ]; email = "${other}"; identify: { firstName = "${id}"; }; }
);
"""


def test_one_letter_names_all_calls_that_failed(scene):
    """Two contacts and three calls in an event; one letter, and the calls that succeeded are not in it."""
    scene.create_topics(events=1)
    records = [(0, None, json.dumps({"email": "a@example.com", "other": f"b{n}@example.com", "id": f"e{n}"}).encode())
               for n in range(3)]
    scene.produce(records)
    scene.sandbox.fault(path="track", email="a@example.com", status=422, count=1)
    scene.sandbox.fault(email="b0@example.com", status=400)
    scene.sandbox.fault(email="b2@example.com", status=500, count=2)
    worker = scene.start_worker(rules=SEVERAL_CALLS.replace("@TOPIC@", scene.topic()))
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, {(0, 0): records[0]}, scene.topic())
    calls = {call["index"]: (call["rule"], call["call"], call["status"]) for call in letters[0].calls}
    assert calls == {1: ("first", "track", 422), 2: ("second", "identify", 400)} and len(letters[0].calls) == 2
    # Which of two contacts is refused first is a matter of chance; the letter's own headers are of that one.
    first = letters[0].calls[0]
    assert (letters[0].sx["rule"], letters[0].sx["status"]) == (first["rule"], str(first["status"]))
    assert [(request["kind"], request["email"]) for request in scene.sandbox.applied() if request["email"] == "a@example.com"] == [
        ("identify", "a@example.com")] + [("identify", "a@example.com"), ("track", "a@example.com")] * 2
    assert {request["email"] for request in scene.sandbox.applied()} == {"a@example.com", "b1@example.com", "b2@example.com"}


MAPPING = """
email = "${user.email}";
rules: ( { name = "registration"; topics = [ "@TOPIC@" ];
           identify: { birthday = "${birthday}"; firstName = "${id}"; customFields: { Points = "${points}"; };
                       tags = [ "${tags}" ]; }; },
         { name = "each"; topics = [ "@TOPIC@" ]; for_each = "many"; track: { addTags = [ "n ${item}" ]; }; } );
"""


def test_what_cannot_be_mapped_becomes_dead_letters_and_the_partition_goes_on(scene):
    scene.create_topics(events=2)
    good = b'{"user":{"email":"good@example.com"},"id":"good"}'
    bad = {b"nonsense": "JSON", b"": "", b'{"user":{"email":"a@example.com"},"id":"\xff"}': "JSON",
           b'{"user":{"email":"who@at@example.com"}}': "email", b'{"user":{}}': "email",
           b'{"user":{"email":"a@example.com"},"birthday":"2001-02-30"}': "identify.birthday",
           b'{"user":{"email":"a@example.com"},"points":"++5"}': "identify.customFields.Points",
           b'{"user":{"email":"a@example.com"},"tags":[{"a":1}]}': "identify.tags[0]",
           b'{"user":{"email":"a@example.com"},"many":7}': "for_each",
           b'{"user":{"email":"a@example.com"},"many":%s}' % json.dumps(list(range(1001))).encode(): "1,?000"}
    records = [record for n, value in enumerate(bad)
               for record in ((n % 2, b"k%d" % n, value, NOW_MS - n, [("h", b"%d" % n)]), (n % 2, b"g", good, NOW_MS, None))]
    scene.produce(records)
    worker = scene.start_worker(rules=MAPPING.replace("@TOPIC@", scene.topic()))
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, {place: record for place, record in places_of(records).items() if record[2] != good}, scene.topic())
    for letter in letters:
        assert letter.sx["class"] == "mapping" and "status" not in letter.sx, letter
        wanted = bad[letter.value]
        assert wanted in letter.sx["reason"] or (wanted == "1,?000" and "000" in letter.sx["reason"]), letter
    assert {request["email"] for request in scene.sandbox.requests()} == {"good@example.com"}
    assert len(scene.sandbox.requests()) == len(bad)


def test_a_thousand_calls_of_one_event_are_sent(scene):
    scene.create_topics(events=1)
    event = {"user": {"email": "many@example.com"}, "id": "x", "many": list(range(999))}
    scene.produce([(0, None, json.dumps(event).encode())])
    worker = scene.start_worker(rules=MAPPING.replace("@TOPIC@", scene.topic()))
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_no_dead_letters()
    assert scene.sandbox.contact("many@example.com")["tags"] == [f"n {n}" for n in range(999)]


@pytest.mark.parametrize("status", [403, 404])
def test_a_contact_that_is_refused_while_others_succeed_is_given_up_at_the_third(scene, status):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=300, contacts=60, partitions=2)
    scene.produce(records)
    victim = "user4@example.com"
    scene.sandbox.fault(email=victim, status=status)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, {place: record for place, record in places_of(records).items() if email_of(record) == victim},
                  scene.topic())
    assert {letter.sx["attempts"] for letter in letters} == {"3"} and {letter.sx["status"] for letter in letters} == {str(status)}
    tries = [request["body"]["firstName"] for request in scene.sandbox.requests() if request["email"] == victim]
    assert tries == [event_id for event_id in expected[victim] for _ in range(3)]
    scene.check_delivered({email: ids for email, ids in expected.items() if email != victim})


@pytest.mark.parametrize("status, group", [(500, "transient"), (302, "configuration")])
def test_a_call_that_keeps_failing_while_others_succeed_is_given_up_after_retry_for(scene, status, group):
    scene.create_topics(events=1)
    victim = "user3@example.com"
    scene.sandbox.fault(email=victim, status=status)
    worker = scene.start_worker(delivery={"retry_for": "300ms", "retry_max": "50ms"})
    records, expected = scene.one_call_history(events=40, contacts=20, partitions=1)
    scene.produce(records)

    def given_up():
        """Events of the others keep coming, else nobody could tell it from an outage."""
        worker.check_running()
        count = sum(map(len, expected.values()))
        more, more_expected = scene.one_call_history(events=3, contacts=3, partitions=1, first=20 * count)
        scene.produce(more)
        for email, ids in more_expected.items():
            expected[email] += ids
        return len(scene.dead_letters()) >= 2
    wait_until("both letters", given_up, show=worker.log_text)
    scene.wait_until_finished(worker)
    worker.stop()
    letters = scene.dead_letters()
    check_letters(letters, {(0, 3): records[3], (0, 23): records[23]}, scene.topic())
    assert all(int(letter.sx["attempts"]) >= 3 and letter.sx["class"] == group for letter in letters), letters[0]
    assert victim not in scene.delivered()


# --- the topic ---------------------------------------------------------------------------------------

# librdkafka believes a topic to be gone, or to come, for half a minute unless told otherwise.
QUICK = {"topic_metadata_propagation_max_ms": 500, "topic_metadata_refresh_interval_ms": 1000,
         "topic_metadata_refresh_fast_interval_ms": 100}

def poisoned(scene, contacts=100):
    """200 events whose contact user3 is refused: (records, what is delivered, the letters to come)."""
    records, expected = scene.one_call_history(events=200, contacts=contacts, partitions=2)
    scene.sandbox.fault(email="user3@example.com", status=422)
    scene.produce(records)
    victims = expected.pop("user3@example.com")
    assert len(victims) <= 20
    return expected, {place: record for place, record in places_of(records).items() if email_of(record) == "user3@example.com"}


def wait_held_for_the_topic(scene, worker, expected):
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_unavailable" in worker.admin.letters_held(),
               show=worker.log_text)
    wait_until("the others' calls", lambda: worker.check_running() or scene.delivered() == expected, show=worker.log_text)
    # user3's first event has offset 1 in partition 1
    wait_until("the offset of the held event", lambda: scene.committed().get(1) == 1, show=scene.committed)
    assert [line for line in worker.lines() if line["level"] in ("warning", "error") and scene.dead_letter_topic in str(line)], \
        "the log does not name the topic"


def test_a_missing_topic_is_said_at_start_and_held_for(scene):
    """The topic is made while the worker waits; then everything goes on."""
    scene.create_topics(events=2)
    scene.kafka.delete_topic(scene.dead_letter_topic)
    expected, letters = poisoned(scene)
    worker = scene.start_worker(admin=ANY_PORT, kafka=QUICK)
    wait_held_for_the_topic(scene, worker, expected)
    scene.kafka.create_topics({scene.dead_letter_topic: 2})
    scene.wait_until_finished(worker)
    assert worker.admin.letters_held() == set()
    worker.stop()
    check_letters(scene.dead_letters(), letters, scene.topic())
    scene.check_delivered(expected)


@pytest.mark.parametrize("operation", [AclOperation.WRITE, AclOperation.DESCRIBE])
def test_a_topic_that_may_not_be_written_to_is_said_at_start_and_held_for(scene, operation):
    scene.create_topics(events=2)
    scene.kafka.deny(operation, scene.dead_letter_topic)
    expected, letters = poisoned(scene)
    worker = scene.start_worker(admin=ANY_PORT, kafka=QUICK)
    wait_held_for_the_topic(scene, worker, expected)
    assert f'topic \\"{scene.dead_letter_topic}\\" may not be written to' in worker.log_text()
    scene.kafka.allow_again(scene.dead_letter_topic)
    scene.wait_until_finished(worker)
    assert worker.admin.letters_held() == set()
    worker.stop()
    check_letters(scene.dead_letters(), letters, scene.topic())
    scene.check_delivered(expected)


def test_a_topic_that_goes_away_is_waited_for(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker(admin=ANY_PORT, kafka=QUICK)
    worker.wait_assigned(scene.partitions)
    scene.kafka.delete_topic(scene.dead_letter_topic)
    expected, letters = poisoned(scene)
    wait_held_for_the_topic(scene, worker, expected)
    scene.kafka.create_topics({scene.dead_letter_topic: 2})
    scene.wait_until_finished(worker)
    worker.stop()
    check_letters(scene.dead_letters(), letters, scene.topic())
    scene.check_delivered(expected)


def test_a_stop_while_letters_are_held_commits_nothing_past_them(scene):
    scene.create_topics(events=2)
    scene.kafka.delete_topic(scene.dead_letter_topic)
    expected, letters = poisoned(scene)
    worker = scene.start_worker(admin=ANY_PORT, delivery={"drain_timeout": "1s"})
    wait_held_for_the_topic(scene, worker, expected)
    worker.stop(codes=(0, 1))
    assert scene.committed()[1] == 1
    scene.kafka.create_topics({scene.dead_letter_topic: 2})
    again = scene.start_worker("again")
    scene.wait_until_finished(again)
    again.stop()
    check_letters(scene.dead_letters(), letters, scene.topic())


def test_a_record_at_the_brokers_limit_becomes_a_dead_letter(scene):
    """It has the most bytes that its own topic takes, so with the letter's headers it is larger than that."""
    scene.create_topics(events=1)
    limit = 8388608
    frame = json.dumps({"email": "big@example.com", "id": "x", "new_email": None, "filler": ""}).encode()
    value = frame[:-2] + b"x" * (limit - len(frame) - 100) + frame[-2:]
    records = [(0, b"k", value), (0, b"k", one_call_event("small@example.com", "e1"))]
    scene.produce(records)
    scene.sandbox.fault(email="big@example.com", status=422)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    check_letters(scene.dead_letters(), {(0, 0): records[0]}, scene.topic())
    scene.check_delivered({"small@example.com": ["e1"]})


def test_a_letter_that_the_topic_refuses_for_its_size_is_held(scene):
    scene.create_topics(events=1)
    scene.kafka.delete_topic(scene.dead_letter_topic)
    scene.kafka.create_topics({scene.dead_letter_topic: 1}, max_message_bytes=20000)
    noise = bytes(random.Random(1).choices(string.ascii_letters.encode(), k=60000))  # hard to compress
    value = b'{"email": "big@example.com", "id": "x", "filler": "' + noise + b'"}'
    scene.produce([(0, b"k", one_call_event("one@example.com", "e0")), (0, b"k", value),
                   (0, b"k", one_call_event("two@example.com", "e2")), (0, b"k", one_call_event("small@example.com", "e3"))])
    for poison in ("big@example.com", "small@example.com"):
        scene.sandbox.fault(email=poison, status=422)
    worker = scene.start_worker(admin=ANY_PORT)
    wait_until("the letter that fits", lambda: [letter.place[2] for letter in scene.dead_letters()] == [3], show=worker.log_text)
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_too_large" in worker.log_text(), show=worker.log_text)
    wait_until("the others' calls", lambda: scene.delivered() == {"one@example.com": ["e0"], "two@example.com": ["e2"]})
    wait_until("the offset of the held event", lambda: scene.committed() == {0: 1})
    assert "dead_letter_too_large" in worker.admin.letters_held()
    worker.stop(codes=(0, 1))
    assert scene.committed() == {0: 1}


# --- the budget --------------------------------------------------------------------------------------

def test_a_wide_failure_is_held_and_sigusr1_lets_it_go(scene):
    """A bad rule makes everything 400: 20 letters, then a hold, loudly, until somebody has looked."""
    scene.create_topics(events=2)
    records, _ = scene.one_call_history(events=200, contacts=200, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(status=400)
    worker = scene.start_worker(admin=ANY_PORT)
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_budget" in worker.admin.letters_held(),
               show=worker.log_text)
    wait_until("20 letters", lambda: len(scene.dead_letters()) >= 20)
    wait_until("all others to be refused, too", lambda: worker.admin.metrics().value("sendx_worker_calls_held") == 180,
               show=worker.log_text)
    calls = scene.sandbox.last_seq()
    assert len(scene.dead_letters()) == 20
    assert [line for line in worker.lines() if line["level"] in ("warning", "error") and "budget" in str(line)], \
        "the log does not say so"
    assert sum(offset or 0 for offset in scene.committed().values()) <= 20
    assert worker.admin.get("/livez")[0] == 200
    assert calls <= 200, "what is held is not sent again"
    worker.send(signal.SIGUSR1)
    wait_until("more letters", lambda: worker.check_running() or len(scene.dead_letters()) >= 200, show=worker.log_text)
    scene.wait_until_finished(worker)
    worker.stop()
    check_letters(scene.dead_letters(), places_of(records), scene.topic())


def test_held_letters_go_when_the_rule_is_put_right(scene):
    """No letter beyond the budget exists, so a restart with the mistake repaired delivers all the others at least."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=200, contacts=200, partitions=2)
    scene.produce(records)
    fault = scene.sandbox.fault(status=400)
    worker = scene.start_worker(admin=ANY_PORT, delivery={"drain_timeout": "4s"})
    wait_until("the hold", lambda: worker.check_running() or "dead_letter_budget" in worker.admin.letters_held(),
               show=worker.log_text)
    wait_until("20 letters", lambda: len(scene.dead_letters()) >= 20)
    worker.stop(codes=(0, 1))
    letters = scene.dead_letters()
    assert len(letters) == 20
    scene.sandbox.end_faults(fault)
    repaired = scene.start_worker("repaired")
    scene.wait_until_finished(repaired)
    repaired.stop()
    assert len(scene.dead_letters()) == 20
    dead = {json.loads(letter.value)["email"] for letter in letters}
    assert len(dead) == 20
    # A letter above the first held event is read again after the restart, and delivered now.
    again = dead & scene.delivered().keys()
    scene.check_delivered({email: ids for email, ids in expected.items() if email not in dead - again})


def test_successes_earn_more_letters(scene):
    """30 of 1,000 is within 5 %, though above 20."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=1000, contacts=1000, partitions=2)
    scene.produce(records[:970])
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    for n in range(970, 1000):
        scene.sandbox.fault(email=f"user{n}@example.com", status=422)
    scene.produce(records[970:])
    scene.wait_until_finished(worker)
    worker.stop()
    assert len(scene.dead_letters()) == 30


def test_mapping_failures_draw_on_the_budget(scene):
    """A partition is not read past an event that is held, so each signal lets one go."""
    scene.create_topics(events=1)
    scene.produce([(0, b"k%d" % n, b"nonsense") for n in range(22)])
    worker = scene.start_worker(admin=ANY_PORT)
    for letters in (20, 21):
        wait_until("the hold", lambda: worker.check_running() or "dead_letter_budget" in worker.admin.letters_held(),
                   show=worker.log_text)
        wait_until(f"{letters} letters", lambda: len(scene.dead_letters()) == letters and scene.committed() == {0: letters},
                   show=lambda: f"{len(scene.dead_letters())} {scene.committed()}")
        worker.send(signal.SIGUSR1)
    scene.wait_until_finished(worker)
    worker.stop()
    assert len(scene.dead_letters()) == 22
