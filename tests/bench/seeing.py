"""make bench-seeing: what metrics, sentinel and admin endpoint cost of an event, in instructions, which are alike from
run to run. A worker with the endpoint on reads a backlog of scenario (a) under callgrind; whatever is called in the
files of FILES from outside of them is theirs, with all that it calls itself. Then /metrics and /status.json are asked
for, which is shown by itself: that comes once in so many seconds and not with an event.

    EVENTS=n    10,000"""

import collections
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import WRAP  # noqa: E402

from bench import say, surroundings  # noqa: E402
from events import Backlog  # noqa: E402
from peers import Ours  # noqa: E402

VALGRIND = ["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file={out}"]
EVENTS = int(os.environ.get("EVENTS") or 10000)
ASKED = 20
FILES = ("worker/seeing.c", "rules/sentinel.c", "base/stats.c", "edge/admin.c", "edge/http_log.c")
CALLS_BACK = ("delivery/core_fold.c",)  # called from FILES, and so counted there
ANSWERS = "edge/admin.c"  # /metrics and /status.json are made below admin_step


class Costs:
    """What a file of callgrind says: total, and {(caller, called): (calls, cost)} of the edges between functions,
    which are named (file, function)."""

    def __init__(self, text):
        self.names = {}
        self.total = 0
        self.edges = collections.defaultdict(lambda: [0, 0])
        here = there = None
        called = 0
        for line in text.splitlines():
            found = re.match(r"(c?f[lnie]|cfi|cob|ob)=(.*)", line)
            if found:
                kind, name = found[1], self._name(*found.groups())
                if kind == "fl":
                    file = target = name
                elif kind in ("cfi", "cfl"):
                    target = name
                elif kind == "fn":
                    here, target = (file, name), file
                elif kind == "cfn":
                    there, target = (target, name), file
            elif line.startswith("calls="):
                called = int(line[6:].split()[0])
            elif re.match(r"[+*\d-]", line):
                cost = int(line.split()[1])
                if called:
                    edge = self.edges[here, there]
                    edge[0] += called
                    edge[1] += cost
                    called = 0
                else:
                    self.total += cost

    def _name(self, kind, text):
        """Names stand there once, then their number alone: `fn=(3) main`, `fn=(3)`."""
        space = {"cfn": "fn", "cfi": "fl", "cfl": "fl", "fi": "fl", "fe": "fl", "cob": "ob"}.get(kind, kind)
        number, name = re.match(r"\((\d+)\)(?: (.*))?", text).groups()
        if name is not None:
            self.names[space, number] = name
        return self.names[space, number]

    def into(self, files):
        """{function: [calls, cost]} of what is called there from elsewhere."""
        found = collections.defaultdict(lambda: [0, 0])
        for (caller, called), (calls, cost) in self.edges.items():
            if called[0].endswith(files) and not caller[0].endswith(files + CALLS_BACK):
                found[called[1]][0] += calls
                found[called[1]][1] += cost
        return dict(found)


def run(bench, backlog, ask):
    out = bench.folder / f"callgrind-{bench.number()}.out"
    WRAP[:] = [part.format(out=out) for part in VALGRIND]
    job = bench.job("seeing", backlog, "instant", watch_pending=True)
    worker = Ours().start(job)
    bench.kafka.wait_until_finished(job.group, job.topics, worker)
    for _ in range(ASKED if ask else 0):
        worker.admin.metrics()
        worker.admin.status()
    worker.stop()
    return Costs(out.read_text())


def main():
    if not shutil.which("valgrind"):
        sys.exit("bench-seeing: no valgrind here; Debian has it in the package of that name")
    with surroundings() as bench:
        backlog = Backlog(bench.kafka, "seeing", EVENTS, 2000).produce()
        plain = run(bench, backlog, ask=False)
        asked = run(bench, backlog, ask=True)
    found = plain.into(FILES)
    cost = sum(cost for _, cost in found.values())
    say(f"{EVENTS:,} events, {plain.total / EVENTS:,.0f} instructions each\n")
    say("| Called | Calls/event | Instructions/event | Share |\n|---|---|---|---|")
    for name, (calls, instructions) in sorted(found.items(), key=lambda one: -one[1][1]):
        if instructions / plain.total >= 0.00005:
            say(f"| `{name}` | {calls / EVENTS:.2f} | {instructions / EVENTS:.0f} | {instructions / plain.total:.2%} |")
    say(f"| all | | {cost / EVENTS:.0f} | {cost / plain.total:.2%} |\n")
    more = sum(cost for _, cost in asked.into((ANSWERS,)).values()) - sum(
        cost for _, cost in plain.into((ANSWERS,)).values())
    say(f"{more / ASKED:,.0f} instructions for one /metrics and one /status.json")
    say(f"bench-seeing: share={cost / plain.total:.4f}")


if __name__ == "__main__":
    main()
