"""Redrive: dead letters go back to the workers, each once, in order, and only the calls that failed are sent."""

import json
import random
import re
import signal
import string

import pytest

from dead_letters import check_letters
from harness import wait_until
from redrive import QUICK, Redrive
from scene import ONE_CALL, one_call_event
from terminal import Terminal
from worker import ANY_PORT, reload, run_command

BUDGET_LEAST = 20  # letters that are always allowed
TWO_RULES = """
email = "${email}";
rules: (
  { name = "identify it"; topics = [ "@TOPIC@" ]; identify: { firstName = "${id}"; }; },
  { name = "tag it";      topics = [ "@TOPIC@" ]; track: { addTags = [ "seen ${id}" ]; }; }
);
"""


def calls(requests):
    """{e-mail: [what each call said, …]} in order"""
    found = {}
    for request in requests:
        body = request["body"]
        found.setdefault(request["email"], []).append(body["firstName"] if request["kind"] == "identify" else body["addTags"][0])
    return found


def test_only_the_failed_calls_are_sent_again_and_nothing_twice(scene):
    """Of six contacts the track calls of two and the identify calls of a third are refused."""
    redrive = Redrive(scene, events=3)
    rules = TWO_RULES.replace("@TOPIC@", scene.topic())
    records, _ = scene.one_call_history(events=6, contacts=6, partitions=3)
    scene.produce(records)
    worker = redrive.start_worker(rules=rules)
    scene.wait_until_finished(worker)
    for email in ("user1@example.com", "user2@example.com"):
        scene.sandbox.fault(path="track", email=email, status=422)
    scene.sandbox.fault(path="identify", email="user3@example.com", status=409)
    records, expected = scene.one_call_history(events=24, contacts=6, partitions=3, first=6)
    scene.produce(records)
    scene.wait_until_finished(worker)
    assert len(scene.dead_letters()) == 12
    scene.sandbox.end_faults()
    before = scene.sandbox.last_seq()

    table = redrive.run("--dry-run", rules=rules)
    assert re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME                ", table) == (
        "rule         class      status  letters  first                 last\n"
        "identify it  permanent     409        4  TIME                  TIME                \n"
        "tag it       permanent     422        8  TIME                  TIME                \n"
        "\n"
        "       12  selected\n"
        "        0  already redriven\n"
        "        0  exhausted (redriven 5 times)\n"
        "        0  foreign (without headers of the worker)\n"
        "        0  not selected\n"), table
    assert redrive.records() == [] and scene.sandbox.last_seq() == before, "a dry run sends nothing"

    sent = redrive.run("--rule", "tag it", rules=rules)
    assert redrive.totals(sent) == {"selected": 8, "already redriven": 0, "exhausted": 0, "foreign": 0, "not selected": 4}
    assert f'8 of 8 letters went to "{redrive.topic}" in ' in sent
    redrive.wait_taken(worker, 8)
    assert calls(scene.sandbox.requests(before)) == {
        email: [f"seen {event}" for event in expected[email]] for email in ("user1@example.com", "user2@example.com")}

    after = scene.sandbox.last_seq()
    assert redrive.totals(redrive.run("--rule", "tag it", rules=rules))["already redriven"] == 8
    assert redrive.totals(redrive.run("--reason", "409", rules=rules)) == {
        "selected": 4, "already redriven": 0, "exhausted": 0, "foreign": 0, "not selected": 8}
    redrive.wait_taken(worker, 12)
    assert calls(scene.sandbox.requests(after)) == {"user3@example.com": expected["user3@example.com"]}
    assert redrive.totals(redrive.run(rules=rules)) == {
        "selected": 0, "already redriven": 12, "exhausted": 0, "foreign": 0, "not selected": 0}
    assert len(redrive.records()) == len(scene.dead_letters()) == 12
    worker.stop()
    scene.sandbox.check_no_overlap()


