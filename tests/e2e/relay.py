"""A TCP relay that counts connections: evidence of attempts that does not depend on anybody's log."""

import socket
import struct
import threading


class Relay:
    """Listens on 127.0.0.1. With a target ("host:port") it passes bytes both ways; without one it
    resets every connection at once."""

    def __init__(self, target=None, port=0):
        self.target = target
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            self.connections += 1
            if self.target is None:
                reset(client)
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        host, port = self.target.rsplit(":", 1)
        try:
            server = socket.create_connection((host, int(port)))
        except OSError:
            reset(client)
            return
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()
        client.close()
        server.close()

    def close(self):
        """From now on connections are refused; those that are open stay open."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reset(client):
    """Closes with a reset (which leaves nothing behind that keeps the port in use)."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def pump(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
