"""SIGHUP: another configuration takes the place of the one in force, whole or not at all."""

import json
import signal
import threading

from harness import wait_until
from sandbox import API_KEY
from worker import ANY_PORT, reload

# Two fields that must tell of the same rules, and a tag from a table.
MARKED = """
email = "${email}";
tables: { words = ( ("x", "@MARK@") ); };
rules: (
  { name   = "first";
    topics = [ @TOPICS@ ];
    identify: { firstName = "${id}"; lastName = "@MARK@"; company = "${'x' | table('words', '')}"; }; },
  { name   = "second";
    topics = [ @TOPICS@ ];
    track: { addTags = [ "@MARK@" ]; }; }
);
"""


def marked(mark, *topics):
    return MARKED.replace("@MARK@", mark).replace("@TOPICS@", ", ".join(f'"{topic}"' for topic in topics))


def events(count, first=0, partitions=4):
    """Each of a contact of its own: (records, ids by e-mail)."""
    records = [(n % partitions, None, json.dumps({"email": f"user{n}@example.com", "id": f"e{n}"}).encode())
               for n in range(first, first + count)]
    return records, {f"user{n}@example.com": f"e{n}" for n in range(first, first + count)}


def calls_by_contact(scene):
    found = {}
    for request in scene.sandbox.applied():
        found.setdefault(request["email"], []).append(request)
    return found


def check_no_mix(calls, expected):
    """Every event once, and all its calls by one set of rules. Returns how many each set mapped."""
    marks = {}
    for email, event_id in expected.items():
        assert [one["kind"] for one in calls.get(email, [])] == ["identify", "track"], (email, calls.get(email))
        fields, tags = (one["body"] for one in calls[email])
        assert fields["firstName"] == event_id, (email, fields)
        assert fields["lastName"] == fields["company"] and tags["addTags"] == [fields["lastName"]], (email, fields, tags)
        marks[fields["lastName"]] = marks.get(fields["lastName"], 0) + 1
    assert calls.keys() == expected.keys()
    return marks


def test_no_event_is_mapped_by_a_mix_while_rules_change_under_load(scene):
    scene.create_topics(events=4)
    records, expected = events(3000)
    config = {n: scene.config(rules=marked(f"m{n}", scene.topic()), account={"max_in_flight": 8}, admin=ANY_PORT,
                              delivery={"max_pending_events": 50}) for n in range(10)}
    scene.sandbox.fault(action="delay", delay_ms=3)
    worker = scene.start_worker(rules=marked("m0", scene.topic()), account={"max_in_flight": 8}, admin=ANY_PORT,
                                delivery={"max_pending_events": 50})
    producing = threading.Thread(target=scene.produce, args=(records,), daemon=True)
    producing.start()
    for n in range(1, 10):
        before = scene.sandbox.last_seq()
        wait_until("more calls", lambda: worker.check_running() or scene.sandbox.last_seq() >= before + 200)
        assert reload(worker, config[n])["generation"] == str(n + 1)
    producing.join()
    scene.wait_until_finished(worker)
    metrics = worker.admin.metrics()
    worker.stop()
    marks = check_no_mix(calls_by_contact(scene), expected)
    assert len(marks) >= 8, f"hardly any change was under load: {marks}"
    assert metrics.value("sendx_worker_config_generation") == 10
    assert metrics.value("sendx_worker_config_last_reload_ok") == 1
    assert metrics.value("sendx_worker_partitions_total", change="revoked") == 0
    scene.check_no_dead_letters()


