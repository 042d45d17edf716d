"""The rate limit is the group's: three processes on eight partitions, one joins and one leaves."""

import time

import pytest

from harness import let_pass, wait_until
from worker import ANY_PORT

RATE, PARTITIONS, WINDOW_MS = 200, 8, 5000
BACKLOG_S = 90  # so long the events last
STEADY_S, LEAST_USED = 6, 0.9


class Spells:
    """Times in which the assignment stands still. A bucket holds 100 ms, so a process that the machine keeps waiting for
    longer cannot use its share: such a spell says nothing, and another follows it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.good, self.spoilt = [], []  # (begin, end) by the clock, in ms
        self.used = []

    def steady(self):
        def well_used():
            after, begin = self.sandbox.last_seq(), time.time() * 1000
            let_pass(STEADY_S)
            end = time.time() * 1000
            calls = sum(begin <= request["started_ms"] < end for request in self.sandbox.requests(after))
            self.used.append(calls / ((end - begin) / 1000 * RATE))
            well = self.used[-1] >= LEAST_USED
            (self.good if well else self.spoilt).append((begin, end))
            return well
        wait_until(f"a spell in which {LEAST_USED:.0%} of the limit are used", well_used, every=0,
                   show=lambda: f"used: {self.used}")

    def used_overall(self, times):
        """From the first good spell to the last, the changes between them included and the spoilt ones left out."""
        begin, end = self.good[0][0], self.good[-1][1]
        spoilt = [(a, b) for a, b in self.spoilt if a >= begin]
        calls = sum(begin <= at < end and not any(a <= at < b for a, b in spoilt) for at in times)
        return calls / ((end - begin - sum(b - a for a, b in spoilt)) / 1000 * RATE)


def owned(worker):
    return worker.admin.metrics().value("sendx_worker_partitions_owned")


def wait_balanced(workers):
    """Each process has its part, none has too much, and their shares of the limit add up to it."""
    def balanced():
        parts = [owned(worker) for worker in workers]
        shares = [worker.admin.metrics().value("sendx_worker_account_rate_limit", account="main") for worker in workers]
        return sum(parts) == PARTITIONS and max(parts) - min(parts) <= 1 and sum(shares) == pytest.approx(RATE)
    wait_until("the partitions to be shared out", balanced, show=lambda: [(worker.name, owned(worker)) for worker in workers])


def check_limit(times, processes):
    """In no window of 5 s more than the limit, 5 % and one call per process."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - WINDOW_MS:
            first += 1
        most = max(most, last - first + 1)
    assert most <= RATE * WINDOW_MS / 1000 * 1.05 + processes, f"{most} calls in a window of 5 s"
    return most


def test_the_limit_holds_for_the_group_through_a_join_and_a_leave(scene):
    scene.create_topics(events=PARTITIONS)
    records, _ = scene.one_call_history(events=RATE * BACKLOG_S, contacts=RATE * BACKLOG_S, partitions=PARTITIONS)
    scene.produce(records)
    settings = {"account": {"rate_limit": float(RATE)}, "admin": ANY_PORT}
    spells = Spells(scene.sandbox)
    first, second = (scene.start_worker(name, **settings) for name in ("first", "second"))
    wait_balanced([first, second])
    spells.steady()
    third = scene.start_worker("third", **settings)
    wait_balanced([first, second, third])
    spells.steady()
    first.stop()
    wait_balanced([second, third])
    spells.steady()
    requests = scene.sandbox.requests()
    second.stop()
    third.stop()
    times = sorted(request["started_ms"] for request in requests)
    most = check_limit(times, processes=3)
    overall = spells.used_overall(times)
    print(f"most in 5 s: {most}; used in steady spells: {[f'{u:.3f}' for u in spells.used]}; overall {overall:.3f}")
    assert overall >= LEAST_USED, f"{overall:.3f} of the limit used; in steady spells {spells.used}"
    scene.sandbox.check_no_overlap()
    emails = [request["email"] for request in scene.sandbox.requests()]
    assert len(emails) == len(set(emails)), "something was sent twice"


def test_without_work_nothing_is_saved_up(scene):
    """An idle bucket holds 100 ms: after a rest there is no burst."""
    scene.create_topics(events=1)
    worker = scene.start_worker(account={"rate_limit": 100.0})
    worker.wait_assigned(scene.partitions)
    let_pass(1.5)  # the rest, in which nothing may be saved up
    records, expected = scene.one_call_history(events=150, contacts=150, partitions=1)
    scene.produce(records)
    scene.wait_until_finished(worker)
    worker.stop()
    times = sorted(request["started_ms"] for request in scene.sandbox.requests())
    assert times[-1] - times[0] >= 1000 * (150 - 10 - 1) / 100 * 0.95, "quicker than the limit allows"
    scene.check_delivered(expected)
