"""/status.json: what it says agrees with what happened, and it tells no secret."""

import http.server
import json
import signal
import threading

from admin import Watch
from harness import HANG_GUARD_S, wait_until
from sandbox import API_KEY
from worker import ANY_PORT

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def rules_for(topic):
    return f'''
email = "${{email}}";
rules: (
  {{ name = "plan"; topics = [ "{topic}" ]; when = "plan";
    identify: {{ firstName = "${{id}}"; lastName = "${{profile.last}}"; }};
    track: {{ addTags = [ "plan: ${{plan}}", "of ${{email}}" ]; removeTags = [ "trial" ]; }}; }},
  {{ name = "never"; topics = [ "{topic}" ]; when = "plan == 'gold'"; identify: {{ tags = [ "gold" ]; }}; }}
);
'''


def event(n, **more):
    return json.dumps({"email": f"user{n % 10}@example.com", "id": f"e{n}", "plan": "pro", **more}).encode()


def caught_up(worker):
    """A status in which everything that was produced is finished and the ends are known."""
    def there():
        worker.check_running()
        status = worker.admin.status()
        parts = status["partitions"]
        return status if parts and all(part["lag"] == 0 for part in parts) and not status["pending"]["events"] else None
    return wait_until("everything to be finished and seen", there, show=lambda: worker.admin.status())


def test_the_status_agrees_with_what_happened(scene):
    scene.create_topics(events=4)
    records = [(n % 10 % 4, b"k", event(n)) for n in range(400)]
    scene.produce(records + [(0, b"k", b'{"email": "other@example.com"}'), (1, b"k", None)])
    worker = scene.start_worker(admin=ANY_PORT, rules=rules_for(scene.topic()))
    scene.wait_until_finished(worker)
    status = caught_up(worker)

    assert status["worker"]["group"] == scene.group and status["worker"]["phase"] == "running"
    assert status["worker"]["live"]["ok"] and status["worker"]["ready"]["ok"]
    assert [(part["topic"], part["partition"]) for part in status["partitions"]] == [(scene.topic(), n) for n in range(4)]
    for part in status["partitions"]:
        ended = sum(part[name] for name in ("delivered", "no_match", "skipped", "dead_lettered", "given_back"))
        assert part["consumed"] == part["pending"] + ended, part
        assert part["next"] == part["end"] == part["consumed"] and part["unread"] == 0, part
        assert part["committed"] == part["end"] and part["oldest_offset"] is None, part
        assert part["state"] == "reading"
    assert {name: status["events"][name] for name in ("consumed", "delivered", "no_match", "skipped")} == {
        "consumed": 402, "delivered": 400, "no_match": 1, "skipped": 1}

    plan, never = status["rules"]
    assert (plan["matched"], plan["not_matched"], never["matched"], never["not_matched"]) == (400, 1, 0, 401)
    assert plan["calls"]["identify"]["done"] == plan["calls"]["track"]["done"] == 400
    assert plan["tags"] == [{"tag": "plan: pro", "call": "track", "added": 400, "removed": 0},
                            {"tag": "of u***@example.com", "call": "track", "added": 400, "removed": 0},
                            {"tag": "trial", "call": "track", "added": 0, "removed": 400}]
    present = {path["path"]: path["present_ratio"] for path in plan["paths"]}
    assert present == {"email": 1, "id": 1, "profile.last": 0, "plan": 1}
    assert status["accounts"][0]["calls"]["done"] == 800 and status["accounts"][0]["gate"] == "open"
    assert status["holds"] == status["retrying"] == status["failures"] == []
    assert status["commits"]["stored"] > 0 and status["commits"]["last_seconds_ago"] is not None
    assert status["rebalances"] == {"assigned": 4, "revoked": 0, "lost": 0}
    assert 'name = "plan"' in status["configuration"] and "***" in status["configuration"]
    worker.stop()


