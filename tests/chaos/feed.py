"""The events of a scenario: produced all the while, and what is known of each: where it stands and whose it is."""

import collections
import dataclasses
import random
import threading
import time
import zlib

from confluent_kafka import Producer

from harness import HANG_GUARD_S
from scene import one_call_event

EVENTS_PER_S = 400
BATCH_MAX = 400  # of one batch, should the one before it have taken long
PAUSE_S = 0.02


@dataclasses.dataclass(frozen=True)
class Event:
    id: str
    email: str
    topic: str
    partition: int
    offset: int


class Feed(threading.Thread):
    """Small batches, each when the one before it is acknowledged, until told to stop. Half of the events have
    contacts of their own, the others share `contacts` of them; a contact's events stand in one partition."""

    def __init__(self, address, topic, partitions, seed, contacts=40, singles_only=False, rate=EVENTS_PER_S):
        super().__init__(daemon=True)
        self.topic, self.partitions = topic, partitions
        self.contacts, self.singles_only = contacts, singles_only
        self.rate = rate
        self.chance = random.Random(seed)
        self.prefix = f"{zlib.crc32(topic.encode()):08x}"
        self.producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 2, "log_level": 0,
                                  "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 4000})
        self.grown = False
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

    def stop(self):
        self.over.set()
        if self.is_alive():
            self.join()
        if self.failure:
            raise self.failure

    def grow(self, partitions):
        """The topic has more partitions now; new contacts have all of them."""
        self.grown = True
        self.partitions = partitions

    def produce(self, count, email=None):
        """Returns when all are acknowledged."""
        if self.grown:
            self.producer.list_topics(self.topic, timeout=HANG_GUARD_S)  # or it would not know the new partitions
            self.grown = False
        failures = []
        for _ in range(count):
            event_id = f"{self.prefix}-{self.count}"
            self.count += 1
            of = email or self._contact(event_id)
            partition = self.home.setdefault(of, zlib.crc32(of.encode()) % self.partitions)

            def delivered(error, message, event_id=event_id, of=of):
                if error is None:
                    self.events.append(Event(event_id, of, message.topic(), message.partition(), message.offset()))
                else:
                    failures.append(error)
            self.producer.produce(self.topic, partition=partition, key=of.encode(), value=one_call_event(of, event_id),
                                  on_delivery=delivered)
        assert self.producer.flush(HANG_GUARD_S) == 0, "the producer could not deliver all"
        assert not failures, f"not delivered: {failures[:3]}"

    def _contact(self, event_id):
        if self.singles_only or self.chance.random() < 0.5:
            return f"single-{event_id}@example.com"
        return f"user{self.chance.randrange(self.contacts)}-{self.prefix}@example.com"


def by_partition(events):
    """{(topic, partition): [event, …]} in the order of offsets"""
    found = collections.defaultdict(list)
    for event in events:
        found[event.topic, event.partition].append(event)
    for part in found.values():
        part.sort(key=lambda event: event.offset)
    return found
