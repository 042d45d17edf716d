"""An assignment is lost, and its partitions come back to the same process. What that had finished is not sent again,
though no commit said so, unless they may have been somebody else's in between."""

import struct

from harness import wait_until
from offsets import Offsets, ask, take, text
from worker import ANY_PORT

JOIN_GROUP, LEAVE_GROUP = (11, 2), (13, 1)  # (key, version)
EVENTS, CONTACTS, PARTITIONS, LATER = 400, 100, 4, 100
ASK_S = 30


class Impostor:
    """Speaks to the coordinator in the name of the group's only member, which learns of it by its next heartbeat."""

    def __init__(self, scene):
        self.scene = scene
        described = scene.kafka.admin.describe_consumer_groups([scene.group])
        [member] = described[scene.group].result(ASK_S).members
        self.member = text(scene.group), text(member.member_id)

    def ask(self, api, body):
        offsets = Offsets(self.scene.kafka.address, self.scene.group, ASK_S)
        offsets.fetch([(self.scene.topic(), 0)])
        try:
            reply = ask(offsets.stream, api, body)
        finally:
            offsets.close()
        take(reply, "i")  # the throttle time
        error = take(reply, "h")
        assert not error, f"the coordinator answers {error}"

    def join(self):
        """The group goes on to another generation, of which the member has not heard."""
        group, member = self.member
        subscription = struct.pack(">hi", 0, 1) + text(self.scene.topic()) + struct.pack(">i", -1)
        self.ask(JOIN_GROUP, group + struct.pack(">ii", 10000, 10000) + member + text("consumer") +
                 struct.pack(">i", 1) + text("cooperative-sticky") + struct.pack(">i", len(subscription)) +
                 subscription)

    def leave(self):
        """The member is none any more, and its partitions are free for anybody."""
        group, member = self.member
        self.ask(LEAVE_GROUP, group + member)


def start_and_finish(scene):
    """A worker that has finished EVENTS and committed none of them, and what was expected."""
    scene.create_topics(events=PARTITIONS)
    worker = scene.start_worker(delivery={"commit_interval": "5m"}, admin=ANY_PORT)
    worker.wait_assigned(scene.partitions)
    wait_until("the start to be committed", lambda: set(scene.committed().values()) == {0}, show=worker.log_text)
    records, expected = scene.one_call_history(events=EVENTS, contacts=CONTACTS, partitions=PARTITIONS)
    scene.produce(records)
    wait_until("every event to be finished", lambda: worker.admin.metrics().value(
        "sendx_worker_events_total", outcome="delivered") == EVENTS, show=worker.log_text)
    assert set(scene.committed().values()) == {0}, "too slow for this test: a commit came before the loss"
    return worker, expected


def go_on_and_stop(scene, worker, expected):
    records, later = scene.one_call_history(events=LATER, contacts=CONTACTS, partitions=PARTITIONS, first=EVENTS)
    scene.produce(records)
    for email, events in later.items():
        expected[email] += events
    wait_until("the later events", lambda: worker.admin.metrics().value("sendx_worker_events_pending") == 0 and all(
        events[-1] in scene.delivered()[email] for email, events in expected.items()), show=worker.log_text)
    worker.stop()
    assert sum(scene.committed().values()) == EVENTS + LATER


def test_what_was_finished_when_an_assignment_was_lost_is_not_sent_again(scene):
    worker, expected = start_and_finish(scene)
    Impostor(scene).join()
    worker.wait_for("partition.lost", count=PARTITIONS)
    worker.wait_for("partition.remembered", count=PARTITIONS)
    assert {line["offsets"] for line in worker.lines("partition.remembered")} == {str(EVENTS // PARTITIONS)}
    go_on_and_stop(scene, worker, expected)
    scene.check_delivered(expected)


def test_where_the_partitions_may_have_been_anothers_everything_is_sent_again(scene):
    """One that sent some of it and was gone before it committed would have left contacts as they were."""
    worker, expected = start_and_finish(scene)
    Impostor(scene).leave()
    worker.wait_for("partition.lost", count=PARTITIONS)
    go_on_and_stop(scene, worker, expected)
    assert not worker.lines("partition.remembered")
    scene.check_delivered_with_repeats(expected, restarts=1)