def test_filters_say_which_letters_go(scene):
    redrive = Redrive(scene, events=1)
    redrive.produce_letters([
        redrive.letter("a@example.com", "e0", 0), redrive.letter("b@example.com", "e1", 1, rule="other"),
        redrive.letter("c@example.com", "e2", 2, **{"class": "mapping", "calls": None, "status": None, "reason": 'rule "x": bad'}),
        (0, b"k", b"{}", None, [("sx-topic", b"t")]), (0, b"k", b"{}", None, None),
        redrive.letter("d@example.com", "e3", 3, redrives=5), redrive.letter("a@example.com", "e0", 0)])
    old = [(p, key, value, 1700000000000, headers) for p, key, value, _, headers in [redrive.letter("f@example.com", "e9", 9)]]
    redrive.produce_letters(old)

    def selected(*arguments):
        return redrive.totals(redrive.run("--dry-run", *arguments))["selected"]
    totals = redrive.totals(redrive.run("--dry-run"))
    assert totals == {"selected": 4, "already redriven": 0, "exhausted": 1, "foreign": 2, "not selected": 0, "repeated": 1}
    assert selected("--rule", "other") == 1 and selected("--reason", "mapping") == 1 and selected("--reason", "422: re") == 2 + 1
    assert selected("--rule", "one call", "--reason", "bad") == 1 and selected("--rule", "other", "--reason", "bad") == 0
    assert selected("--since", "24h") == 3 and selected("--until", "24h") == 1
    assert selected("--since", "2023-11-14T22:13:20Z", "--until", "2023-11-14T22:13:21Z") == 1
    assert redrive.totals(redrive.run("--dry-run", "--limit", "3")) == {
        "selected": 3, "already redriven": 0, "exhausted": 1, "foreign": 2, "not selected": 0, "repeated": 1, "left for later": 1}
    assert "The first foreign one: partition 0, offset 3: " in redrive.run("--dry-run")


def test_a_command_that_was_killed_is_repeated_without_doubling(scene):
    redrive = Redrive(scene, events=1)
    places = redrive.many_letters(4000)
    command = redrive.start("killed", "--rate", "800")
    wait_until("some of them", lambda: command.check_running() or len(redrive.records()) > 0)
    command.kill()
    assert 0 < len(redrive.records()) < len(places)
    output = redrive.run()
    assert redrive.totals(output)["already redriven"] + redrive.totals(output)["selected"] == len(places)
    redrive.check_each_once(places)


