"""What the long tests leave behind: a line per test, and a table and a plot of the samples of one that takes some."""

import csv
import datetime
import os

from harness import BUILD
from machine import conditions

FOLDER = BUILD / "acceptance"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 300, 64, 40, 30


def write_samples(name, columns, samples):
    """NAME.csv with a line per sample."""
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(samples)


def plot(name, title, unit, series, spell=None, folder=FOLDER):
    """NAME.svg in the folder: series are {label: [(seconds, value), …]}; spell is (begin, end) of the time to shade."""
    last = max(x for points in series.values() for x, _ in points) or 1
    top = max(y for points in series.values() for _, y in points) * 1.15 or 1

    def place(x, y):
        return LEFT + (WIDTH - LEFT - 16) * x / last, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/><text x="{LEFT}" y="18">{title}</text>']
    if spell:
        (begin, floor), (end, ceiling) = place(spell[0], 0), place(spell[1], top)
        parts.append(f'<rect x="{begin:.1f}" y="{ceiling:.1f}" width="{end - begin:.1f}" height="{floor - ceiling:.1f}" '
                     'fill="#f3e3e0"/>')
    for n in range(5):
        (x, y), value = place(0, top * n / 4), top * n / 4
        parts.append(f'<line x1="{x}" x2="{WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
        x, y = place(last * n / 4, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{last * n / 4:.0f} s</text>')
    for (label, points), colour in zip(series.items(), ("#1f5fa8", "#c05020", "#3a8a3a")):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{place(*points[-1])[0] - 4:.1f}" y="{place(*points[-1])[1] - 6:.1f}" fill="{colour}" '
                     f'text-anchor="end">{label}, {unit}</text>')
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text("\n".join([*parts, "</svg>", ""]))


SHORTENING = ("OUTAGE_SECONDS", "ACCEPTANCE_EVENTS", "WAITING_EVENTS")


class Results:
    """A plugin of pytest that writes FOLDER/results.md when the session ends."""

    def __init__(self, folder):
        self.folder, self.rows = folder, []
        self.begin, self.how = datetime.datetime.now(), conditions()

    def pytest_runtest_logreport(self, report):
        if report.when != "call" and report.passed:
            return
        told = [text for name, text in report.user_properties if name == "figures"]
        if not report.passed:
            told.append(getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr)).splitlines()[0])
        name = report.nodeid.rpartition("/")[2]
        self.rows.append((name, report.outcome if report.when == "call" else f"{report.outcome} ({report.when})",
                          f"{report.duration:.0f}", "; ".join(told)))

    def pytest_sessionfinish(self):
        if not self.rows:
            return
        shortened = [f"{name}={os.environ[name]}" for name in SHORTENING if os.environ.get(name)]
        how = self.how
        lines = [
            "# Results of the acceptance tests", "", "<!-- Written by make acceptance. -->", "",
            f"The last run: {self.begin:%Y-%m-%d}, {how['version']} ({how['commit']}), {how['processors']} × {how['cpu']}, "
            f"{how['system']}, Linux {how['kernel']}." + (f" Shortened: {', '.join(shortened)}." if shortened else ""), "",
            "| Test | Outcome | Seconds | Figures |", "|---|---|---:|---|",
            *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows)]
        picture = self.folder / "memory.svg"
        if picture.exists() and picture.stat().st_mtime >= self.begin.timestamp():  # not that of an earlier run
            lines += ["", f"![]({picture.name})"]
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "results.md").write_text("\n".join([*lines, ""]))
