"""Plays the scenarios against a real three-node Kafka: `play.py [--long] [--seed N] [--times N] [--keep FILE] [NAME…]`.

Says a line for each, a table at the end, and last the sums. Exit status 1 if one failed. Parts of names are
enough; the logs of those that failed are kept in build/test-results/chaos.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

# pylint: disable=wrong-import-position,unused-import
import scenarios_brokers  # noqa: E402,F401
import scenarios_features  # noqa: E402,F401
import scenarios_judge  # noqa: E402,F401
import scenarios_outages  # noqa: E402,F401
import scenarios_topics  # noqa: E402,F401
import scenarios_workers  # noqa: E402,F401
from cluster import Cluster  # noqa: E402
from harness import BUILD, ROOT  # noqa: E402
from registry import SCENARIOS  # noqa: E402
from stage import Context, Skip, Stage  # noqa: E402

RESULTS = ROOT / "build" / "test-results" / "chaos"
KEEP_ALL = "CHAOS_KEEP" in os.environ  # logs of those that went well, too
LANES = int(os.environ.get("CHAOS_LANES", "3"))  # scenarios that are played side by side
FIGURES = ("events", "calls", "lost", "ahead", "order", "duplicates", "allowed", "beyond")


class Result:
    def __init__(self, scenario):
        self.scenario = scenario
        self.outcome, self.why, self.seconds, self.figures, self.notes = "ok", "", 0.0, {}, {}

    def figure(self, name):
        return self.figures.get(name, 0)

    def line(self):
        words = [f"{name}={value}" for name, value in {**self.figures, **self.notes}.items()]
        return f"{self.scenario.name:<40} {self.outcome:<7} {self.seconds:6.1f} s  {' '.join(words)}{self.why and ': ' + self.why}"


# --- one scenario --------------------------------------------------------------------------------------

def play(scenario, context, folder, say):
    result = Result(scenario)
    folder.mkdir(parents=True)
    begin = time.monotonic()
    stage = Stage(context, folder, f"{scenario.name}-{time.time_ns() // 1000 % 10**9}", scenario.planned)
    try:
        scenario.play(stage)
        weigh(stage, scenario, result)
    except Skip as skip:
        result.outcome, result.why = "skipped", str(skip)
    except Exception as failure:
        result.outcome, result.why = "FAILED", str(failure).strip().splitlines()[0] if str(failure) else repr(failure)
        (folder / "failure").write_text(traceback.format_exc())
        try:  # what the judge thinks of it is worth knowing, too
            weigh(stage, scenario, result)
        except Exception:
            (folder / "failure").open("a").write("\n" + traceback.format_exc())
    finally:
        stage.close()
        if scenario.brokers:
            context.cluster.restore()
    result.notes.update(stage.notes)
    result.seconds = time.monotonic() - begin
    if result.outcome == "FAILED" or KEEP_ALL:
        shutil.copytree(folder, RESULTS / folder.name, ignore=lambda _folder, names: {name for name in names if name == "notify"})
    if result.outcome == "FAILED":
        result.why += f" (seed {context.seed}, logs in {(RESULTS / folder.name).relative_to(ROOT)})"
    shutil.rmtree(folder, ignore_errors=True)
    say(result.line())
    return result


def weigh(stage, scenario, result):
    if not scenario.judged or stage.sampler is None:
        return
    verdict = stage.judge()
    result.figures = {"events": verdict.events, "calls": verdict.calls, "lost": len(verdict.lost),
                      "ahead": len(verdict.ahead), "order": len(verdict.order), "duplicates": len(verdict.duplicates),
                      "allowed": 0 if scenario.planned else verdict.bound,
                      "beyond": len(verdict.duplicates if scenario.planned else verdict.beyond)}
    write_evidence(stage, verdict)
    problems = verdict.problems(scenario.planned)
    if problems:
        result.outcome = "FAILED"
        result.why = "; ".join([result.why] * bool(result.why) + problems)


def write_evidence(stage, verdict):
    """What the verdict rests on, beside the logs."""
    (stage.folder / "verdict").write_text("\n".join(
        f"{kind}: {one}" for kind in ("lost", "ahead", "order", "duplicates", "beyond") for one in getattr(verdict, kind)))
    (stage.folder / "commits").write_text("\n".join(
        f"{topic}:{partition} {commit}" for (topic, partition), commits in stage.sampler.changes.items() for commit in commits))
    (stage.folder / "disturbances").write_text("\n".join(map(str, stage.disturbances)))
    (stage.folder / "calls").write_text("\n".join(map(json.dumps, stage.sandbox.requests())))


# --- all of them -----------------------------------------------------------------------------------------

def chosen(names):
    found = [one for one in SCENARIOS if not names or any(name in one.name for name in names)]
    if not found:
        sys.exit(f"chaos: no scenario is called like {' or '.join(names)}")
    return found


def play_all(context, folder, scenarios, say):
    """Those that leave the brokers alone side by side, then the others one after the other."""
    numbered = list(enumerate(scenarios))

    def play_one(number, one):
        return play(one, context, folder / f"{number}-{one.name}", say)
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        calm = [lanes.submit(play_one, number, one) for number, one in numbered if not one.brokers]
        results = [future.result() for future in calm]
    return results + [play_one(number, one) for number, one in numbered if one.brokers]


def table(results):
    """Markdown, for docs/reliability.md."""
    rows = ["| Scenario | Outcome | " + " | ".join(FIGURES) + " |", "|---|---|" + "---:|" * len(FIGURES)]
    for result in results:
        figures = [str(result.figures.get(name, "")) for name in FIGURES]
        rows.append(f"| {result.scenario.name.replace('_', ' ')} | {result.outcome} | {' | '.join(figures)} |")
    return "\n".join(rows)


def keep(path, text):
    """Puts the table between the marks of the document."""
    begin, end = "<!-- chaos: begin -->\n", "<!-- chaos: end -->\n"
    before, rest = path.read_text().split(begin)
    path.write_text(before + begin + text + "\n" + end + rest.split(end)[1])


def summary(results):
    def total(name, planned=None):
        return sum(result.figure(name) for result in results if planned is None or result.scenario.planned == planned)
    played = [result for result in results if result.outcome != "skipped"]
    return (f"chaos: scenarios={len(played)} lost={total('lost')} ahead={total('ahead')} order={total('order')} "
            f"duplicates_planned={total('duplicates', True)} duplicates_crash={total('duplicates', False)} "
            f"allowed_crash={total('allowed', False)} beyond_crash={total('beyond', False)} "
            f"failed={sum(result.outcome == 'FAILED' for result in results)} skipped={len(results) - len(played)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    scenarios, lock = chosen(asked.names) * asked.times, threading.Lock()

    def say(line):
        with lock:
            print(line, flush=True)
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    begin = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    cluster = Cluster(folder / "cluster")
    try:
        cluster.start()
        context = Context(cluster, asked.long, asked.seed)
        say(f"chaos: seed {asked.seed}, programs in {BUILD.relative_to(ROOT)}, cluster up after {time.monotonic() - begin:.1f} s")
        results = play_all(context, folder, scenarios, say)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    text = f"{table(results)}\n\n`{summary(results)}`"
    (RESULTS / "table.md").write_text(text + "\n")
    if asked.keep:
        keep(asked.keep, text)
    print(f"\n{table(results)}\n\ntook {time.monotonic() - begin:.0f} s\n{summary(results)}")
    return 1 if any(result.outcome == "FAILED" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