def test_a_broken_file_changes_nothing_and_says_where(scene):
    scene.create_topics(events=4)
    records, expected = events(20)
    settings = {"admin": ANY_PORT}
    worker = scene.start_worker(rules=marked("good", scene.topic()), **settings)
    worker.wait_assigned(scene.partitions)
    good = worker.config_path.read_text()
    broken = good.replace("addTags", "addTag").replace("table('words', '')", "table('wrods', '')")
    line = reload(worker, broken, "config.not_reloaded")
    assert line["effect"] == "nothing has changed", line
    findings = [one["text"] for one in worker.lines("config.finding", level="error")]
    assert any("addTag" in one and f"{worker.config_path.name}:" in one and "did you mean addTags?" in one for one in findings), findings
    assert any("wrods" in one for one in findings), findings
    reload(worker, "kafka: {", "config.not_reloaded")
    worker.config_path.unlink()
    worker.send(signal.SIGHUP)
    worker.wait_for("config.not_reloaded", count=3)
    metrics = worker.admin.metrics()
    assert metrics.value("sendx_worker_config_last_reload_ok") == 0
    assert metrics.value("sendx_worker_config_generation") == 1
    assert metrics.value("sendx_worker_config_reloads_total", result="refused") == 3
    scene.produce(records)
    scene.wait_until_finished(worker)
    assert check_no_mix(calls_by_contact(scene), expected) == {"good": 20}
    reload(worker, good.replace("good", "better"))
    metrics = worker.admin.metrics()
    assert metrics.value("sendx_worker_config_last_reload_ok") == 1
    assert metrics.value("sendx_worker_config_generation") == 2
    worker.stop()


def test_an_event_that_could_not_be_mapped_is_mapped_by_the_mended_rule(scene):
    """What no rule can mend stays held, until it is skipped."""
    scene.create_topics(events=3)
    rules = (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}" ]; '
             'identify: { firstName = "${id}"; lastName = "old"; }; } );')
    mended = rules.replace("${email}", "${mail}").replace("old", "new")

    def event(name, **fields):
        return json.dumps({"id": name, "mail": f"{name}@example.com", **fields}).encode()
    scene.produce([(0, None, event("a", email="a@example.com")), (0, None, event("b")),
                   (0, None, event("c", email="c@example.com")), (1, None, b"nonsense"),
                   (2, None, event("d", email="d@example.com"))])
    settings = {"dead_letter": {"topic": ""}, "admin": ANY_PORT}
    worker = scene.start_worker(rules=rules, **settings)
    worker.wait_for("event.held", count=2)
    wait_until("all that can be to be committed", lambda: worker.check_running() or scene.committed() == {0: 1, 1: 0, 2: 1},
               show=scene.committed)
    reload(worker, scene.config(rules=mended, **settings))
    told = worker.wait_for("event.mapped_again")
    assert (told["held_before"], told["held"]) == ("2", "1"), told
    wait_until("the mended one and what stood behind it", lambda: worker.check_running() or scene.committed() == {0: 3, 1: 0, 2: 1},
               show=scene.committed)
    assert worker.admin.metrics().value("sendx_worker_events_held") == 1
    reload(worker, scene.config(rules=mended, kafka={"skip": [f"{scene.topic()}:1:0"]}, **settings))
    scene.wait_until_finished(worker)
    worker.admin.metrics().check_conservation()
    worker.stop()
    sent = [(one["body"]["firstName"], one["body"]["lastName"]) for one in scene.sandbox.applied()]
    assert sorted(sent) == [("a", "old"), ("b", "new"), ("c", "new"), ("d", "old")], sent


def test_topics_come_and_go_with_the_rules(scene):
    scene.create_topics(events=2, more=2)
    first, expected_first = events(10, partitions=2)
    later, expected_later = events(10, first=10, partitions=2)
    scene.produce(first)
    scene.produce(later, topic="more")
    worker = scene.start_worker(rules=marked("m", scene.topic()))
    scene.kafka.wait_until_finished(scene.group, [scene.topic()], worker)
    assert not worker.lines("partition.assigned", topic=scene.topic("more"))
    reload(worker, scene.config(rules=marked("m", scene.topic(), scene.topic("more"))))
    scene.wait_until_finished(worker)
    reload(worker, scene.config(rules=marked("m", scene.topic("more"))))
    wait_until("the old topic to be given back", lambda: worker.check_running() or
               len(worker.lines("partition.released", topic=scene.topic())) == 2, show=worker.log_text)
    last, expected_last = events(10, first=20, partitions=2)
    scene.produce(last, topic="more")
    scene.kafka.wait_until_finished(scene.group, [scene.topic("more")], worker)
    worker.stop()
    check_no_mix(calls_by_contact(scene), {**expected_first, **expected_later, **expected_last})
    assert not worker.lines("partition.lost")


