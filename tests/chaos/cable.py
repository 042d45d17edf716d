"""The line between a program and what it talks to: it can be cut (connections end) or swallow (they stay open, and
nothing comes through, as when packets are lost on the way)."""

import socket
import threading

from relay import Relay, reset


class Cable(Relay):
    """A relay that can hold back what passes. What was swallowed comes through when it flows again, as TCP
    would repeat it."""

    def __init__(self, target):
        self.flowing = threading.Event()
        self.flowing.set()
        super().__init__(target)

    def swallow(self):
        self.flowing.clear()

    def flow(self):
        self.flowing.set()

    def cut(self):
        super().cut()
        self.flowing.set()  # whoever waits for it finds that the connection has ended

    def _serve(self, client):
        self.flowing.wait()
        host, port = self.target.rsplit(":", 1)
        try:
            server = socket.create_connection((host, int(port)))
        except OSError:
            reset(client)
            return
        self.open.add(client)
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        self.open.discard(client)
        client.close()
        server.close()

    def _pump(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                self.flowing.wait()
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:  # it has ended already
                    pass
