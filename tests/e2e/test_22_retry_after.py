"""`Retry-After`, in seconds and as a date: no request of the process before it is over, by the sandbox's log."""

import email.utils
import http.server
import threading
import time

import pytest

from harness import wait_until
from relay import Relay
from worker import ANY_PORT

# What was sent before the reply had been read may still come in behind it.
ON_THE_WAY_MS = 150


def check_no_request_too_early(requests, seconds, date):
    """Returns how many replies asked to wait. A request's end is noted when its reply has left, so the wait is counted
    from its start; a date has whole seconds."""
    asked = [request for request in requests if request["status"] in (429, 503)]
    for one in asked:
        end = one["started_ms"] + 1000 * seconds if not date else (one["started_ms"] // 1000 + seconds) * 1000
        early = [request for request in requests if one["finished_ms"] + ON_THE_WAY_MS < request["started_ms"] < end]
        assert not early, (f"{len(early)} requests too early; the first {early[0]['started_ms'] - one['started_ms']} ms "
                           f"after one whose reply asked for {seconds} s")
    return len(asked)


@pytest.mark.parametrize("status, header, seconds, storms", [(429, "1", 1, 4), (429, "date:+2", 2, 2), (503, "1", 1, 3)],
                         ids=["429-seconds", "429-date", "503-seconds"])
def test_a_storm_is_waited_out(scene, status, header, seconds, storms):
    """Each storm refuses a few calls at once, as a server under load does; a new one begins when work goes on."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=3000, contacts=300, partitions=4)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=2)
    worker = scene.start_worker(account={"max_in_flight": 16}, admin=ANY_PORT)
    for n in range(storms):
        done = scene.sandbox.stats()["statuses"].get("200", 0)
        wait_until("calls to go on", lambda: worker.check_running() or
                   scene.sandbox.stats()["statuses"].get("200", 0) > done + 50, show=worker.log_text)
        scene.sandbox.end_faults()
        storm = scene.sandbox.fault(status=status, retry_after=header, count=5)
        scene.sandbox.fault(action="delay", delay_ms=2)
        wait_until("the storm", lambda: worker.check_running() or scene.sandbox.fault_hits(storm) >= 1)
        wait_until("the worker to say so", lambda: worker.check_running() or "throttled" in worker.admin.held())
    scene.sandbox.end_faults()
    scene.wait_until_finished(worker)
    worker.stop()
    asked = check_no_request_too_early(scene.sandbox.requests(), seconds, header.startswith("date"))
    assert asked >= storms
    scene.check_delivered(expected)
    scene.sandbox.check_no_overlap()
    scene.check_no_dead_letters()


def test_what_libcurl_would_send_again_at_once_waits_as_well(scene):
    """It does so when a connection that it had kept ends without an answer."""
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=3, contacts=2, partitions=1)
    relay = Relay(scene.sandbox.address)
    worker = scene.start_worker(base_url=scene.sandbox.base_url(address=relay.address), admin=ANY_PORT)
    scene.produce(records[:1])
    scene.wait_until_finished(worker)
    hang = scene.sandbox.fault(action="hang", email="user0@example.com", count=1)
    scene.produce(records[2:])
    wait_until("a request without an answer", lambda: worker.check_running() or scene.sandbox.fault_hits(hang))
    assert relay.connections == 1, "it is no kept one"
    scene.sandbox.fault(status=429, retry_after="3", count=1)
    scene.produce(records[1:2])
    wait_until("the worker to be throttled", lambda: worker.check_running() or "throttled" in worker.admin.held())
    relay.drop()
    scene.wait_until_finished(worker)
    worker.stop()
    requests = scene.sandbox.requests()
    asked = next(request for request in requests if request["status"] == 429)
    later = [request for request in requests if request["seq"] > asked["seq"]]
    assert len(later) == 2 and all(request["started_ms"] >= asked["started_ms"] + 3000 for request in later), requests
    assert len(worker.lines("call.retry", **{"class": "transient"})) == 1
    scene.check_delivered(expected)


class SkewedServer(http.server.ThreadingHTTPServer):
    """Refuses the first call until two seconds later, by a clock that is an hour slow."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SkewedHandler)
        self.times = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class SkewedHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.times.append(time.monotonic())
        first, now = len(self.server.times) == 1, time.time() - 3600
        self.send_response_only(429 if first else 200)
        self.send_header("Date", email.utils.formatdate(now, usegmt=True))
        if first:
            self.send_header("Retry-After", email.utils.formatdate(now + 2, usegmt=True))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_a_date_counts_by_the_servers_own_clock(scene):
    """By the worker's it would be over already, or (were the difference added) not for an hour."""
    scene.create_topics(events=1)
    records, _ = scene.one_call_history(events=1, contacts=1, partitions=1)
    scene.produce(records)
    server = SkewedServer()
    worker = scene.start_worker(base_url=f"http://127.0.0.1:{server.server_port}/api/v1")
    scene.wait_until_finished(worker)
    worker.stop()
    server.shutdown()
    assert len(server.times) == 2 and server.times[1] - server.times[0] >= 1.0, server.times


def test_a_long_retry_after_is_capped(scene):
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=20, contacts=5, partitions=1)
    scene.produce(records)
    scene.sandbox.fault(status=429, retry_after="86400", count=1)
    worker = scene.start_worker(delivery={"retry_after_max": "1s"})
    scene.wait_until_finished(worker)
    worker.stop()
    check_no_request_too_early(scene.sandbox.requests(), 1, False)
    scene.check_delivered(expected)


def test_one_contact_that_draws_it_each_time_is_given_up_and_the_others_go_on(scene):
    """It takes thirty tries, and the others are paced, so that there are some in between all the while: in a back-off
    of 250 ms at most 3 or 4."""
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=160, contacts=160, partitions=1)
    scene.produce(records)
    scene.sandbox.fault(status=429, retry_after="1", email="user0@example.com")
    worker = scene.start_worker(account={"rate_limit": 10},
                                delivery={"retry_min": "250ms", "retry_max": "250ms", "retry_for": "1s"})
    scene.wait_until_finished(worker)
    worker.stop()
    assert check_no_request_too_early(scene.sandbox.requests(), 1, False) >= 30
    letters = scene.dead_letters()
    assert [(letter.sx["class"], letter.sx["status"]) for letter in letters] == [("throttled", "429")], letters
    assert int(letters[0].sx["attempts"]) >= 30
    del expected["user0@example.com"]
    scene.check_delivered(expected)
