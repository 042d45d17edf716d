"""A service manager's end of $NOTIFY_SOCKET: everything the worker says to it, in order."""

import os
import socket
import threading

from harness import wait_until


class Manager(threading.Thread):
    def __init__(self, folder=None, watchdog_ms=None):
        """A socket in the folder, or an abstract one."""
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if folder:
            self.name = f"{folder}/n"
            self.socket.bind(self.name)
        else:
            self.name = f"@sendx-worker-test-{os.getpid()}-{id(self)}"
            self.socket.bind("\0" + self.name[1:])
        self.env = {"NOTIFY_SOCKET": self.name}
        if watchdog_ms:
            self.env["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        self.heard = []
        self.start()

    def run(self):
        while True:
            message = self.socket.recv(4096).decode()
            if message == "stop":
                return
            self.heard.append(message)

    def states(self):
        """All but the watchdog's beats and the status lines."""
        return [message.split("\n")[0] for message in self.heard
                if not message.startswith(("WATCHDOG", "STATUS"))]

    def beats(self):
        return self.heard.count("WATCHDOG=1")

    def wait_for(self, what, worker):
        """Waits for a message that begins with `what`."""
        wait_until(f"the worker to say {what}", lambda: worker.check_running() or
                   any(message.startswith(what) for message in self.heard), show=lambda: self.heard)

    def stop(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.connect(self.socket.getsockname())
            last.send(b"stop")
        self.join()
        self.socket.close()
