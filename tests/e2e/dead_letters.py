"""A dead letter as the tests look at it, and what must hold of each of them."""

import dataclasses
import json
import re

from sandbox import API_KEY

# A time of the letter's own headers.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
WHOLE_ADDRESS = re.compile(rb"[A-Za-z0-9._+%-]{2,}@[A-Za-z0-9-]+\.")


@dataclasses.dataclass
class Letter:
    key: bytes
    value: bytes
    partition: int
    original: list  # [(name, value), …] as the record had them
    sx: dict        # what the worker added: name without "sx-" → text

    def __init__(self, message):
        self.key, self.value, self.partition = message.key(), message.value(), message.partition()
        headers = message.headers() or []
        # The worker's are the last ones, and begin with the topic.
        begin = max(n for n, (name, _) in enumerate(headers) if name == "sx-topic")
        self.original = headers[:begin]
        assert all(name.startswith("sx-") for name, _ in headers[begin:]), f"not the worker's: {headers[begin:]}"
        self.raw = headers[begin:]
        self.sx = {name.removeprefix("sx-"): value.decode() for name, value in self.raw}
        assert len(self.sx) == len(self.raw), f"a header stands twice: {self.raw}"

    @property
    def place(self):
        return self.sx["topic"], int(self.sx["partition"]), int(self.sx["offset"])

    @property
    def calls(self):
        return json.loads(self.sx["calls"])

    def check_hygiene(self):
        for name, value in self.raw:
            assert API_KEY.encode() not in value, f"the key stands in {name}"
            assert not WHOLE_ADDRESS.search(value), f"a whole address stands in {name}: {value}"


def check_letters(letters, expected, topic):
    """Exactly one letter for each record of {(partition, offset): record as produced}, key, value, headers and
    timestamp byte for byte, and nothing secret in what was added."""
    places = [letter.place for letter in letters]
    wanted = {(topic, partition, offset): record for (partition, offset), record in expected.items()}
    assert sorted(places) == sorted(wanted), (
        f"not expected: {sorted(set(places) - set(wanted))}\nmissing: {sorted(set(wanted) - set(places))}\n"
        f"twice: {sorted({place for place in places if places.count(place) > 1})}")
    for letter in letters:
        _, key, value, *more = wanted[letter.place]
        timestamp, headers = (*more, None, None)[:2]
        assert (letter.key, letter.value, letter.original) == (key, value, headers or []), f"changed: {letter}"
        if timestamp is not None:
            assert int(letter.sx["timestamp"]) == timestamp, letter
        assert letter.sx["worker-version"], letter
        letter.check_hygiene()
