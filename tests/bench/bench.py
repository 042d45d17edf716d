"""make bench: sendx-worker, its peers and the ceiling side by side, on a real Kafka and an nginx of this machine.

    EVENTS=n      events of each scenario, instead of its own number
    REPEATS=n     runs of each program in each scenario; 5
    SCENARIOS=…   which, e.g. a,b,contacts; all
    PROGRAMS=…    which, e.g. ours,bento; all that are there
    RESULTS=…     the folder for results.md, results.json and plots; docs/bench

Prints figures and sets them beside the aims; it fails only when something cannot run."""

import contextlib
import datetime
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import ROOT, Process  # noqa: E402
from kafka import Kafka  # noqa: E402
from machine import conditions  # noqa: E402

import results as store  # noqa: E402
from measure import Bench  # noqa: E402
from scenarios import SCENARIOS, aims, programs  # noqa: E402

PEERS = ("bento", "bento_plain", "parallel", "hand")
SAMPLES_KEPT = 100
REPEATS = int(os.environ.get("REPEATS") or 5)
RESULTS = pathlib.Path(os.environ.get("RESULTS") or ROOT / "docs" / "bench").resolve()


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def surroundings():
    """A Kafka, an API and a folder, gone afterwards however it ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    (folder / "kafka").mkdir()
    kafka = Kafka(folder / "kafka")
    try:
        kafka.start()
        yield Bench(folder, kafka)
    finally:
        for process in reversed(Process.started):
            process.end()
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


def chosen():
    keys = [key for key in os.environ.get("SCENARIOS", "").replace(",", " ").split() if key]
    unknown = set(keys) - {scenario.key for scenario in SCENARIOS}
    if unknown:
        sys.exit(f"bench: no scenario {', '.join(sorted(unknown))}; there are "
                 f"{', '.join(scenario.key for scenario in SCENARIOS)}")
    return [scenario for scenario in SCENARIOS if not keys or scenario.key in keys]


def attempt(name, run):
    """A run of a peer that crashes or never commits is noted, and the others go on; ours must not."""
    try:
        return run()
    except AssertionError as problem:
        if name not in PEERS:
            raise
        return {"cut_short": str(problem).splitlines()[0]}


def run_scenario(bench, scenario, found, repeats):
    """{name: [runs]}; the entries take turns, so that what the machine does meanwhile meets all of them."""
    entries = scenario.make(bench, scenario, found)
    runs = {name: [] for name in entries}
    for repeat in range(1, repeats + 1):
        for name, run in entries.items():
            if repeat > scenario.rounds.get(name, repeats):
                continue
            runs[name].append(attempt(name, run))
            say(f"  {repeat} {store.line(scenario.key, name, runs[name][-1:], [])}")
    return runs


def keep(results, scenario, runs):
    for found in runs.values():
        for run in found:
            memory = run.pop("memory", [])
            if scenario.key == "g":  # enough to draw it, and to see it grow
                run["memory"] = [[round(t, 1), round(mb, 1)] for t, mb in memory[::1 + len(memory) // SAMPLES_KEPT]]
    results[scenario.key] = {
        "title": scenario.title, "events": scenario.events, "repeats": REPEATS, "note": scenario.note,
        "when": datetime.date.today().isoformat(), "conditions": conditions(), "runs": runs}
    store.save(RESULTS, results)


def say_aims(results, keys):
    for key, what, relation, aim, value in aims(results):
        if key in keys and value is not None:
            reached = value >= aim if relation == "≥" else value <= aim
            say(f"aim ({key}) {what} {relation} {aim:g}: {value:.3g}, {'reached' if reached else 'missed'}")


def main():
    todo = chosen()
    found = programs(say)
    results = store.load(RESULTS)
    with surroundings() as bench:
        for scenario in todo:
            if scenario.key == "d" and not found[0].folds:
                say(f"({scenario.key}) left out: this sendx-worker has no setting delivery.fold")
                continue
            say(f"({scenario.key}) {scenario.title}: {scenario.events:,} events, {REPEATS} repeats")
            runs = run_scenario(bench, scenario, found, REPEATS)
            for name in runs:
                say(store.line(scenario.key, name, runs[name], runs.get("ours", [])))
            keep(results, scenario, runs)
            bench.forget_topics()
    say_aims(results, {scenario.key for scenario in todo})
    say(f"bench: written to {RESULTS}/results.md")


if __name__ == "__main__":
    main()