def test_what_fails_is_shown_with_its_reason_and_without_addresses(scene):
    scene.create_topics(events=1)
    fault = scene.sandbox.fault(email="user3@example.com", status=503, body='{"message": "user3@example.com is busy"}')
    scene.sandbox.fault(email="user4@example.com", status=422, body='{"message": "user4@example.com is wrong"}')
    scene.produce([(0, b"k", event(n)) for n in range(100)] + [(0, b"k", b"nonsense")])
    worker = scene.start_worker(admin=ANY_PORT, rules=rules_for(scene.topic()))

    def failing():
        """The status once all failures show and what is older than user3's event, the one that waits, has ended."""
        worker.check_running()
        status = worker.admin.status()
        kinds = {(failure["what"], failure["class"]) for failure in status["failures"]}
        return status if {("retry", "transient"), ("dead_letter", "mapping")} <= kinds and \
            any(what != "retry" and name == "permanent" for what, name in kinds) and \
            any(wait["class"] == "transient" for wait in status["retrying"]) and \
            status["partitions"][0]["oldest_offset"] == 3 else None
    status = wait_until("the failures to show", failing, show=lambda: worker.admin.status())
    text = json.dumps(status)
    assert "u***@example.com" in text and "user3" not in text and "user4" not in text and API_KEY not in text
    waiting = [wait for wait in status["retrying"] if wait["class"] == "transient"][0]
    assert waiting["rule"] == "plan" and waiting["tries"] > 0 and waiting["status"] == 503 and "503" in waiting["reason"]
    part = status["partitions"][0]
    assert part["oldest_age_seconds"] >= 0 and part["pending"] > 0

    # Again and again for the same reason is one line with a count.
    wait_until("a count", lambda: any(failure["count"] > 1 for failure in worker.admin.status()["failures"]
                                      if failure["what"] == "retry"))
    scene.sandbox.end_faults(fault)
    wait_until("no more retries", lambda: not [wait for wait in worker.admin.status()["retrying"]
                                               if wait["class"] == "transient"])
    worker.stop()


def test_a_hold_shows_with_its_countdown_and_goes(scene):
    scene.create_topics(events=1)
    fault = scene.sandbox.fault(status=401)
    scene.produce([(0, b"k", event(n)) for n in range(20)])
    worker = scene.start_worker(admin=ANY_PORT, rules=rules_for(scene.topic()))
    hold = wait_until("a hold", lambda: worker.admin.status()["holds"])[0]
    assert (hold["scope"], hold["name"], hold["reason"]) == ("account", "main", "configuration")
    assert hold["countdown_seconds"] >= 0 and hold["why"]
    scene.sandbox.end_faults(fault)
    scene.wait_until_finished(worker)
    assert caught_up(worker)["holds"] == []
    worker.stop()


