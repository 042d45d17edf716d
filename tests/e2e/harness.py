"""What every helper here needs: waiting for conditions, free ports, child processes that cannot outlive us."""

import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where the programs under test are: SENDX_BUILD=build/asan tests another flavour.
BUILD = (ROOT / os.environ.get("SENDX_BUILD", "build")).resolve()
# Put before the command of worker and sandbox, e.g. SENDX_WRAP="valgrind -q --error-exitcode=99".
WRAP = shlex.split(os.environ.get("SENDX_WRAP", ""))

# Put before every command that is not over at once: the kernel kills it when we go away, however that comes (PDEATHSIG).
# It is bound to one process, and to the thread that starts it: a program that starts others must see to them itself.
TIED = ["setpriv", "--pdeathsig", "KILL"]

# A guard against hanging for ever, not a measure of anything: no test fails because something took long.
HANG_GUARD_S = float(os.environ.get("SENDX_HANG_GUARD_S", "120"))


def wait_until(what, condition, show=None, timeout=None, every=0.02):
    """Asks condition() until it is true and returns its value. `what` says in words what is waited for;
    show() is asked for details when the guard strikes."""
    deadline = time.monotonic() + (timeout or HANG_GUARD_S)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            details = f"\n{show()}" if show else f"\nlast answer: {value!r}"
            raise AssertionError(f"waited {timeout or HANG_GUARD_S:.0f} s in vain for: {what}{details}")
        time.sleep(every)


def let_pass(seconds):
    """So much time goes by, at least. Only for what is itself a matter of time: a rest, a failure that outlasts
    something. Whatever else is waited for is a condition: wait_until. On a machine under load it becomes longer, which
    must not make a test fail."""
    time.sleep(seconds)


def free_port():
    """A TCP port that was free a moment ago on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(path, lines=40):
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


class Process:
    """A child that does not outlive us, with its output in files."""

    started = []  # of the running test, for the report of a failure

    def __init__(self, name, command, folder, env=None, stdout_too=True):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.log_path = self._free_name(f"{name}.log")
        self.out_path = self._free_name(f"{name}.out")
        self.command = [str(part) for part in command]
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.popen = subprocess.Popen(
                [*TIED, *self.command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                cwd=self.folder, env=env, start_new_session=True)
        Process.started.append(self)

    def _free_name(self, name):
        stem, dot, suffix = name.rpartition(".")
        path, n = self.folder / name, 1
        while path.exists():
            n += 1
            path = self.folder / f"{stem}-{n}.{suffix}"
        return path

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def check_running(self):
        if not self.running():
            raise AssertionError(
                f"{self.name} ended by itself with {self.popen.returncode}:\n{tail(self.log_path)}")

    def send(self, signum):
        self.popen.send_signal(signum)

    def wait(self, timeout=None):
        """The exit code, once it has ended by itself."""
        try:
            return self.popen.wait(timeout or HANG_GUARD_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} (pid {self.pid}) does not end:\n{tail(self.log_path)}")

    def kill(self):
        """kill -9, and it is gone when this returns."""
        if self.running():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(HANG_GUARD_S)

    def end(self, patience=20):
        """For tidying up: asks, then kills. The tests' own stops check the exit code, this one does not."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()


def first_difference(expected, seen, label_expected="expected", label_seen="seen"):
    """Two sequences as text, side by side from shortly before where they part."""
    at = 0
    while at < len(expected) and at < len(seen) and expected[at] == seen[at]:
        at += 1
    lines = [f"  equal in the first {at}; {label_expected} {len(expected)}, {label_seen} {len(seen)}"]
    for n in range(max(0, at - 1), at + 4):
        if n < len(expected) or n < len(seen):
            lines.append(f"  [{n}] {label_expected}: {expected[n] if n < len(expected) else '(nothing)'}")
            lines.append(f"  [{n}] {label_seen}: {seen[n] if n < len(seen) else '(nothing)'}")
    return "\n".join(lines)
