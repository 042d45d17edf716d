"""A real Apache Kafka of one KRaft node, and the questions the tests ask it."""

import pathlib
import shutil
import subprocess
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewTopic,
                                   OffsetSpec, ResourcePatternType, ResourceType)

from harness import HANG_GUARD_S, ROOT, TIED, Process, free_port, tail, wait_until
from offsets import Offsets, progress

JARS = ROOT / "build" / "kafka"
JAVA = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
START_TRIES = 3  # a port that was free may be taken before Kafka binds it
ASK_S = 4  # of one answer; who gets none asks again
CLUSTER_ID = "c2VuZHgtd29ya2VyLXRlc3Q"

# Old timestamps are part of the tests, so nothing may expire; 1 MB events are, too.
SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
message.max.bytes=8388608
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
num.network.threads=2
num.io.threads=4
"""

LOGGING = """
status=error
appenders=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
rootLogger.level=warn
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
"""


def start_kafka(start_once, tidy):
    """start_once(); where that fails, tidy() and again, START_TRIES times in all."""
    if not (JARS / ".stamp").exists():
        raise AssertionError(f"no Kafka in {JARS}: run ./deps test first")
    for attempt in range(1, START_TRIES + 1):
        try:
            return start_once()
        except AssertionError:
            tidy()
            if attempt == START_TRIES:
                raise


class Kafka:
    def __init__(self, folder, more_settings=""):
        self.folder = pathlib.Path(folder)
        self.more_settings = more_settings  # lines of server.properties
        self.process = None
        self.admin = None
        self._producer = None
        self._offsets = None  # those of the group that was asked for last

    # --- life ------------------------------------------------------------------------------------

    def start(self):
        start_kafka(self._start_once, self._tidy)
        return self

    def _tidy(self):
        self.process and self.process.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _start_once(self):
        port, controller_port = free_port(), free_port()
        settings = self.folder / "server.properties"
        settings.write_text(SETTINGS.format(port=port, controller_port=controller_port, folder=self.folder)
                            + self.more_settings)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        java = [*JAVA, f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties", "-cp", f"{JARS}/*"]
        formatted = subprocess.run(
            [*TIED, *java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", settings],
            capture_output=True, text=True, timeout=HANG_GUARD_S)
        assert formatted.returncode == 0, f"cannot format Kafka's storage:\n{formatted.stdout}{formatted.stderr}"
        self.process = Process("kafka", [*java, "kafka.Kafka", settings], self.folder)
        Process.started.remove(self.process)  # of the session, not of the test that came first
        self.address = f"127.0.0.1:{port}"
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0,
                                  "reconnect.backoff.max.ms": 200})

        def ready():
            self.process.check_running()
            try:
                return self.admin.list_topics(timeout=1).brokers
            except KafkaException:
                return False
        wait_until("Kafka to be ready", ready, show=lambda: tail(self.process.out_path))
        self._warm_up()

    def _warm_up(self):
        """The first group makes the broker create the topic of the offsets; better here than in a test."""
        self.create_topics({"warm-up": 1})
        wait_until("Kafka's group coordinator", lambda: self.committed("warm-up", "warm-up") == {0: None})

    def stop(self):
        self._close_offsets()
        self._producer = self.admin = None
        if self.process:
            self.process.end()
            assert not pathlib.Path(f"/proc/{self.process.pid}").exists(), "Kafka is still there"
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- topics and offsets ----------------------------------------------------------------------

    def create_topics(self, topics, **config):
        """{name: partitions}; config is that of the topics, with _ for each dot"""
        config = {name.replace("_", "."): str(value) for name, value in {"max_message_bytes": 8388608, **config}.items()}
        made = self.admin.create_topics([NewTopic(name, partitions, 1, config=config)
                                         for name, partitions in topics.items()], operation_timeout=30)
        for future in made.values():
            future.result(HANG_GUARD_S)

        def led():
            known = self.admin.list_topics(timeout=10).topics
            return all(name in known and len(known[name].partitions) == partitions and
                       all(p.leader == 1 for p in known[name].partitions.values())
                       for name, partitions in topics.items())
        wait_until(f"topics {sorted(topics)}", led)

    def delete_topic(self, topic):
        self.admin.delete_topics([topic], operation_timeout=30)[topic].result(HANG_GUARD_S)
        wait_until(f"{topic} to be gone", lambda: topic not in self.admin.list_topics(timeout=10).topics)

    def deny(self, operation, topic):
        """Nobody may do it (AclOperation) on the topic any more."""
        rule = AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:*", "*", operation,
                          AclPermissionType.DENY)
        for future in self.admin.create_acls([rule], request_timeout=HANG_GUARD_S).values():
            future.result(HANG_GUARD_S)

    def allow_again(self, topic):
        rules = AclBindingFilter(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None, AclOperation.ANY,
                                 AclPermissionType.ANY)
        for future in self.admin.delete_acls([rules], request_timeout=HANG_GUARD_S).values():
            future.result(HANG_GUARD_S)

    def partitions(self, topic):
        return sorted(self.admin.list_topics(topic, timeout=10).topics[topic].partitions)

    def ends(self, topic):
        """{partition: end offset}"""
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in self.partitions(topic)}
        return {tp.partition: future.result(HANG_GUARD_S).offset
                for tp, future in self.admin.list_offsets(asked).items()}

    def committed(self, group, topic):
        """{partition: committed offset, or None}"""
        return {partition: None if offset < 0 else offset
                for partition, (offset, _) in self._fetch_offsets(group, topic).items()}

    def progress(self, group, topic):
        """{partition: the offsets that the group's commit says are finished}, of a topic without gaps"""
        found = {}
        for partition, (offset, metadata) in self._fetch_offsets(group, topic).items():
            highest, unfinished = progress(max(offset, 0), metadata)
            found[partition] = set(range(max(offset, highest + 1))) - unfinished
        return found

    def _fetch_offsets(self, group, topic):
        """{partition: (offset, metadata)}"""
        # The broker that is asked may not know yet of a topic that is new.
        partitions = wait_until(f"the partitions of {topic}", lambda: self.partitions(topic))
        parts = [(topic, partition) for partition in partitions]
        if self._offsets is None or self._offsets.group != group:
            self._close_offsets()
            self._offsets = Offsets(self.address, group, ASK_S)
        answer = wait_until(f"the committed offsets of {group}", lambda: self._offsets.fetch_if_answered(parts))
        return {partition: answer[topic, partition] for _, partition in parts}

    def _close_offsets(self):
        if self._offsets:
            self._offsets.close()
        self._offsets = None

    def unfinished(self, group, topics):
        """{(topic, partition): (committed, end)} of the partitions not committed up to their end"""
        left = {}
        for topic in topics:
            ends = self.ends(topic)
            for partition, offset in self.committed(group, topic).items():
                if (offset or 0) != ends[partition]:
                    left[topic, partition] = (offset, ends[partition])
        return left

    def wait_until_finished(self, group, topics, process=None):
        """Waits until the group has committed the end of every partition."""
        def finished():
            if process:
                process.check_running()
            return not self.unfinished(group, topics)

        def show():
            left = "\n".join(f"  {topic}:{partition} committed {committed} of {end}"
                             for (topic, partition), (committed, end) in
                             sorted(self.unfinished(group, topics).items()))
            log = f"\n{process.name}'s log:\n{tail(process.log_path)}" if process else ""
            return f"not committed up to the end:\n{left}{log}"
        wait_until(f"group {group} to commit the ends of {sorted(topics)}", finished, show=show, every=0.05)

    def records(self, topic):
        """Every record of the topic up to its present end, in order within each partition."""
        ends = {partition: end for partition, end in self.ends(topic).items() if end}
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader", "log_level": 0,
                             "enable.auto.commit": False, "fetch.wait.max.ms": 20})
        try:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
            found = []

            def read():
                message = consumer.poll(1)
                if message is not None:
                    assert message.error() is None, message.error()
                    found.append(message)
                return len(found) >= sum(ends.values())
            if ends:
                wait_until(f"the {sum(ends.values())} records of {topic}", read, every=0)
        finally:
            consumer.close()
        return found

    def members(self, group):
        """How many members the group has."""
        answer = self.admin.describe_consumer_groups([group])[group].result(HANG_GUARD_S)
        return len(answer.members)

    # --- producing -------------------------------------------------------------------------------

    def produce(self, topic, records):
        """Records are (partition, key, value[, timestamp in ms[, [(header, value), …]]]); returns when all are
        acknowledged. Within a partition the order is kept."""
        if self._producer is None:
            self._producer = Producer({
                "bootstrap.servers": self.address, "enable.idempotence": True, "linger.ms": 20,
                "message.max.bytes": 8388608, "log_level": 0})
        failures = []

        def delivered(error, _message):
            if error is not None:
                failures.append(error)
        for partition, key, value, *more in records:
            timestamp, headers = (*more, None, None)[:2]
            while True:
                try:
                    self._producer.produce(topic, partition=partition, key=key, value=value,
                                           timestamp=int(time.time() * 1000) if timestamp is None else timestamp,
                                           headers=headers, on_delivery=delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        assert self._producer.flush(HANG_GUARD_S) == 0, "the producer could not deliver all"
        assert not failures, f"not delivered: {failures[:3]}"
