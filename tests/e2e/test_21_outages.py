"""The API fails as a whole, or for some calls at random: nothing is lost, nothing becomes a dead letter, order is
kept, and few calls are spent on finding out when it is over."""

import collections
import subprocess
import time

import pytest

from admin import Watch
from harness import let_pass, wait_until
from oracle import seen_call
from relay import Relay
from scene import one_call_event
from worker import ANY_PORT

OUTAGE_S, WINDOW_S = 6, 2
PATIENCE_S = 2.5  # of the group in the test of the name look-up
CONNECT_TIMEOUT_S = 1


def check_repeats_until_applied(requests):
    """Per contact, a failed request is followed by itself until it is applied, before anything else."""
    waiting = {}
    for request in requests:
        call = seen_call(request)
        failed = waiting.get(call.email)
        assert failed in (None, call), f"after the failed\n  {failed}\ncame\n  {call}"
        waiting[call.email] = None if request["applied"] else call
    assert not any(waiting.values()), f"given up: {[call for call in waiting.values() if call][:3]}"


def test_errors_resets_and_hangs_lose_nothing(scene):
    """5 % 500s, 2 % resets, some hangs that end by the timeout."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=3000, contacts=300, partitions=4)
    scene.produce(records)
    faults = [scene.sandbox.fault(**fault) for fault in (
        {"share": 0.05, "status": 500, "seed": 31}, {"share": 0.02, "action": "reset", "seed": 32},
        {"share": 0.003, "action": "hang", "seed": 33})]
    worker = scene.start_worker(account={"timeout": "1s"}, admin=ANY_PORT)
    watch = Watch(worker.admin)
    scene.wait_until_finished(worker)
    watch.stop()
    worker.stop()
    assert all(scene.sandbox.fault_hits(fault) > 2 for fault in faults), "the faults did not strike"
    check_repeats_until_applied(scene.sandbox.requests())
    scene.check_delivered(expected)
    scene.check_no_dead_letters()


def run_through(scene, worker, begin, end, reason, seconds):
    """An outage in the middle of the events; returns the requests that came in during it."""
    wait_until("the first calls", lambda: worker.check_running() or scene.sandbox.stats()["statuses"].get("200", 0) >= 50)
    watch = Watch(worker.admin)
    before = scene.sandbox.last_seq()
    begin()
    wait_until("the hold", lambda: worker.check_running() or reason in worker.admin.held())
    let_pass(seconds)  # few calls are spent however long it lasts: the pauses between them grow
    during = scene.sandbox.requests(before)
    assert worker.admin.held() == {reason}
    assert worker.admin.get("/livez")[0] == 200
    end()
    scene.wait_until_finished(worker)
    watch.stop()
    assert worker.admin.held() == set()
    assert worker.lines("account.held", reason=reason) and worker.lines("account.open"), "the log does not tell of it"
    worker.stop()
    scene.check_no_dead_letters()
    return during


@pytest.mark.parametrize("fault, reason, seconds", [
    ({"status": 503}, "outage", OUTAGE_S), ({"action": "reset"}, "outage", WINDOW_S),
    ({"status": 401}, "configuration", WINDOW_S), ({"status": 403}, "configuration", WINDOW_S),
    ({"action": "html"}, "configuration", WINDOW_S)], ids=["503", "reset", "401", "403", "html"])
def test_an_outage_loses_nothing_and_costs_few_calls(scene, fault, reason, seconds):
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=4000, contacts=400, partitions=4)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=5)
    worker = scene.start_worker(account={"max_in_flight": 8}, admin=ANY_PORT)

    def begin():
        scene.sandbox.end_faults()
        scene.sandbox.fault(**fault)
    during = run_through(scene, worker, begin, scene.sandbox.end_faults, reason, seconds)
    failed = [request for request in during if not request["applied"]]
    assert len(failed) <= (16 if reason == "configuration" else 50), f"{len(failed)} calls spent on it"
    assert max(collections.Counter(request["email"] for request in failed).values()) <= 8, "the same call again and again"
    check_repeats_until_applied(scene.sandbox.requests())
    scene.check_delivered(expected)


def test_an_api_that_is_gone_is_waited_for(scene):
    """Connections end, then are refused; some calls may have been carried out without a reply."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=4000, contacts=400, partitions=4)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=5)
    relay = Relay(scene.sandbox.address)
    worker = scene.start_worker(base_url=scene.sandbox.base_url(address=relay.address), admin=ANY_PORT,
                                account={"max_in_flight": 8})
    during = run_through(scene, worker, relay.cut, relay.listen, "outage", OUTAGE_S)
    assert len(during) <= 16, "calls came in although nothing listened"
    repeats_removed = {email: [one for n, one in enumerate(ids) if n == 0 or ids[n - 1] != one]
                       for email, ids in scene.delivered().items()}
    assert repeats_removed == expected


