"""What happens to Kafka's nodes: killed and back, frozen, with the leader of a partition or the group's coordinator."""

from confluent_kafka import KafkaException

from cluster import OFFSETS_TOPIC, Node
from harness import wait_until
from registry import scenario


def two_workers(stage, **kafka):
    stage.begin(partitions=6)
    workers = [stage.start_worker(f"worker-{n}", kafka=kafka) for n in range(2)]
    for worker in workers:
        worker.wait_for("partition.assigned", count=3)
    stage.wait_calls(100, *workers)
    return workers


def moved(stage, node):
    """Nothing is led by the node any more, and the group has a coordinator elsewhere."""
    def elsewhere():
        try:
            known = stage.kafka.admin.list_topics(timeout=2).topics
        except KafkaException:  # no answer just now
            return False
        return all(part.leader > 0 and part.leader != node.number
                   for topic in (stage.topic(), OFFSETS_TOPIC) for part in known[topic].partitions.values())
    return elsewhere


def coordinator(stage, _):
    return stage.kafka.coordinator(stage.group)


def coordinator_or_leader(stage, n):
    """The coordinator first, then a partition's leader, and so on."""
    return coordinator(stage, n) if n % 2 == 0 else stage.kafka.leader(stage.topic(), n % 6)


def without_each(stage, rounds, which, leave, come_back, **kafka):
    """A node goes, the others take over, it comes back; the workers go on all the while."""
    workers = two_workers(stage, **kafka)
    for n in range(rounds):
        node = stage.cluster.node(which(stage, n))
        leave(node)
        wait_until(f"leaders and coordinator to leave node {node.number}", moved(stage, node), every=0.1)
        stage.wait_calls(200, *workers)
        come_back(node)
        stage.cluster.wait_whole(stage.kafka)
        stage.wait_calls(100, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()


@scenario(planned=True, brokers=True)
def broker_killed_and_back(stage):
    """kill -9 of the group's coordinator, then of a partition's leader, and so on; each comes back."""
    without_each(stage, stage.factor(1, 8), coordinator_or_leader, Node.kill, Node.start)


@scenario(planned=True, brokers=True)
def leaders_and_coordinator_move(stage):
    """Nodes are stopped in good order, as by a rolling upgrade: each hands over what it leads before it goes."""
    without_each(stage, stage.factor(1, 6), coordinator_or_leader, Node.stop, Node.start)


@scenario(planned=True, brokers=True)
def broker_frozen(stage):
    """SIGSTOP of the group's coordinator until the others have taken over, then SIGCONT."""
    without_each(stage, stage.factor(1, 4), coordinator, Node.freeze, Node.thaw, socket_timeout_ms=5000)


@scenario(brokers=True)
def stop_while_the_coordinator_is_gone(stage):
    """SIGTERM of one worker and the end of the coordinator at the same time; the other goes on."""
    workers = two_workers(stage)
    node = stage.cluster.node(stage.kafka.coordinator(stage.group))
    stage.disturb(f"kill -9 of node {node.number}")
    node.kill()
    leaving = workers.pop()
    leaving.send(15)
    code = leaving.wait()
    assert code in (0, 1), f"{leaving.name} ended with {code}"
    stage.notes["exit"] = code
    if code == 1:  # cut short by the deadline: what it has not committed comes again
        stage.disturb("the stop was cut short")
    wait_until(f"leaders and coordinator to leave node {node.number}", moved(stage, node), every=0.1)
    node.start()
    stage.cluster.wait_whole(stage.kafka)
    stage.finish(*workers)
