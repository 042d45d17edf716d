"""A real Apache Kafka of three nodes, each broker and controller, that can be killed, frozen and cut off.

Every node listens twice for clients: directly, for the judge, the producers and most workers, and behind a
cable (cable.py), for the workers of a scenario that cuts them off. Everything is replicated three times and
acknowledged by two.
"""

import pathlib
import shutil
import signal
import subprocess

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from cable import Cable
from harness import HANG_GUARD_S, TIED, Process, free_port, tail, wait_until
from kafka import CLUSTER_ID, JARS, JAVA, LOGGING, Kafka, start_kafka

NODES = 3
OFFSETS_TOPIC, OFFSETS_PARTITIONS = "__consumer_offsets", 6

# A node that is gone or frozen is noticed within 3 s. Group sessions may be short: some scenarios outlast them.
SETTINGS = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CABLE://127.0.0.1:{cable_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CABLE://{cable}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CABLE:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions={offsets_partitions}
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=500
replica.lag.time.max.ms=3000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
"""


class Node:
    """One node: its ports stay its own through all its lives."""

    def __init__(self, number, folder):
        self.number = number
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.port, self.cable_port, self.controller_port = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.cable = Cable(f"127.0.0.1:{self.cable_port}")
        self.process = None
        self.frozen = False

    def command(self, *more):
        return [*JAVA, f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties", "-cp", f"{JARS}/*", *more]

    def write_settings(self, voters):
        self.settings = self.folder / "server.properties"
        self.settings.write_text(SETTINGS.format(
            node=self.number, voters=voters, port=self.port, cable_port=self.cable_port,
            controller_port=self.controller_port, cable=self.cable.address, folder=self.folder,
            offsets_partitions=OFFSETS_PARTITIONS))
        (self.folder / "log4j2.properties").write_text(LOGGING)

    def start_formatting(self):
        return subprocess.Popen(
            [*TIED, *self.command("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.settings))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start(self):
        """Must be called by a thread that outlives the node: the kernel ends the node with it."""
        self.process = Process(f"node-{self.number}", self.command("kafka.Kafka", str(self.settings)), self.folder)
        Process.started.remove(self.process)  # of the cluster, not of the scenario that came first
        self.frozen = False

    def kill(self):
        self.process.kill()

    def stop(self):
        """In good order: it hands over what it leads first."""
        self.process.send(signal.SIGTERM)
        self.process.wait()

    def freeze(self):
        self.process.send(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.process.send(signal.SIGCONT)
        self.frozen = False

    def end(self):
        if self.process:
            self.process.kill()  # what it stored is of no use to anybody
            assert not pathlib.Path(f"/proc/{self.process.pid}").exists(), f"node {self.number} is still there"
        self.cable.cut()


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.nodes = []

    # --- life ------------------------------------------------------------------------------------

    def start(self):
        start_kafka(self._start_once, self.stop)
        return self

    def _start_once(self):
        self.nodes = [Node(number, self.folder / f"node-{number}") for number in range(1, NODES + 1)]
        voters = ",".join(f"{node.number}@127.0.0.1:{node.controller_port}" for node in self.nodes)
        for node in self.nodes:
            node.write_settings(voters)
        for node, formatting in [(node, node.start_formatting()) for node in self.nodes]:
            said, _ = formatting.communicate(timeout=HANG_GUARD_S)
            assert formatting.returncode == 0, f"cannot format the storage of node {node.number}:\n{said}"
        for node in self.nodes:
            node.start()
        view = self.view()
        self.wait_whole(view)
        view.warm_up()
        self.wait_whole(view)
        view.close()

    def stop(self):
        for node in self.nodes:
            node.end()
        self.nodes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what it is asked ------------------------------------------------------------------------

    @property
    def address(self):
        return ",".join(node.address for node in self.nodes)

    @property
    def cable_address(self):
        """The bootstrap servers of a worker that can be cut off."""
        return ",".join(node.cable.address for node in self.nodes)

    def node(self, number):
        return next(node for node in self.nodes if node.number == number)

    def view(self):
        return View(self)

    def wait_whole(self, view):
        """Waits until all nodes are there and each has every replica in step."""
        def whole():
            for node in self.nodes:
                node.process.check_running()
            try:
                known = view.admin.list_topics(timeout=2)
            except KafkaException:
                return False
            return len(known.brokers) == NODES and all(
                partition.leader > 0 and len(partition.isrs) == NODES
                for topic in known.topics.values() for partition in topic.partitions.values())
        wait_until("the cluster to be whole", whole, every=0.1,
                   show=lambda: "\n".join(tail(node.process.out_path, 10) for node in self.nodes))

    def restore(self):
        """Whatever was done to its nodes, they are all there again."""
        for node in self.nodes:
            if node.frozen:
                node.thaw()
            if not node.process.running():
                node.start()
        view = self.view()
        self.wait_whole(view)
        view.close()

    # --- what is done to it ----------------------------------------------------------------------

    def cut_cables(self):
        """Every client behind the cables is as if its own network were down: nothing comes or goes."""
        for node in self.nodes:
            node.cable.swallow()

    def mend_cables(self):
        for node in self.nodes:
            node.cable.flow()


class View(Kafka):
    """The questions of tests/e2e/kafka.py asked of the cluster, by handles of its own: one for each thread that asks.
    What cannot be answered just now, because a node is gone, is asked again by whoever waits."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.address = cluster.address
        self.process = self._producer = self._offsets = None
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0, "reconnect.backoff.max.ms": 200,
                                  "socket.timeout.ms": 4000})

    def start(self):
        raise NotImplementedError("a view is of a cluster that runs")

    def close(self):
        self._close_offsets()
        self._producer = self.admin = None

    stop = close

    def warm_up(self):
        """The first group makes the brokers create the topic of the offsets; better here than in a scenario."""
        self.create_topics({"warm-up": 1})

        wait_until("the group coordinators", lambda: self.committed("warm-up", "warm-up") == {0: None})

    def create_topics(self, topics, **config):
        """{name: partitions}; config is that of the topics, with _ for each dot"""
        config = {name.replace("_", "."): str(value) for name, value in config.items()}
        there = self.admin.list_topics(timeout=10).topics.keys() & topics.keys()
        assert not there, f"{sorted(there)} are there already"
        made = self.admin.create_topics([NewTopic(name, partitions, NODES, config=config)
                                         for name, partitions in topics.items()], operation_timeout=30)
        for future in made.values():
            try:
                future.result(HANG_GUARD_S)
            except KafkaException as failure:  # a request that took long, and was sent again by the library
                if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        self.wait_led(topics)

    def wait_led(self, topics):
        def led():
            known = self.admin.list_topics(timeout=10).topics
            return all(name in known and len(known[name].partitions) == partitions and
                       all(partition.leader > 0 for partition in known[name].partitions.values())
                       for name, partitions in topics.items())
        wait_until(f"topics {sorted(topics)}", led)

    def unfinished(self, group, topics):
        try:
            return super().unfinished(group, topics)
        except (KafkaException, AssertionError):
            return {("(no answer)", -1): (None, None)}

    def leader(self, topic, partition):
        """The number of the node that leads it."""
        return self.admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].leader

    def coordinator(self, group):
        """The number of the node that coordinates the group."""
        return self.leader(OFFSETS_TOPIC, java_hash(group) % OFFSETS_PARTITIONS)

    def reset_group(self, group, topic, partition, offset=0):
        """What `kafka-consumer-groups --reset-offsets` does; the group has no members."""
        wait_until(f"group {group} to be empty", lambda: self.members(group) == 0)
        done = self.admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])])
        done[group].result(HANG_GUARD_S)


def java_hash(text):
    """String.hashCode() without its sign, by which Kafka gives a group its partition of the offsets."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xffffffff
    return value & 0x7fffffff
