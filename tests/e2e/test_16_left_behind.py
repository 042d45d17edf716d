"""However a run of tests or of the benchmark ends, nothing that it started goes on."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from harness import HANG_GUARD_S, ROOT, TIED, wait_until

HERE = pathlib.Path(__file__).resolve().parent
BENCH = """
import sys, time
sys.path[:0] = [{bench!r}]
from bench import surroundings
with surroundings():
    print("all is up", flush=True)
    time.sleep(1000)
"""
# Everything that a test can start.
TESTS = """
import sys
sys.path[:0] = [{here!r}]
from fixtures import authority, kafka, scene
from test_38_page import browser, url, Page
from terminal import Terminal
from tls import TlsProxy
from worker import ANY_PORT

def test_that_is_not_let_finish(scene, authority, browser):
    scene.create_topics(events=1)
    TlsProxy(scene.folder, scene.sandbox.address, authority.certificate("api", "IP:127.0.0.1"))
    worker = scene.start_worker(admin=ANY_PORT)
    page = Page(browser, url(worker))
    terminal = Terminal("top", "--url", url(worker))
    open({up!r}, "w").write("all is up")
    page.page.wait_for_timeout(1000_000)
"""


def stat(pid):
    """(parent, state, when it began), or None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0], fields[19]


def descendants(root):
    """{pid: (when it began, its arguments)} of all that run below the process."""
    stats = {int(path.name): found for path in pathlib.Path("/proc").iterdir()
             if path.name.isdigit() and (found := stat(path.name))}
    below, more = {root}, True
    while more:
        more = {pid for pid, (parent, _, _) in stats.items() if parent in below} - below
        below |= more
    return {pid: (stats[pid][2], pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
            for pid in below - {root} if stats[pid][1] != "Z"}


def running(processes):
    """Those that still run; what waits to be fetched by its parent does not."""
    now = {pid: stat(pid) for pid in processes}
    return {pid: words[:100] for pid, (began, words) in processes.items()
            if now[pid] and now[pid][1] != "Z" and now[pid][2] == began}


def end_and_look(process, signum, *needed):
    """Everything that the process started is gone after the signal; `needed` are words of what it must have been."""
    started = descendants(process.pid)
    words = b"\n".join(words for _, words in started.values())
    missing = [one for one in needed if one not in words]
    process.send_signal(signum)
    process.wait(HANG_GUARD_S)
    try:
        wait_until("all to be gone", lambda: not running(started), show=lambda: running(started))
    finally:
        for pid in running(started):
            os.kill(pid, signal.SIGKILL)
    assert not missing, f"it was not up: {missing}"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_benchmark_that_is_ended_leaves_nothing(tmp_path, signum):
    program = BENCH.format(bench=str(ROOT / "tests/bench"))
    with open(tmp_path / "out", "wb") as out:
        bench = subprocess.Popen([*TIED, sys.executable, "-c", program], stdout=out, stderr=out,
                                 env={**os.environ, "TMPDIR": str(tmp_path)})
    said = tmp_path / "out"
    wait_until("Kafka and nginx", lambda: "all is up" in said.read_text() or bench.poll() is not None, show=said.read_text)
    assert bench.poll() is None, said.read_text()
    end_and_look(bench, signum, b"nginx", b"kafka.Kafka")
    if signum != signal.SIGKILL:
        assert not list(tmp_path.glob("bench-*")), "its folder is left"


@pytest.mark.parametrize("beside", [[], ["-n", "1"]], ids=["alone", "with xdist"])
def test_tests_that_are_killed_leave_nothing(tmp_path, beside):
    up = tmp_path / "up"
    (tmp_path / "test_inner.py").write_text(TESTS.format(here=str(HERE), up=str(up)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with open(tmp_path / "out", "wb") as out:
        inner = subprocess.Popen([*TIED, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *beside,
                                  f"--basetemp={tmp_path}/inner", tmp_path], stdout=out, stderr=out, cwd=tmp_path)
    said = tmp_path / "out"
    wait_until("all to be up", lambda: up.exists() or inner.poll() is not None, show=said.read_text)
    assert inner.poll() is None, said.read_text()
    end_and_look(inner, signal.SIGKILL, b"nginx", b"kafka.Kafka", b"chromium", b"sendx-sandbox", b"sendx-worker run",
                 b"sendx-worker top")