def test_a_second_topic_may_go_while_the_first_is_being_given_back(scene):
    """A second revocation before the first is answered would cost the whole assignment: the library keeps it back."""
    topics = ("events", "more", "most")
    scene.create_topics(**{name: 1 for name in topics})
    expected = {}
    for n, name in enumerate(topics):
        records, ids = events(1, first=n, partitions=1)
        scene.produce(records, topic=name)
        expected |= ids
    scene.sandbox.fault(action="delay", delay_ms=700)
    worker = scene.start_worker(rules=marked("m", *(scene.topic(name) for name in topics)))
    wait_until("a call for each topic", lambda: worker.check_running() or scene.sandbox.stats()["open"] == 3)
    reload(worker, scene.config(rules=marked("m", scene.topic(), scene.topic("most"))))
    worker.wait_for("partition.revoked", topic=scene.topic("more"))
    reload(worker, scene.config(rules=marked("m", scene.topic())))
    for name in topics[1:]:
        worker.wait_for("partition.released", topic=scene.topic(name))
    scene.sandbox.end_faults()
    records, last = events(1, first=3, partitions=1)
    scene.produce(records)
    scene.wait_until_finished(worker)
    worker.stop()
    assert not worker.lines("partition.lost"), worker.log_text()
    assert check_no_mix(calls_by_contact(scene), {**expected, **last}) == {"m": 4}


def test_a_reload_that_was_asked_for_with_the_stop_is_not_made(scene):
    """Both signals wait for the same turn of the loop."""
    scene.create_topics(events=1, more=1)
    worker = scene.start_worker(rules=marked("m", scene.topic()))
    worker.wait_assigned({scene.topic(): 1})
    worker.config_path.write_text(scene.config(rules=marked("m", scene.topic(), scene.topic("more"))))
    worker.send(signal.SIGSTOP)
    worker.send(signal.SIGHUP)
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGCONT)
    assert worker.wait() == 0
    assert not worker.lines("config.reloaded"), worker.log_text()
    assert worker.lines("config.not_reloaded")[0]["reason"] == "it stops"


def test_a_new_key_after_a_refused_one_goes_on_without_loss(scene):
    """Once by SIGHUP, once by nothing but the file of the key."""
    scene.create_topics(events=2)
    key = scene.folder / "key"
    key.write_text("wrong-key-1\n")
    settings = {"account": {"api_key": "${file:key}"}, "admin": ANY_PORT}
    records, expected = scene.one_call_history(events=300, contacts=30, partitions=2)
    scene.produce(records[:150])
    worker = scene.start_worker(**settings)
    wait_until("the hold", lambda: worker.check_running() or worker.admin.held() == {"configuration"})
    key.write_text(API_KEY + "\n")
    worker.send(signal.SIGHUP)
    scene.wait_until_finished(worker)
    scene.sandbox.fault(status=401, count=1)
    key.write_text("wrong-key-2\n")
    worker.send(signal.SIGHUP)
    worker.wait_for("config.reloaded", count=2)
    scene.produce(records[150:])
    wait_until("the hold", lambda: worker.check_running() or worker.admin.held() == {"configuration"})
    key.write_text(API_KEY + "\n")
    assert worker.wait_for("config.reloaded", why="a secret was replaced")["generation"] == "4"
    scene.wait_until_finished(worker)
    assert worker.admin.held() == set()
    worker.stop()
    scene.check_delivered(expected)
    scene.check_no_dead_letters()
    for text in (API_KEY, "wrong-key"):
        assert text not in worker.log_text()


