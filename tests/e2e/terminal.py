"""A command of sendx-worker in a terminal of its own."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios

from harness import HANG_GUARD_S, TIED, WRAP
from worker import WORKER, worker_env


class Terminal:
    def __init__(self, *arguments, rows=30, columns=100):
        self.seen = b""
        self.at_end = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.command = subprocess.Popen([*TIED, *WRAP, WORKER, *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=worker_env())
        os.close(slave)

    def read(self):
        """What came so far, without waiting. at_end: the command has ended, and all of it was read."""
        with contextlib.suppress(OSError):
            while select.select([self._master], [], [], 0)[0]:
                self.seen += os.read(self._master, 65536)
            return self.seen
        self.at_end = True
        return self.seen

    def interrupt(self):
        self.command.send_signal(signal.SIGINT)

    def wait(self):
        """The exit code; then everything was read."""
        code = self.command.wait(HANG_GUARD_S)
        self.read()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.command.kill()
        self.command.wait(HANG_GUARD_S)
        os.close(self._master)