def test_a_held_account_waits_for_the_operator(scene):
    """Nothing is sent and nothing lost; the next start without the hold delivers it all."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=200, contacts=20, partitions=2)
    scene.produce(records)
    worker = scene.start_worker(account={"hold": True}, admin=ANY_PORT, delivery={"max_pending_events": 50})
    wait_until("events to be pending", lambda: worker.check_running() or
               worker.admin.metrics().value("sendx_worker_events_pending") >= 50)
    assert worker.admin.held() == {"operator"}
    metrics = worker.admin.metrics()
    assert metrics.value("sendx_worker_events_pending") <= 50 and metrics.value("sendx_worker_events_consumed_total") <= 50
    worker.stop()
    assert scene.sandbox.requests() == []
    assert all(offset in (None, 0) for offset in scene.committed().values())
    released = scene.start_worker("released")
    scene.wait_until_finished(released)
    released.stop()
    scene.check_delivered(expected)
    scene.check_no_dead_letters()


TWO_ACCOUNTS = """
email = "${email}";
rules: (
  { name = "one call"; topics = [ "@TOPIC@" ]; when = "not second"; account = "main"; identify: { firstName = "${id}"; }; },
  { name = "to the second"; topics = [ "@TOPIC@" ]; when = "second"; account = "second"; identify: { firstName = "${id}"; }; }
);
"""


def second_event(n):
    return b'{"email": "second%d@example.com", "id": "s%d", "second": true}' % (n, n)


def test_a_held_account_does_not_hold_the_other(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=100, contacts=20, partitions=2)
    scene.produce([(0, None, second_event(n)) for n in range(5)] + records)
    worker = scene.start_worker(rules=TWO_ACCOUNTS.replace("@TOPIC@", scene.topic()), admin=ANY_PORT,
                                more_accounts=[{"name": "second", "hold": True, "base_url": scene.sandbox.base_url()}])
    wait_until("the other account's calls", lambda: worker.check_running() or scene.delivered() == expected,
               show=worker.log_text)
    assert worker.admin.held("second") == {"operator"} and worker.admin.held("main") == set()
    worker.stop()


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    FILE *log = node != NULL && strcmp(node, "hangs.example.com") == 0 ? fopen(getenv("SHIM_LOG"), "a") : NULL;

    if (log == NULL)
        return real(node, service, hints, res);
    fputs("asked\n", log);
    fclose(log);
    for (;;)
        pause();
}
"""


@pytest.fixture(scope="session")
def hanging_resolver(tmp_path_factory):
    """A library that makes the look-up of hangs.example.com never end."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True)
    return folder / "shim.so"


def test_dns_that_hangs_stops_nobody_else(scene, hanging_resolver):
    """For longer than the group's patience: no rebalance, the other account goes on, and the worker can be stopped. A
    look-up never ends, so whatever waited for one would wait until the guard strikes."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=100, contacts=20, partitions=2)
    scene.produce([(0, None, second_event(n)) for n in range(5)] + records)
    asked, before = scene.folder / "asked", time.monotonic()
    worker = scene.start_worker(
        rules=TWO_ACCOUNTS.replace("@TOPIC@", scene.topic()), admin=ANY_PORT, delivery={"drain_timeout": "2s"},
        kafka={"session_timeout_ms": 2000, "max_poll_interval_ms": int(1000 * PATIENCE_S)},
        more_accounts=[{"name": "second", "base_url": "http://hangs.example.com/api/v1", "allow_plaintext": True,
                        "timeout": "2s", "connect_timeout": f"{CONNECT_TIMEOUT_S}s"}],
        env={"LD_PRELOAD": str(hanging_resolver), "SHIM_LOG": str(asked)})
    wait_until("the first look-ups", lambda: worker.check_running() or asked.exists(), show=worker.log_text)
    begin, count = time.monotonic(), 100

    def look_ups():
        return len(asked.read_text().splitlines())
    while time.monotonic() < begin + 2 * PATIENCE_S or look_ups() <= 5:  # until some ask again, too
        more, more_expected = scene.one_call_history(events=20, contacts=20, partitions=2, first=count)
        scene.produce(more)
        count += len(more)
        for email, ids in more_expected.items():
            expected[email] += ids
        wait_until("the other account's events to be delivered", lambda: worker.check_running() or worker.admin.metrics().value(
            "sendx_worker_events_total", outcome="delivered") == count, show=worker.log_text)
    assert worker.admin.held("main") == set()
    assert worker.admin.metrics().value("sendx_worker_events_pending") == 5
    assert not worker.lines("partition.revoked") and not worker.lines("partition.lost")
    most = 5 * (1 + (time.monotonic() - before) / CONNECT_TIMEOUT_S)
    assert look_ups() <= most, f"{look_ups()} look-ups: calls ask again before they have timed out"
    worker.stop(codes=(0, 1))
    scene.check_delivered(expected)
    scene.check_no_dead_letters()
