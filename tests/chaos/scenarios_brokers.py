"""What happens to Kafka's nodes: killed and back, frozen, with the leader of a partition or the group's coordinator."""

from confluent_kafka import KafkaException

from cluster import OFFSETS_TOPIC
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


@scenario(planned=True, brokers=True)
def broker_killed_and_back(stage):
    """kill -9 of the group's coordinator, then of a partition's leader, and so on; each comes back."""
    workers = two_workers(stage)
    for n in range(stage.factor(1, 8)):
        number = stage.kafka.coordinator(stage.group) if n % 2 == 0 else stage.kafka.leader(stage.topic(), n % 6)
        node = stage.cluster.node(number)
        node.kill()
        wait_until(f"leaders and coordinator to leave node {number}", moved(stage, node), every=0.1)
        stage.wait_calls(200, *workers)
        node.start()
        stage.cluster.wait_whole(stage.kafka)
        stage.wait_calls(100, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()


@scenario(planned=True, brokers=True)
def leaders_and_coordinator_move(stage):
    """Nodes are stopped in good order, as by a rolling upgrade: each hands over what it leads before it goes."""
    workers = two_workers(stage)
    for n in range(stage.factor(1, 6)):
        number = stage.kafka.coordinator(stage.group) if n % 2 == 0 else stage.kafka.leader(stage.topic(), n % 6)
        node = stage.cluster.node(number)
        node.stop()
        wait_until(f"leaders and coordinator to leave node {number}", moved(stage, node), every=0.1)
        stage.wait_calls(200, *workers)
        node.start()
        stage.cluster.wait_whole(stage.kafka)
        stage.wait_calls(100, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()


@scenario(planned=True, brokers=True)
def broker_frozen(stage):
    """SIGSTOP of the group's coordinator until the others have taken over, then SIGCONT."""
    workers = two_workers(stage, socket_timeout_ms=5000)
    for n in range(stage.factor(1, 4)):
        node = stage.cluster.node(stage.kafka.coordinator(stage.group))
        node.freeze()
        wait_until(f"leaders and coordinator to leave node {node.number}", moved(stage, node), every=0.1)
        stage.wait_calls(200, *workers)
        node.thaw()
        stage.cluster.wait_whole(stage.kafka)
        stage.wait_calls(100, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()


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
