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
        self.open = set()
        self.port = port
        self.listen()
        self.address = f"127.0.0.1:{self.port}"

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
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
        self.open.add(client)
        back = threading.Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()
        self.open.discard(client)
        client.close()
        server.close()

    def close(self):
        """From now on connections are refused; those that are open stay open."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def cut(self):
        """As if the host had gone: new connections are refused, those that are open end. listen() brings it back."""
        self.close()
        self.drop()

    def drop(self):
        """Ends the connections that are open."""
        for client in list(self.open):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:  # it ended by itself
                pass


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
