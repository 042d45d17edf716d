"""What measured: the machine, its system and the version under test, for results that are kept."""

import os
import pathlib
import platform
import subprocess

from harness import ROOT


def git(*words):
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout.strip()


def conditions():
    model = next((text.split(":", 1)[1].strip() for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if text.startswith("model name")), platform.machine())
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")  # results stand in docs
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {"cpu": model, "processors": len(os.sched_getaffinity(0)), "system": system,
            "kernel": platform.release(), "version": (ROOT / "VERSION").read_text().strip(),
            "commit": git("describe", "--always") + ("-dirty" if changed else "")}
