"""What make bench leaves behind: results.json with every run, results.md with the tables, plots beside them."""

import json
import statistics

from plots import bars, curves
from scenarios import SCENARIOS, aims

TITLES = {"ours": "sendx-worker", "ours_even": "sendx-worker, all contacts alike", "bento": "Bento 1.10.0",
          "bento_plain": "Bento 1.10.0 as it comes", "parallel": "Parallel Consumer 0.5.3.3",
          "hand": "one call at a time", "ceiling": "the ceiling"}
# figure, heading, format
COLUMNS = [("events_s", "events/s", "{:,.0f}"), ("seconds", "seconds", "{:.1f}"),
           ("calls_event", "calls/event", "{:.3f}"), ("cpu_us", "CPU µs/event", "{:.1f}"),
           ("peak_mb", "peak memory, MB", "{:.0f}"), ("pending", "most pending", "{:,.0f}"),
           ("age_p50_ms", "age p50, ms", "{:.1f}"), ("age_p99_ms", "age p99, ms", "{:.1f}"), ("start_ms", "ms from start to the first call", "{:.0f}"),
           ("assigned_ms", "ms from assignment to it", "{:.0f}")]


def values(runs, figure):
    return [run[figure] for run in runs if run.get(figure) is not None]


def show(runs, figure, form):
    """Median and spread: 12,345 (11,900–12,800)"""
    found = values(runs, figure)
    if not found:
        return "–"
    text = form.format(statistics.median(found))
    ends = [form.format(end) for end in (min(found), max(found))]
    return text if len(found) == 1 or ends[0] == ends[1] else f"{text} ({ends[0]}–{ends[1]})"


def within_noise(one, other):
    """Whether the two ranges overlap: repeats then do not tell the two apart."""
    return bool(one and other) and min(one) <= max(other) and min(other) <= max(one)


def against_ours(runs, mine):
    one, other = values(mine, "events_s"), values(runs, "events_s")
    if not one or not other or runs is mine:
        return ""
    ratio = f"{statistics.median(one) / statistics.median(other):.2f}"
    return f"{ratio}, within the noise" if within_noise(one, other) else ratio


def line(key, name, runs, mine):
    """The line that stands on the terminal."""
    parts = [f"{heading} {show(runs, figure, form)}" for figure, heading, form in COLUMNS if values(runs, figure)]
    ratio = against_ours(runs, mine)
    cut = [run["cut_short"] for run in runs if run.get("cut_short")]
    return (f"({key}) {TITLES.get(name, name)}: " + "; ".join(parts) + (f"; ours ÷ it {ratio}" if ratio else "") +
            (f"; cut short {cut[0]}" if cut else ""))


def load(folder):
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(folder, results):
    """Scenarios that did not run this time keep what they had; each says when and how it was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(report(results))
    plot_all(folder, results)


def table(result):
    columns = [column for column in COLUMNS if any(values(runs, column[0]) for runs in result["runs"].values())]
    mine = result["runs"].get("ours", [])
    heads = ["", *(heading for _, heading, _ in columns), *(["ours ÷ it"] if mine and len(result["runs"]) > 1 else [])]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for name, runs in result["runs"].items():
        cells = [TITLES.get(name, name), *(show(runs, figure, form) for figure, _, form in columns)]
        if mine and len(result["runs"]) > 1:
            cells.append(against_ours(runs, mine))
        yield "| " + " | ".join(cells) + " |"


def remarks(result):
    for name, runs in result["runs"].items():
        if len(runs) < result["repeats"]:
            yield f"{TITLES.get(name, name)} ran {'once' if len(runs) == 1 else f'{len(runs)} times'}"
        cut = [run["cut_short"] for run in runs if run.get("cut_short")]
        if cut:
            yield f"{TITLES.get(name, name)} was cut short: {cut[0]}" + (f" (and {len(cut) - 1} more)" if cut[1:] else "")
        protocols = sorted({run["protocol"] for run in runs if run.get("protocol")})
        if protocols and protocols != ["HTTP/1.1"]:
            yield f"{TITLES.get(name, name)} spoke {', '.join(protocols)}"
        if any(run.get("live_stalled") for run in runs):
            yield f"{TITLES.get(name, name)} did not deliver all events of the steady pace"


def report(results):
    lines = ["# Benchmark results", "",
             "<!-- Written by make bench. docs/performance.md says what is measured and how. -->", "",
             "Medians of the repeats, with the smallest and the largest in brackets. Where the ranges of two programs",
             "overlap, their difference is called within the noise.", "", "## Aims", "",
             "| Scenario | What | Aim | Measured | |", "|---|---|---|---|---|"]
    for key, what, relation, aim, value in aims(results):
        reached = value is not None and (value >= aim if relation == "≥" else value <= aim)
        lines.append(f"| {key} | {what} | {relation} {aim:g} | {'not measured' if value is None else f'{value:.3g}'} | "
                     f"{'' if value is None else 'reached' if reached else 'missed'} |")
    for scenario in SCENARIOS:
        result = results.get(scenario.key)
        if not result:
            continue
        how = result["conditions"]
        lines += ["", f"## ({scenario.key}) {result['title']}", "",
                  f"{result['events']:,} events, {result['repeats']} repeats in turn; {result['when']}, "
                  f"{how['version']} ({how['commit']}), {how['processors']} × {how['cpu']}, {how['system']}, "
                  f"Linux {how['kernel']}.", ""]
        lines += [result["note"][0].upper() + result["note"][1:], ""] if result["note"] else []
        lines += table(result)
        notes = list(remarks(result))
        lines += ["", *(f"- {note}" for note in notes)] if notes else []
        lines += ["", f"![]({scenario.key}.svg)"] if plotted(scenario.key, result) else []
    return "\n".join([*lines, ""])


def plotted(key, result):
    return any(values(runs, "events_s") for runs in result["runs"].values())


def plot_all(folder, results):
    for key, result in results.items():
        if not plotted(key, result):
            continue
        figure, unit = ("cpu_us", "CPU µs per event") if key in ("contacts", "pending") else ("events_s", "events/s")
        if key == "g":
            plot_memory(folder, result)
            continue
        points = {TITLES.get(name, name): values(runs, figure) for name, runs in result["runs"].items()}
        bars(folder / f"{key}.svg", f"({key}) {result['title']}", unit, points)


def plot_memory(folder, result):
    series = {TITLES[name]: runs[-1]["memory"] for name, runs in result["runs"].items() if runs and runs[-1].get("memory")}
    if series:
        curves(folder / "g.svg", f"(g) {result['title']}: resident memory", "MB", series)
