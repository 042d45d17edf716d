"""What a group has committed, metadata included, by requests of our own: confluent-kafka reads the metadata beyond its
end, and fails on what it finds there."""

import base64
import io
import socket
import struct

FIND_COORDINATOR, OFFSET_FETCH = (10, 0), (9, 1)  # (key, version): the oldest that Kafka 4 answers
# The coordinator moves, loads, or is just being elected: another may know.
PASSING = {14: "COORDINATOR_LOAD_IN_PROGRESS", 15: "COORDINATOR_NOT_AVAILABLE", 16: "NOT_COORDINATOR"}


class NoAnswer(Exception):
    """Nobody could say it just now; ask again."""


class Offsets:
    """A connection to a group's coordinator, made when it is needed. Not for two threads at once."""

    def __init__(self, addresses, group, timeout_s):
        self.addresses, self.group, self.timeout_s = addresses.split(","), group, timeout_s
        self.stream = None

    def close(self):
        if self.stream:
            self.stream.close()
            self.stream = None

    def fetch(self, parts):
        """{(topic, partition): (offset, metadata)} of the parts, (topic, partition); the offset is -1 where none is
        committed."""
        topics = {}
        for topic, partition in parts:
            topics.setdefault(topic, []).append(partition)
        body = text(self.group) + struct.pack(">i", len(topics))
        for topic, partitions in topics.items():
            body += text(topic) + struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)
        try:
            if self.stream is None:
                self.stream = self._coordinator()
            return read_offsets(ask(self.stream, OFFSET_FETCH, body))
        except (OSError, NoAnswer) as failure:
            self.close()
            raise NoAnswer(f"no committed offsets of {self.group}: {failure}") from failure

    def fetch_if_answered(self, parts):
        """As fetch(), and None where nobody answers."""
        try:
            return self.fetch(parts)
        except NoAnswer:
            return None

    def _coordinator(self):
        failure = None
        for address in self.addresses:
            try:
                stream = connect(address, self.timeout_s)
                try:
                    reply = ask(stream, FIND_COORDINATOR, text(self.group))
                finally:
                    stream.close()
                error, _node, host, port = take(reply, "h"), take(reply, "i"), take_text(reply), take(reply, "i")
                if not error:
                    return connect(f"{host}:{port}", self.timeout_s)
                failure = NoAnswer(f"FindCoordinator answers {PASSING.get(error, error)}")
            except OSError as error:
                failure = error
        raise failure


def connect(address, timeout_s):
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        return connection.makefile("rwb")  # which keeps it open


def ask(stream, api, body):
    request = struct.pack(">hhi", *api, 1) + text("tests") + body
    stream.write(struct.pack(">i", len(request)) + request)
    stream.flush()
    size = stream.read(4)
    if len(size) < 4:
        raise ConnectionError("the connection has ended")
    reply = io.BytesIO(stream.read(*struct.unpack(">i", size)))
    assert take(reply, "i") == 1, "the answer to another question"
    return reply


def read_offsets(reply):
    found = {}
    for _ in range(take(reply, "i")):
        topic = take_text(reply)
        for _ in range(take(reply, "i")):
            partition, offset, metadata, error = take(reply, "i"), take(reply, "q"), take_text(reply), take(reply, "h")
            if error in PASSING:
                raise NoAnswer(f"OffsetFetch answers {PASSING[error]}")
            assert not error, f"OffsetFetch answers {error} for partition {partition} of {topic}"
            found[topic, partition] = (offset, metadata)
    return found


def take(reply, form):
    data = reply.read(struct.calcsize(">" + form))
    if len(data) < struct.calcsize(">" + form):
        raise ConnectionError("the answer is cut off")
    return struct.unpack(">" + form, data)[0]


def take_text(reply):
    return reply.read(max(take(reply, "h"), 0)).decode()


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def progress(committed, metadata):
    """(highest, unfinished): what the metadata says of the offsets from the committed one on, see
    src/delivery/progress.h. Finished are those up to highest but for the unfinished; without progress, highest is
    below the committed offset."""
    if not metadata:
        return committed - 1, frozenset()
    assert metadata[0] in "12", f"metadata of another version: {metadata!r}"
    at, value, shift, listed = committed - 1, 0, 0, []
    behind = base64.urlsafe_b64decode(metadata[1:] + "=" * (-(len(metadata) - 1) % 4))[8:]
    if metadata[0] == "2":
        bits, low = "".join(f"{byte:08b}" for byte in behind[1:]), behind[0]
        while "1" in bits:
            zeros = bits.index("1")
            at += (zeros << low) + int("0" + bits[zeros + 1:zeros + 1 + low], 2) + 1
            listed.append(at)
            bits = bits[zeros + 1 + low:]
        return listed[-1], frozenset(listed[:-1])
    for byte in behind:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            at += value + 1
            listed.append(at)
            value = shift = 0
    return listed[-1], frozenset(listed[:-1])