class Listener:
    """An API that answers each call, when it may, and notes the header traceparent; user4 is refused."""

    def __init__(self, may_answer=None):
        self.seen = {}
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                email = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["email"]
                listener.seen[email] = self.headers.get_all("traceparent")
                if may_answer:
                    may_answer.wait(HANG_GUARD_S)
                body = b'{"status": "200"}'
                self.send_response(422 if email.startswith("user4") else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/api/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_the_trace_of_an_event_goes_along(scene):
    """To the API, into the log and the page; and a dead letter has it because it has all headers."""
    scene.create_topics(events=1)
    listener = Listener()
    scene.kafka.produce(scene.topic(), [(0, b"k", event(1), None, [("traceparent", TRACE.encode())]),
                                        (0, b"k", event(2)),
                                        (0, b"k", event(3), None, [("traceparent", b"00-nonsense")]),
                                        (0, b"k", event(4), None, [("Traceparent", TRACE.encode())])])
    worker = scene.start_worker(
        admin=ANY_PORT, base_url=listener.base_url, account={"max_in_flight": 1}, log={"level": "debug"},
        rules=f'email = "${{email}}"; rules: ( {{ name = "one"; topics = [ "{scene.topic()}" ]; identify: {{}}; }} );')
    scene.wait_until_finished(worker)
    assert listener.seen == {"user1@example.com": [TRACE], "user2@example.com": None, "user3@example.com": None,
                             "user4@example.com": [TRACE]}
    trace_id = TRACE.split("-")[1]
    assert [line.get("trace_id") for line in worker.lines("call.done")] == [trace_id, None, None]
    assert worker.lines("call.failed", trace_id=trace_id) and worker.lines("dead_letter.stored", trace_id=trace_id)
    assert worker.admin.status()["failures"][0]["trace_id"] == trace_id
    assert ("Traceparent", TRACE.encode()) in scene.dead_letters()[0].original
    worker.stop()
    listener.server.shutdown()


def test_a_folded_call_carries_the_trace_of_its_first_event(scene):
    scene.create_topics(events=1)
    traces = [f"00-{n}bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" for n in range(4)]
    may_answer = threading.Event()
    listener = Listener(may_answer)
    scene.kafka.produce(scene.topic(), [(0, b"k", json.dumps({"email": email}).encode(), None, [("traceparent", trace.encode())])
                                        for email, trace in zip(["first@example.com"] + 3 * ["second@example.com"], traces)])
    worker = scene.start_worker(
        admin=ANY_PORT, base_url=listener.base_url, account={"max_in_flight": 1}, log={"level": "debug"},
        delivery={"fold": "safe"},
        rules=f'email = "${{email}}"; rules: ( {{ name = "one"; topics = [ "{scene.topic()}" ]; identify: {{}}; }} );')
    wait_until("all to be taken", lambda: worker.check_running() or worker.admin.status()["events"]["consumed"] == 4)
    may_answer.set()
    scene.wait_until_finished(worker)
    status = worker.admin.status()
    worker.stop()
    listener.server.shutdown()
    assert listener.seen == {"first@example.com": [traces[0]], "second@example.com": [traces[1]]}
    assert [line["trace_id"] for line in worker.lines("call.done")] == [trace.split("-")[1] for trace in traces[:2]]
    rule = status["rules"][0]
    assert (rule["matched"], rule["calls"]["identify"]["done"], rule["folded"]) == (4, 2, 2)


class Sizes:
    """Configurations of some rules and accounts for one scene, and what an answer shows of them."""

    def __init__(self, scene):
        self.scene = scene

    def settings(self, rules, accounts):
        names = ["main"] + [f"more{n}" for n in range(1, accounts)]
        text = ",".join(f' {{ name = "r{n}"; topics = [ "{self.scene.topic()}" ]; account = "{names[n % accounts]}";'
                        f' identify: {{ firstName = "${{id}}"; tags = [ "t{n}" ]; }}; }}' for n in range(rules))
        more = [{"name": name, "base_url": self.scene.sandbox.base_url()} for name in names[1:]]
        return {"rules": f'email = "${{email}}"; rules: ({text} );', "more_accounts": more, "admin": ANY_PORT,
                "log": {"level": LEVELS[rules % 2]}, "delivery": {"max_pending_events": 50}}

    @staticmethod
    def shown(status):
        level = next(one for one in LEVELS if f'level = "{one}"' in status["configuration"])
        return status["reloads"]["generation"], len(status["rules"]), level


LEVELS = ("info", "debug")


def test_what_is_shown_follows_a_reload_with_more_and_fewer_rules(scene):
    """Read all the while: each answer is of one configuration, and what was counted goes on."""
    sizes, steps = Sizes(scene), [(1, 1), (12, 3), (3, 3), (2, 1), (41, 2), (4, 1)]
    scene.create_topics(events=4)
    scene.sandbox.fault(action="delay", delay_ms=3)
    scene.produce([(n % 4, b"k", event(n)) for n in range(1500)])
    worker = scene.start_worker(**sizes.settings(*steps[0]))
    watch, over, seen, failures = Watch(worker.admin), threading.Event(), set(), []

    def look():
        try:
            while not over.is_set():
                seen.add(sizes.shown(worker.admin.status()))
        except BaseException as failure:  # shown below
            failures.append(failure)
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    for generation, step in enumerate(steps[1:], 2):
        before = worker.admin.status()["events"]["consumed"]
        wait_until("more events", lambda: worker.check_running() or worker.admin.status()["events"]["consumed"] >= before + 60)
        worker.config_path.write_text(scene.config(**sizes.settings(*step)))
        worker.send(signal.SIGHUP)
        wait_until("the reload to show", lambda: worker.check_running() or
                   worker.admin.status()["reloads"]["generation"] == generation)
    scene.wait_until_finished(worker)
    status = caught_up(worker)
    over.set()
    looking.join()
    watch.stop()
    worker.stop()
    assert not failures, failures
    assert seen == {(generation, rules, LEVELS[rules % 2]) for generation, (rules, _) in enumerate(steps, 1)}
    assert status["reloads"] == {"generation": len(steps), "last_ok": True, "done": len(steps) - 1, "refused": 0}
    first = status["rules"][0]
    assert first["name"] == "r0" and first["matched"] == status["events"]["consumed"] == 1500
    assert [(tag["tag"], tag["added"]) for tag in first["tags"]] == [("t0", 1500)]
    assert {path["path"] for path in first["paths"]} == {"id", "email"}


def test_a_reload_that_is_refused_shows(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker(admin=ANY_PORT, rules=rules_for(scene.topic()))
    worker.wait_assigned(scene.partitions)
    before = worker.admin.status()
    worker.config_path.write_text("kafka: {")
    worker.send(signal.SIGHUP)
    worker.wait_for("config.not_reloaded")
    status = worker.admin.status()
    worker.stop()
    assert status["reloads"] == {"generation": 1, "last_ok": False, "done": 0, "refused": 1}
    assert status["configuration"] == before["configuration"] and len(status["rules"]) == len(before["rules"])