def test_the_old_key_stays_masked_in_a_reply_that_comes_after_the_new_one(scene):
    scene.create_topics(events=1)
    scene.produce(scene.one_call_history(events=1, contacts=1, partitions=1)[0])
    key = scene.folder / "key"
    key.write_text("old-secret-key-4711")
    fault = scene.sandbox.fault(action="delay", delay_ms=1500, status=500, body='{"message": "old-secret-key-4711"}', count=1)
    worker = scene.start_worker(account={"api_key": "${file:key}"})
    wait_until("the call", lambda: worker.check_running() or scene.sandbox.fault_hits(fault))
    key.write_text(API_KEY)
    worker.send(signal.SIGHUP)
    worker.wait_for("config.reloaded")
    worker.wait_for("call.retry")
    scene.wait_until_finished(worker)
    worker.stop()
    assert "old-secret-key" not in worker.log_text()


def test_accounts_limits_hold_and_log_level_change_at_once(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=200, contacts=20, partitions=2)
    settings = {"admin": ANY_PORT}
    worker = scene.start_worker(account={"hold": True}, **settings)
    worker.wait_assigned(scene.partitions)
    scene.produce(records)
    assert worker.admin.held() == {"operator"} and not scene.sandbox.last_seq()
    reload(worker, scene.config(account={"max_in_flight": 3, "rate_limit": 500.0}, log={"level": "debug"}, **settings))
    scene.wait_until_finished(worker)
    metrics = worker.admin.metrics()
    assert metrics.value("sendx_worker_account_in_flight_limit", account="main") <= 3
    assert metrics.value("sendx_worker_account_rate_limit", account="main") == 500
    assert len(worker.lines("call.done")) == 200
    worker.stop()
    scene.check_delivered(expected)


def test_an_account_is_added_and_one_that_is_taken_away_still_sends_what_it_has(scene):
    scene.create_topics(events=1)
    other = {"name": "other", "base_url": scene.sandbox.base_url()}

    def rules(account):
        return (f'email = "${{email}}"; rules: ( {{ name = "r"; topics = [ "{scene.topic()}" ]; account = "{account}";'
                ' identify: { firstName = "${id}"; lastName = "' + account + '"; }; } );')
    records, expected = scene.one_call_history(events=40, contacts=4, partitions=1)
    settings = {"admin": ANY_PORT}
    scene.produce(records[:20])
    hang = scene.sandbox.fault(action="delay", delay_ms=100)
    worker = scene.start_worker(rules=rules("main"), account={"rate_limit": 200.0}, **settings)
    wait_until("the first call", lambda: worker.check_running() or scene.sandbox.fault_hits(hang))
    reload(worker, scene.config(rules=rules("other"), account=other, **settings))
    assert worker.lines("account.removed", account="main") and worker.lines("account.added", account="other")
    scene.produce(records[20:])
    scene.wait_until_finished(worker)
    worker.stop()
    by_account = {}
    for request in scene.sandbox.applied():
        by_account.setdefault(request["body"]["lastName"], []).append(request["body"]["firstName"])
    assert {account: len(ids) for account, ids in by_account.items()} == {"main": 20, "other": 20}
    assert sorted(expected) == sorted(scene.delivered())


def test_what_needs_a_restart_is_named_and_stays(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker()
    worker.wait_assigned(scene.partitions)
    reload(worker, scene.config(kafka={"group_id": "another", "session_timeout_ms": 7000}, delivery={"prefetch_bytes": "4MiB"},
                                dead_letter={"topic": "other.dead"}, admin={"listen": "127.0.0.1:0"}))
    settings = worker.wait_for("config.kept")["settings"].split()
    assert sorted(settings) == ["admin.listen", "dead_letter.topic", "delivery.prefetch_bytes", "kafka.group_id",
                                "kafka.session_timeout_ms"], settings
    records, expected = scene.one_call_history(events=5, contacts=5, partitions=1)
    scene.produce(records)
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected)
