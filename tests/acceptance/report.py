"""What the long tests leave behind: a line per test, and a table of the samples of one that takes some."""

import csv
import datetime
import os

from harness import BUILD
from machine import conditions

FOLDER = BUILD / "acceptance"


def write_samples(name, columns, samples):
    """NAME.csv with a line per sample."""
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(samples)


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
