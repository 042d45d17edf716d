"""make bench-parts: what one event costs, by part. A worker reads a backlog twice in scenario (a): once for its CPU
time per event, once under perf, whose samples share that time out. Writes a table to standard output.

    EVENTS=n    200,000"""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys

from bench import say, surroundings
from events import Backlog
from peers import Ours

from harness import ROOT, TIED

EVENTS = int(os.environ.get("EVENTS") or 200000)
HERTZ = 997
RENDER, MATCH = "render: templates to calls", "match: rules, conditions"
QUEUE, ACKNOWLEDGE = "queue: ledger slots, lanes, gate", "acknowledge: verdict, settling, commits"
PARSE, REQUEST = "parse: bytes to JSON", "write the request: URL, headers, body"
READ, CURL = "read: records from librdkafka", "libcurl, and the edge around it"
BROKER, LOOP, OTHER = "librdkafka's threads", "the loop", "not told apart"
KERNEL_HTTP, KERNEL_LOOP = "kernel: HTTP's sockets", "kernel: waiting and the rest"
KERNEL_BROKER = "kernel: librdkafka's threads"
ORDER = [READ, PARSE, MATCH, RENDER, QUEUE, REQUEST, CURL, KERNEL_HTTP, ACKNOWLEDGE, LOOP, KERNEL_LOOP, BROKER,
         KERNEL_BROKER, OTHER]

# Where the nearest function of ours is decides; base/ serves all, so there its caller does. A file, or with / or _ at
# the end what its name begins with.
FILES = {"rules/decode": PARSE, "rules/rule": RENDER, "rules/": MATCH,
         "sendx/model": REQUEST, "sendx/wire": REQUEST,
         "sendx/call": RENDER, "sendx/": ACKNOWLEDGE, "delivery/core_settle": ACKNOWLEDGE,
         "delivery/core_parts": ACKNOWLEDGE, "delivery/budget": ACKNOWLEDGE, "delivery/retry": ACKNOWLEDGE,
         "delivery/": QUEUE, "edge/http": CURL, "edge/http_": CURL, "edge/kafka": READ,
         "edge/kafka_": READ, "worker/rebalance": ACKNOWLEDGE, "worker/": LOOP}
# Functions that say more than their file; under one of RENDERING the evaluator works for a call, else for a condition.
FUNCTIONS = {"worker_take": QUEUE, "worker_send": QUEUE, "flight_done": ACKNOWLEDGE, "apply_once": MATCH,
             "rule_apply": MATCH}
RENDERING = {"render_text", "render_setting", "render_emails", "render_email", "render_tags", "render", "fill_draft",
             "put_text", "put_tags", "add_tags", "finish_tags", "text_of"}


def functions():
    """{function: file without src/ and .c}, by the return type on a line of its own; names that stand in two files
    are left out, their callers tell."""
    found = collections.defaultdict(set)
    for path in (ROOT / "src").rglob("*.c"):
        for name in re.findall(r"^([a-z_0-9]+)\(", path.read_text(), re.MULTILINE):
            found[name].add(str(path.relative_to(ROOT / "src").with_suffix("")))
    return {name: files.pop() for name, files in found.items() if len(files) == 1}


def own_part(frames, known):
    jansson = False
    for at, (symbol, where) in enumerate(frames):
        jansson = jansson or "libjansson" in where
        file = known.get(symbol) if "sendx-worker" in where else None
        if file is None or file.startswith("base/"):
            continue
        if symbol in FUNCTIONS:
            return PARSE if jansson and FUNCTIONS[symbol] in (QUEUE, MATCH) else FUNCTIONS[symbol]
        part = next((part for name, part in FILES.items()
                     if file == name or name[-1] in "/_" and file.startswith(name)), OTHER)
        if part == MATCH:
            if any(symbol in RENDERING for symbol, _ in frames[at:]):
                return RENDER
            return PARSE if jansson else MATCH
        return part
    # A stack that perf could not follow to its root; nobody but edge/http calls libcurl.
    return CURL if any("libcurl" in where for _, where in frames) else OTHER


def part_of(thread, frames, known):
    kernel = "kernel" in frames[0][1]
    if thread.startswith("rdk:"):
        return KERNEL_BROKER if kernel else BROKER
    if kernel:
        http = any("libcurl" in where or known.get(symbol, "").startswith("edge/http") for symbol, where in frames)
        return KERNEL_HTTP if http else KERNEL_LOOP
    return own_part(frames, known)


def shares(perf_data):
    """{part: share of the samples}"""
    script = subprocess.run(["perf", "script", "-i", perf_data, "--no-inline", "-F", "comm,tid,ip,sym,dso"],
                            capture_output=True, text=True, check=True).stdout
    known, counted = functions(), collections.Counter()
    for sample in script.split("\n\n"):
        head, *stack = sample.strip("\n").splitlines() or [""]
        frames = [(found[1], found[2]) for found in
                  (re.match(r"\s*[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$", frame) for frame in stack) if found]
        if frames:
            counted[part_of(head.split()[0], frames, known)] += 1
    total = sum(counted.values())
    return {part: count / total for part, count in counted.items()}, total


def run_under_perf(bench, job, backlog):
    data = bench.folder / "perf.data"
    before = bench.api.requests()
    worker = Ours().start(job)
    perf = subprocess.Popen([*TIED, "perf", "record", "-q", "-F", str(HERTZ), "--call-graph", "dwarf,4096", "-o", data,
                             "-p", str(worker.pid)], stderr=subprocess.DEVNULL)
    try:
        bench.watch([worker], job, backlog.events, before)
    finally:
        perf.send_signal(signal.SIGINT)
        perf.wait()
        worker.end()
    return data


def main():
    if not shutil.which("perf"):
        sys.exit("bench-parts: no perf here; Debian has it in the package linux-perf")
    with surroundings() as bench:
        backlog = Backlog(bench.kafka, "parts", EVENTS, 20000).produce()
        plain = bench.run_backlog(Ours(), bench.job("plain", backlog, "instant"), EVENTS)
        found, samples = shares(run_under_perf(bench, bench.job("perf", backlog, "instant"), backlog))
    say(f"{EVENTS:,} events, {plain['events_s']:,.0f} a second, {plain['cpu_us']:.1f} µs of CPU each; shared out by "
        f"{samples:,} samples\n")
    say("| Part | CPU µs/event | Share |\n|---|---|---|")
    for part in ORDER:
        if part in found:
            say(f"| {part} | {found[part] * plain['cpu_us']:.1f} | {found[part]:.0%} |")


if __name__ == "__main__":
    main()
