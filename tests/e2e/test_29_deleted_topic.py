"""A topic that is deleted under a worker: its offsets cannot be committed any more, all others can."""

from harness import HANG_GUARD_S, wait_until
from scene import one_call_event

RULES = """
email = "${email | trim | lower}";
rules: (
  { name = "one call"; topics = [ "@DOOMED@", "@STAYS@" ]; identify: { firstName = "${id}"; }; }
);
"""


def test_the_offsets_of_other_topics_are_committed_when_one_is_deleted(scene):
    scene.create_topics(doomed=2, stays=2)
    rules = RULES.replace("@DOOMED@", scene.topic("doomed")).replace("@STAYS@", scene.topic("stays"))
    waits = scene.sandbox.fault(email="late@example.com", status=503)
    scene.produce([(0, b"k", one_call_event("late@example.com", "late"))], "doomed")
    scene.produce([(n % 2, b"k", one_call_event(f"user{n}@example.com", "first")) for n in range(20)], "stays")
    worker = scene.start_worker(rules=rules)
    scene.kafka.wait_until_finished(scene.group, [scene.topic("stays")], worker)
    wait_until("the call that fails", lambda: scene.sandbox.fault_hits(waits))
    scene.kafka.admin.delete_topics([scene.topic("doomed")])[scene.topic("doomed")].result(HANG_GUARD_S)
    scene.sandbox.end_faults()
    wait_until("the call of the deleted topic", lambda: worker.check_running() or
               "late@example.com" in scene.delivered(), show=worker.log_text)
    scene.produce([(n % 2, b"k", one_call_event(f"user{n}@example.com", "second")) for n in range(20)], "stays")
    scene.kafka.wait_until_finished(scene.group, [scene.topic("stays")], worker)
    print([line["error"] for line in worker.lines("commit.failed")])
    worker.kill()