def test_in_a_terminal_a_bar_shows_how_far_it_is(scene):
    """The bar is drawn over itself; the last line of it stays, and what follows begins a line of its own."""
    redrive = Redrive(scene, events=1)
    redrive.many_letters(400)
    with Terminal("redrive", "-c", redrive.config_file("bar"), "--rate", "400") as terminal:
        wait_until("its end", lambda: terminal.read() is not None and terminal.at_end)
        assert terminal.wait() == 0
    seen = terminal.seen
    lines = seen.decode().split("\r\n")
    bars = [bar for line in lines for bar in line.split("\r") if "letters, " in bar]
    assert any(line.startswith("400 of 400 letters went to ") for line in lines), lines
    assert len(bars) >= 3, lines
    shown = [re.fullmatch(r"  \[(#*)(\.*)\] ([\d,]+) of 400 letters, \d+/s, \d+ s left\x1b\[K", bar) for bar in bars]
    assert all(shown), bars
    assert all(len(bar) - len("\x1b[K") < 100 for bar in bars), bars
    counts = [int(match[3]) for match in shown]
    assert counts == sorted(counts) and counts[-1] > counts[0], counts
    width = len(shown[0][1] + shown[0][2])
    assert all(len(match[1]) == width * int(match[3]) // 400 for match in shown), bars


def test_of_two_commands_the_later_goes_on_where_the_earlier_stood(scene):
    redrive = Redrive(scene, events=1)
    places = redrive.many_letters(3000)
    first = redrive.start("first", "--rate", "300")
    wait_until("some of them", lambda: first.check_running() or len(redrive.records()) > 0)
    redrive.run()
    assert first.wait() == 1
    assert "another redrive of this group has begun" in first.log_path.read_text()
    assert re.search(r"^[\d,]+ of 3,000 letters went to ", first.out_path.read_text(), re.MULTILINE)
    redrive.check_each_once(places)


def test_an_interrupted_command_says_how_many_went(scene):
    redrive = Redrive(scene, events=1)
    places = redrive.many_letters(3000)
    command = redrive.start("interrupted", "--rate", "300")
    wait_until("some of them", lambda: command.check_running() or len(redrive.records()) > 0)
    command.send(signal.SIGINT)
    assert command.wait() == 130
    went = re.search(r"^([\d,]+) of 3,000 letters went to ", command.out_path.read_text(), re.MULTILINE)
    assert int(went[1].replace(",", "")) == len(redrive.records())
    assert redrive.totals(redrive.run())["selected"] == 3000 - int(went[1].replace(",", ""))
    redrive.check_each_once(places)


def test_what_fails_again_is_a_letter_again_and_after_five_times_stays_one(scene):
    redrive = Redrive(scene, events=1)
    headers = [("h", b"1"), ("sx-topic", b"mine"), ("n", None)]
    record = (0, b"\xff\x00key", b" " + one_call_event("poison@example.com", "e0"), 1700000000000, headers)
    scene.produce([record])
    scene.sandbox.fault(email="poison@example.com", status=422)
    worker = redrive.start_worker()
    scene.wait_until_finished(worker)
    for times in range(1, 6):
        assert redrive.totals(redrive.run()) | {"already redriven": 0} == {
            "selected": 1, "already redriven": 0, "exhausted": 0, "foreign": 0, "not selected": 0}
        redrive.wait_taken(worker, times)
        letters = scene.dead_letters()
        assert [letter.sx.get("redrives") for letter in letters] == [None, *map(str, range(1, times + 1))]
    output = redrive.run()
    assert redrive.totals(output) == {"selected": 0, "already redriven": 5, "exhausted": 1, "foreign": 0, "not selected": 0}
    worker.stop()
    for letter in letters:
        check_letters([letter], {(0, 0): record}, scene.topic())
        assert letter.calls[0]["rule"] == "one call" and len(letter.sx["rules-hash"]) == 16
    for again in redrive.records():
        check_letters([again], {(0, 0): record}, scene.topic())
    assert [again.sx["redrives"] for again in redrive.records()] == list("12345")


def test_a_letter_that_failed_again_goes_before_the_younger_ones(scene):
    """The oldest event of a contact is redriven alone, fails, and is stored behind the others."""
    redrive = Redrive(scene, events=1)
    scene.produce([(0, b"k", one_call_event("late@example.com", f"e{n}")) for n in range(4)])
    fault = scene.sandbox.fault(email="late@example.com", status=422)
    worker = redrive.start_worker()
    scene.wait_until_finished(worker)
    redrive.run("--limit", "1")
    redrive.wait_taken(worker, 1)
    assert [letter.place[2] for letter in scene.dead_letters()] == [0, 1, 2, 3, 0]
    scene.sandbox.end_faults(fault)
    before = scene.sandbox.last_seq()
    assert redrive.totals(redrive.run())["selected"] == 4
    redrive.wait_taken(worker, 5)
    worker.stop()
    assert scene.delivered(before) == {"late@example.com": ["e0", "e1", "e2", "e3"]}


MAPPING = """
email = "${email}";
rules: ( { name = "born"; topics = [ "@TOPIC@" ]; identify: { birthday = "${birthday@MEND@}"; firstName = "${@headers.who}"; }; } );
"""


def test_what_could_not_be_mapped_is_sent_by_the_mended_rule(scene):
    """The rule sees the event as it was: topic, partition, offset, headers."""
    redrive = Redrive(scene, events=2)
    value = json.dumps({"email": "born@example.com", "birthday": "2001-05-17T10:00:00Z"}).encode()
    scene.produce([(1, b"k", value, 1700000000000, [("who", b"Ada")])])
    rules = MAPPING.replace("@TOPIC@", scene.topic())
    worker = redrive.start_worker(rules=rules.replace("@MEND@", ""))
    scene.wait_until_finished(worker)
    worker.stop()
    [letter] = scene.dead_letters()
    assert letter.sx["class"] == "mapping" and letter.sx["rule"] == "born"
    mended = rules.replace("@MEND@", " | date('%Y-%m-%d')")
    assert "born" in redrive.run("--dry-run", "--rule", "born", rules=mended)
    redrive.run("--rule", "born", rules=mended)
    worker = redrive.start_worker("mended", rules=mended)
    redrive.wait_taken(worker, 1)
    worker.stop()
    assert {key: scene.sandbox.contact("born@example.com")[key] for key in ("birthday", "firstName")} == {
        "birthday": "2001-05-17", "firstName": "Ada"}
    assert redrive.totals(redrive.run(rules=mended))["already redriven"] == 1


FOR_EACH = """
rules: ( { name = "each"; topics = [ "@TOPIC@" ]; for_each = "people"; email = "${item@EMAIL@}"; identify: { firstName = "${id}"; }; } );
"""


def test_a_call_is_known_by_its_element_and_one_that_no_rule_makes_is_told(scene):
    redrive = Redrive(scene, events=1)
    people = [f"p{n}@example.com" for n in range(4)]
    scene.produce([(0, b"k", json.dumps({"people": people, "id": "e0"}).encode())])
    for n in (1, 3):
        scene.sandbox.fault(email=people[n], status=422)
    rules = FOR_EACH.replace("@TOPIC@", scene.topic())
    worker = redrive.start_worker(rules=rules.replace("@EMAIL@", ""))
    scene.wait_until_finished(worker)
    worker.stop()
    assert sorted(call["nth"] for call in scene.dead_letters()[0].calls) == [1, 3]
    scene.sandbox.end_faults()
    before = scene.sandbox.last_seq()
    redrive.run(rules=rules.replace("@EMAIL@", ""))
    # The rule leaves the last one out by now.
    worker = redrive.start_worker("changed", rules=rules.replace("@EMAIL@", " == 'p3@example.com' ? null : item")
                                  .replace("for_each", "without_email = \"skip\"; for_each"))
    redrive.wait_taken(worker, 1)
    assert calls(scene.sandbox.requests(before)) == {people[1]: ["e0"]}
    assert worker.admin.metrics().value("sendx_worker_redriven_calls_gone_total") == 1
    worker.stop()
    assert worker.lines("redrive.calls_gone", calls=1)


def test_letters_go_no_faster_than_asked_for(scene):
    redrive = Redrive(scene, events=1)
    redrive.many_letters(150)
    output = redrive.run("--rate", "100")
    assert float(re.search(r"150 of 150 letters went to .* in ([\d.]+) s", output)[1]) >= 1.4
    assert re.search(r"^\d+ of 150 letters, \d+/s, \d+ s left$", output, re.MULTILINE), output


# --- topics ------------------------------------------------------------------------------------------

def test_an_expression_reads_neither_letters_nor_redriven_events_as_ordinary_ones(scene):
    """It matches all three topics of the test; with redrive switched off two of them are left alone."""
    redrive = Redrive(scene, events=2)
    rules = TWO_RULES.replace("@TOPIC@", "^" + scene.name)
    records, expected = scene.one_call_history(events=12, contacts=4, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(path="track", email="user1@example.com", status=422, count=3)
    worker = redrive.start_worker(rules=rules)
    scene.wait_until_finished(worker)
    redrive.run(rules=rules)
    redrive.wait_taken(worker, 3)
    assert worker.admin.metrics().value("sendx_worker_events_consumed_total") == 12 + 3
    assert {line["topic"] for line in worker.lines("partition.assigned")} == {scene.topic(), redrive.topic}
    worker.stop()
    for email, events in expected.items():
        tags = [request["body"]["addTags"][0] for request in scene.sandbox.applied()
                if request["kind"] == "track" and request["email"] == email]
        assert tags == [f"seen {event}" for event in events]
    alone = scene.start_worker("alone", rules=rules, dead_letter={"topic": "", "redrive_topic": redrive.topic},
                               kafka={"group_id": f"{scene.group}-alone"})
    alone.wait_assigned(scene.partitions)
    alone.stop()
    assert not [line for line in alone.lines("partition.assigned") if line["topic"] == redrive.topic]


def test_a_redrive_topic_that_is_made_later_is_found(scene):
    redrive = Redrive(scene, create=False, events=1)
    scene.produce([(0, b"k", one_call_event("late@example.com", "e0"))])
    scene.sandbox.fault(email="late@example.com", status=422, count=1)
    worker = redrive.start_worker(kafka={**QUICK, "start": "latest"}, log={"level": "info"})
    worker.wait_for("kafka.topic_missing", topic=redrive.topic)
    worker.wait_assigned(scene.partitions)
    scene.produce([(0, b"k", one_call_event("late@example.com", "e1"))])
    scene.wait_until_finished(worker)
    assert not [line for line in worker.lines() if line["level"] in ("warning", "error") and redrive.topic in str(line)]
    assert len(worker.lines("kafka.topic_missing")) == 1
    said = redrive.run(code=1)
    assert f'topic "{redrive.topic}" (dead_letter.redrive_topic) does not exist: create it' in said
    assert f"--create --topic {redrive.topic} --partitions 2" in said
    assert redrive.totals(redrive.run("--dry-run"))["selected"] == 1
    # What is sent before any worker has seen the topic is read all the same, wherever groups begin.
    redrive.create_topic()
    redrive.run()
    redrive.wait_taken(worker, 1)
    worker.stop()
    assert scene.delivered() == {"late@example.com": ["e1"]}


def test_what_is_no_letter_in_the_redrive_topic_becomes_one(scene):
    redrive = Redrive(scene, events=1)
    damaged = [(0, b"k0", b"{}", None, None), (0, b"k1", b"{}", None, [("sx-topic", b"t"), ("sx-partition", b"x")]),
               (1, None, b"nonsense", None, [("sx-topic", scene.topic().encode()), ("sx-partition", b"0"), ("sx-offset", b"0"),
                                             ("sx-class", b"permanent"), ("sx-calls", b"[]")])]
    scene.kafka.produce(redrive.topic, damaged)
    worker = redrive.start_worker()
    wait_until("three letters", lambda: worker.check_running() or len(scene.dead_letters()) == 3, show=worker.log_text)
    worker.stop()
    for letter in scene.dead_letters():
        assert letter.sx["class"] == "mapping" and letter.sx["reason"].startswith("redrive: it is no dead letter: ")
        assert letter.place[0] == redrive.topic
    assert redrive.totals(redrive.run())["foreign"] == 3


def test_what_the_redrive_topic_holds_is_let_go_by_kafka_skip(scene):
    """The budget is used up, so what cannot be mapped waits for an operator: an event that came back, which the log
    names as it was and by its place in the redrive topic, which is the one to skip; and a record that is no letter, which
    no rule mends."""
    redrive = Redrive(scene, events=1)
    settings = {"dead_letter": redrive.settings, "admin": ANY_PORT}
    scene.kafka.produce(redrive.topic, [(0, b"k%d" % n, b"{}", None, None) for n in range(BUDGET_LEAST)])
    worker = redrive.start_worker()
    wait_until("as many letters as are always allowed", lambda: worker.check_running() or
               len(scene.dead_letters()) == BUDGET_LEAST and not worker.admin.metrics().value("sendx_worker_events_pending"),
               show=worker.log_text)
    partition, key, _, timestamp, headers = redrive.letter("bad@example.com", "e7", 7)
    scene.kafka.produce(redrive.topic, [
        (partition, key, b"nonsense", timestamp, headers), redrive.letter("behind@example.com", "e8", 8),
        (1, b"k", b"{}", None, None), redrive.letter("behind@example.com", "e9", 9, partition=1)])
    worker.wait_for("event.held", count=2)
    event_skip, record_skip = f"{redrive.topic}:0:{BUDGET_LEAST}", f"{redrive.topic}:1:0"
    assert {(line["topic"], line["partition"], line["offset"], line["kafka_skip"]) for line in worker.lines("event.held")} == {
        (scene.topic(), "0", "7", event_skip), (redrive.topic, "1", "0", record_skip)}
    reload(worker, scene.config(**settings, kafka={"skip": [f"{scene.topic()}:0:7"]}))
    assert worker.wait_for("event.mapped_again")["held"] == "2", "its old place is not the one that is read"
    assert not worker.lines("event.skipped") and not scene.sandbox.requests()

    reload(worker, scene.config(**settings, kafka={"skip": [event_skip]}))
    worker.wait_for("event.skipped", topic=redrive.topic, partition=0, offset=BUDGET_LEAST, reason="kafka.skip")
    wait_until("what stood behind it", lambda: worker.check_running() or scene.delivered() == {"behind@example.com": ["e8"]},
               show=worker.log_text)
    assert worker.admin.metrics().value("sendx_worker_events_held") == 1, "the other one was not named"
    reload(worker, scene.config(**settings, kafka={"skip": [event_skip, record_skip]}))
    worker.wait_for("event.skipped", topic=redrive.topic, partition=1, offset=0, reason="kafka.skip")
    scene.kafka.wait_until_finished(scene.group, [redrive.topic], worker)
    metrics = worker.admin.metrics()
    metrics.check_conservation()
    assert metrics.value("sendx_worker_events_held") == 0 and metrics.value("sendx_worker_events_total", outcome="skipped") == 2
    worker.stop()
    assert scene.delivered() == {"behind@example.com": ["e8", "e9"]}
    assert len(scene.dead_letters()) == BUDGET_LEAST, "what is skipped becomes no letter"


@pytest.mark.parametrize("partitions", [1, 5])
def test_letters_of_a_partition_stay_together_in_a_topic_of_another_size(scene, partitions):
    redrive = Redrive(scene, partitions=partitions, events=1)
    places = redrive.many_letters(100)
    redrive.run()
    redrive.check_each_once(places) if partitions > 1 else None
    for record in redrive.records():
        assert record.partition == record.place[2] % 50 % 2 % partitions


def test_a_kafka_that_is_not_there_is_told(scene):
    redrive = Redrive(scene, events=1)
    done = run_command("redrive", "-c", redrive.config_file(kafka={"bootstrap_servers": "127.0.0.1:1"}))
    assert done.returncode == 1
    assert "kafka does not say which topics there are" in done.stderr and "127.0.0.1:1" in done.stderr, done.stderr


def test_a_letter_that_the_topic_does_not_take_stops_the_command_and_nothing_is_half_done(scene):
    redrive = Redrive(scene, create=False, events=1)
    scene.kafka.create_topics({redrive.topic: 2}, max_message_bytes=2000)
    noise = "".join(random.Random(1).choices(string.ascii_letters, k=6000))  # hard to compress
    redrive.produce_letters([redrive.letter("a@example.com", "e0", 0), redrive.letter("b@example.com", "e1", 1, reason=noise),
                             redrive.letter("c@example.com", "e2", 2)])
    said = redrive.run(code=1)
    assert "does not take a record of this size" in said and "0 of 3 letters went" in said
    assert f'the letter at partition 0, offset 1 of "{scene.dead_letter_topic}": topic "{redrive.topic}"' in said
    assert "max.message.bytes to some KiB more" in said
    assert redrive.records() == []
    assert redrive.totals(redrive.run("--limit", "1"))["left for later"] == 2
    assert [record.place[2] for record in redrive.records()] == [0]


def test_the_redrive_topic_counts_for_the_share_of_every_account(scene):
    """One process has the only partition of the events, at most; all have some of the redrive topic."""
    redrive = Redrive(scene, partitions=5, events=1)
    settings = {"account": {"rate_limit": 60.0}, "more_accounts": [{"name": "idle", "rate_limit": 12.0, "base_url": scene.sandbox.base_url()}],
                "rules": ONE_CALL.replace("@TOPIC@", scene.topic()).replace("topics =", 'account = "main"; topics =')}
    workers = [redrive.start_worker(f"w{n}", **settings) for n in range(3)]

    def shares(account):
        return sorted(worker.admin.metrics().value("sendx_worker_account_rate_limit", account=account) for worker in workers)
    wait_until("a third for each", lambda: all(worker.running() for worker in workers) and
               [round(share, 3) for share in shares("main")] == [20, 20, 20], show=lambda: f"{shares('main')}")
    # No rule calls it, but what is redriven may: only the redrive topic counts.
    assert abs(sum(shares("idle")) - 12) < 0.01 and min(shares("idle")) >= 12 / 5 - 0.01
    for worker in workers:
        worker.stop()


def test_a_topic_that_is_made_later_takes_its_share_from_those_that_get_none_of_it(scene):
    """One partition of it goes to one of two processes: the other's share is smaller all the same."""
    redrive = Redrive(scene, create=False, events=2)
    settings = {"account": {"rate_limit": 60.0}, "kafka": QUICK}
    workers = [redrive.start_worker(f"w{n}", **settings) for n in range(2)]

    def shares():
        return sorted(round(worker.admin.metrics().value("sendx_worker_account_rate_limit", account="main"), 3)
                      for worker in workers)
    wait_until("half for each", lambda: all(worker.running() for worker in workers) and shares() == [30, 30],
               show=lambda: f"{shares()}")
    redrive.create_topic(partitions=1)
    wait_until("two thirds and one third", lambda: all(worker.running() for worker in workers) and shares() == [20, 40],
               show=lambda: f"{shares()}")
    for worker in workers:
        worker.stop()
