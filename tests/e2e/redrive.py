"""`sendx-worker redrive` as the tests use it: its topic, its command, and letters made without a worker."""

import json
import re

from confluent_kafka import Consumer, KafkaError, TopicPartition

from dead_letters import Letter
from harness import WRAP, Process, wait_until
from worker import ANY_PORT, WORKER, run_command, worker_env

# librdkafka looks for topics that are not there yet every five minutes unless told otherwise.
QUICK = {"topic_metadata_propagation_max_ms": 500, "topic_metadata_refresh_interval_ms": 1000,
         "topic_metadata_refresh_fast_interval_ms": 100}


class Redrive:
    """The redrive side of a scene."""

    def __init__(self, scene, partitions=2, create=True, **topics):
        self.scene = scene
        self.topic = f"{scene.name}.redrive"
        self.settings = {"redrive_topic": self.topic}
        scene.create_topics(**topics)
        if create:
            self.create_topic(partitions)

    def create_topic(self, partitions=2):
        self.scene.kafka.create_topics({self.topic: partitions})

    def start_worker(self, name="worker", **settings):
        settings = {"admin": ANY_PORT, "dead_letter": self.settings, **settings}
        return self.scene.start_worker(name, **settings)

    def config_file(self, name="redrive", **settings):
        return self.scene.config_file(name, dead_letter=self.settings, **settings)

    # --- the command -----------------------------------------------------------------------------

    def run(self, *arguments, code=0, **settings):
        """The command to its end; what it printed on stdout."""
        done = run_command("redrive", "-c", self.config_file(**settings), *arguments)
        assert done.returncode == code, (
            f"redrive {arguments} ended with {done.returncode} and not {code}:\n{done.stdout}{done.stderr}")
        assert "@example.com" not in re.sub(r"\b.\*\*\*@example\.com", "", done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def start(self, name, *arguments):
        return Process(name, [*WRAP, WORKER, "redrive", "-c", self.config_file(name), *arguments],
                       self.scene.folder, worker_env())

    def totals(self, output):
        """{"selected": 3, "already redriven": 0, …} of what it printed"""
        return {text: int(count) for count, text in
                re.findall(r"^ +(\d+)  ([a-z][a-z -]*?)(?: \(.*\)| by --limit)?$", output, re.MULTILINE)}

    def wait_taken(self, worker, events):
        """Waits until the worker has taken so many redriven events, and finished all that it took."""
        def finished():
            worker.check_running()
            metrics = worker.admin.metrics()
            return metrics.value("sendx_worker_events_redriven_total") == events and \
                metrics.value("sendx_worker_events_pending") == 0
        wait_until(f"{events} redriven events", finished, show=worker.log_text)

    # --- the topic -------------------------------------------------------------------------------

    def records(self):
        """The committed records of the redrive topic as letters, partition by partition. Markers of transactions
        have offsets, too, so it reads until it is told of each end."""
        kafka = self.scene.kafka
        consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "reader", "log_level": 0,
                             "enable.auto.commit": False, "fetch.wait.max.ms": 20, "enable.partition.eof": True,
                             "isolation.level": "read_committed"})
        found, partitions = [], set(kafka.partitions(self.topic))
        try:
            consumer.assign([TopicPartition(self.topic, partition, 0) for partition in partitions])

            def read():
                message = consumer.poll(1)
                if message is not None and message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    partitions.discard(message.partition())
                elif message is not None:
                    found.append(message)
                return not partitions
            wait_until(f"the records of {self.topic}", read, every=0)
        finally:
            consumer.close()
        return sorted(map(Letter, found), key=lambda letter: letter.partition)

    # --- letters by hand -------------------------------------------------------------------------

    def letter(self, email, event_id, offset, partition=0, source=0, rule="one call", status=422, **more):
        """(partition, key, value, timestamp, headers) of a letter as a worker writes it for an event of ONE_CALL."""
        sx = {"topic": self.scene.topic(), "partition": source, "offset": offset, "timestamp": 1700000000000 + offset,
              "worker-version": "test", "rule": rule,
              "calls": json.dumps([{"index": 0, "call": "identify", "rule": rule, "nth": 0, "class": "permanent",
                                    "status": status}]),
              "class": "permanent", "status": status, "reason": f"{status}: refused", **more}
        value = json.dumps({"email": email, "id": event_id, "new_email": None}).encode()
        headers = [("sx-" + name.replace("_", "-"), str(text).encode()) for name, text in sx.items() if text is not None]
        return partition, email.encode(), value, None, headers

    def produce_letters(self, letters):
        self.scene.kafka.produce(self.scene.dead_letter_topic, letters)

    def many_letters(self, count, contacts=50):
        """COUNT letters of contacts in turn, in both partitions of the dead-letter topic: {place: email}."""
        self.produce_letters([self.letter(f"user{n % contacts}@example.com", f"e{n}", n, partition=n % contacts % 2)
                              for n in range(count)])
        return [(self.scene.topic(), 0, n) for n in range(count)]

    def check_each_once(self, places):
        """Each letter stands in the redrive topic once, in order, with its count raised."""
        records = self.records()
        seen = [record.place for record in records]
        assert sorted(seen) == sorted(places), (
            f"missing {sorted(set(places) - set(seen))[:5]}, twice {[p for p in seen if seen.count(p) > 1][:5]}")
        assert {record.sx["redrives"] for record in records} == {"1"}
        for partition in {record.partition for record in records}:
            own = [record.place for record in records if record.partition == partition]
            assert own == sorted(own), f"not in order in partition {partition}"
