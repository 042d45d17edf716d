"""make bench-quick: scenario (a) of make bench for sendx-worker, Bento and the ceiling, smaller and without ages.
Prints figures, judges nothing."""

import os

os.environ.setdefault("EVENTS", "100000")

from bench import run_scenario, say, surroundings  # noqa: E402
from events import Backlog  # noqa: E402
from results import line, values  # noqa: E402
from scenarios import Scenario, programs  # noqa: E402

import statistics  # noqa: E402

REPEATS = int(os.environ.get("REPEATS") or 3)


def entries(bench, scenario, found):
    backlog = Backlog(bench.kafka, scenario.key, scenario.events, 20000).produce()

    def entry(program):
        return lambda: bench.run_backlog(program, bench.job(program.name, backlog, "instant"), backlog.events)
    return {**{program.name: entry(program) for program in found if program.name in ("ours", "bento")},
            "ceiling": lambda: bench.run_ceiling("instant", scenario.events)}


def main():
    scenario = Scenario("a", "An API that answers at once, 64 in flight", 100000, entries)
    found = programs(lambda text: say(text) if "Bento" in text else None)
    say(f"{scenario.title}: {scenario.events:,} events, {REPEATS} repeats")
    with surroundings() as bench:
        runs = run_scenario(bench, scenario, found, REPEATS)
    for name in runs:
        say(line(scenario.key, name, runs[name], runs["ours"]))

    def median(name, figure):
        return statistics.median(values(runs[name], figure))
    parts = {"ours/ceiling": f"{median('ours', 'events_s') / median('ceiling', 'events_s'):.2f}"}
    if "bento" in runs:
        parts = {"ours/bento": f"{median('ours', 'events_s') / median('bento', 'events_s'):.2f}", **parts,
                 "cpu_ratio": f"{median('ours', 'cpu_us') / median('bento', 'cpu_us'):.2f}"}
    parts["memory_mb"] = f"{median('ours', 'peak_mb'):.0f}"
    say("bench-quick: " + " ".join(f"{name}={value}" for name, value in parts.items()))


if __name__ == "__main__":
    main()
