"""The events of a scenario: produced all the while, and what is known of each: where it stands and whose they are."""

import collections
import dataclasses
import json
import random
import threading
import time
import zlib

from confluent_kafka import Producer

from harness import HANG_GUARD_S, wait_until

EVENTS_PER_S = 400
BATCH_MAX = 400  # of one batch, should the one before it have taken long
PAUSE_S = 0.02
SINGLES, PAIRS = 0.3, 0.15  # shares of the events, see Feed


@dataclasses.dataclass(frozen=True)
class Event:
    id: str
    contacts: tuple  # one, or two; each is sent a call
    topic: str
    partition: int
    offset: int


class Feed(threading.Thread):
    """Small batches, each when the one before it is acknowledged, until told to stop. SINGLES of the events have
    a contact of their own, the others share `contacts` of them, and PAIRS are of two of those, unless `pairs` is False.
    A contact's events stand in one partition."""

    def __init__(self, address, topic, partitions, seed, contacts=40, pairs=True, rate=EVENTS_PER_S):
        super().__init__(daemon=True)
        self.topic, self.partitions = topic, partitions
        self.contacts, self.pairs = contacts, pairs
        self.rate = rate
        self.chance = random.Random(seed)
        self.prefix = f"{zlib.crc32(topic.encode()):08x}"
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 2, "log_level": 0,
                                  "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 4000})
        self.grown = None  # the new number of partitions, until the producer knows it
        self.events = []  # acknowledged, those of a partition in the order of their offsets
        self.home = {}    # {e-mail: partition}
        self.count = 0
        self.over = threading.Event()
        self.failure = None

    def run(self):
        try:
            before = time.monotonic()
            while not self.over.wait(PAUSE_S):
                now = time.monotonic()
                self.produce(min(BATCH_MAX, max(1, int((now - before) * self.rate))))
                before = now
        except BaseException as failure:  # shown by stop()
            self.failure = failure

    def check(self):
        if self.failure:
            raise self.failure

    def stop(self):
        self.over.set()
        if self.is_alive():
            self.join()
        self.check()

    def grow(self, partitions):
        """The topic has more partitions now; new contacts have all of them."""
        self.grown = partitions

    def produce(self, count):
        """Returns when all are acknowledged."""
        if self.grown:
            wait_until("the producer to know the new partitions", lambda: len(self.producer.list_topics(
                self.topic, timeout=HANG_GUARD_S).topics[self.topic].partitions) >= self.grown)
            self.partitions, self.grown = self.grown, None
        failures = []
        for _ in range(count):
            event_id = f"{self.prefix}-{self.count}"
            self.count += 1
            contacts = self._contacts(event_id)

            def delivered(error, message, event_id=event_id, contacts=contacts):
                if error is None:
                    self.events.append(Event(event_id, contacts, message.topic(), message.partition(), message.offset()))
                else:
                    failures.append(error)
            value = json.dumps({"id": event_id, "email": contacts[0], "other": contacts[1] if contacts[1:] else None})
            self.producer.produce(self.topic, partition=self._home(contacts[0]), key=contacts[0].encode(), value=value.encode(),
                                  on_delivery=delivered)
        assert self.producer.flush(HANG_GUARD_S) == 0, "the producer could not deliver all"
        assert not failures, f"not delivered: {failures[:3]}"

    def shared(self, number):
        return f"user{number}-{self.prefix}@example.com"

    def _contacts(self, event_id):
        kind = self.chance.random()
        if kind < SINGLES:
            return (f"single-{event_id}@example.com",)
        one, *others = self.chance.sample(range(self.contacts), self.contacts)
        if self.pairs and kind < SINGLES + PAIRS:
            for other in others:
                if self._home(self.shared(one)) == self._home(self.shared(other)):
                    return self.shared(one), self.shared(other)
        return (self.shared(one),)

    def _home(self, contact):
        return self.home.setdefault(contact, zlib.crc32(contact.encode()) % self.partitions)


def by_partition(events):
    """{(topic, partition): [event, …]} in the order of offsets"""
    found = collections.defaultdict(list)
    for event in events:
        found[event.topic, event.partition].append(event)
    for part in found.values():
        part.sort(key=lambda event: event.offset)
    return found
