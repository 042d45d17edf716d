"""A rename stands in the lanes of both addresses: what is around it keeps its order."""

from scene import one_call_event

OLD, NEW, OTHER = "old@example.com", "new@example.com", "other@example.com"


def applied(scene):
    return [request["body"]["firstName"] for request in scene.sandbox.applied()]


def produce_chain(scene, events):
    scene.produce([(0, b"key", one_call_event(*event)) for event in events])


def test_a_rename_waits_for_both_addresses_and_both_wait_for_it(scene):
    """Each request takes a while, so that anything that could overtake would."""
    scene.create_topics(events=1)
    produce_chain(scene, [(OLD, "old1"), (OLD, "old2"), (OTHER, "other1"), (OLD, "rename", NEW), (NEW, "new1"), (NEW, "new2"),
                          (OLD, "old3"), (OTHER, "other2")])
    scene.sandbox.fault(action="delay", delay_ms=100)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    seen = applied(scene)
    assert sorted(seen) == sorted(["old1", "old2", "other1", "rename", "new1", "new2", "old3", "other2"])
    assert [one for one in seen if one not in ("old3", "other1", "other2")] == ["old1", "old2", "rename", "new1", "new2"]
    assert seen.index("old3") > seen.index("rename")
    assert seen.index("other1") < seen.index("rename"), "another contact does not wait"
    scene.sandbox.check_no_overlap()
    assert scene.sandbox.contact(NEW)["firstName"] == "new2"
    assert scene.sandbox.contact(OLD)["firstName"] == "old3"


def test_a_rename_waits_for_a_call_of_its_new_address(scene):
    """The new address is busy first: the rename and the old address's later calls wait for it."""
    scene.create_topics(events=1)
    produce_chain(scene, [(NEW, "new1"), (OLD, "old1"), (OLD, "rename", NEW), (OLD, "old2"), (NEW, "new2")])
    scene.sandbox.fault(email=NEW, action="delay", delay_ms=300, count=1)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    seen = applied(scene)
    assert sorted(seen) == sorted(["new1", "old1", "rename", "old2", "new2"])
    assert seen.index("rename") > max(seen.index("new1"), seen.index("old1"))
    assert min(seen.index("old2"), seen.index("new2")) > seen.index("rename")
    scene.sandbox.check_no_overlap()


def test_a_failing_rename_is_repeated_in_its_place(scene):
    scene.create_topics(events=1)
    produce_chain(scene, [(OLD, "old1"), (OLD, "rename", NEW), (NEW, "new1"), (OLD, "old2")])
    scene.sandbox.fault(email=OLD, status=500, count=4)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    seen = applied(scene)
    assert seen[:2] == ["old1", "rename"] and sorted(seen[2:]) == ["new1", "old2"]
    scene.sandbox.check_no_overlap()


def test_a_rename_to_itself_is_an_ordinary_call(scene):
    scene.create_topics(events=1)
    produce_chain(scene, [(OLD, "old1"), (OLD, "same", OLD.upper()), (OLD, "old2")])
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    assert applied(scene) == ["old1", "same", "old2"]


def test_chains_and_swaps_of_renames_do_not_deadlock(scene):
    """a to b, b to c, c to a, and back, over and over, with failures in between."""
    scene.create_topics(events=1)
    names = [f"{letter}@example.com" for letter in "abc"]
    events = [(names[n % 3], f"e{n}", names[(n + 1 + n % 2) % 3]) for n in range(60)]
    produce_chain(scene, events)
    scene.sandbox.fault(share=0.1, status=500, seed=12)
    worker = scene.start_worker()
    scene.wait_until_finished(worker)
    worker.stop()
    # Any two neighbours share an address, so there is only one order.
    assert all({a, c} & {b, d} for (a, _, c), (b, _, d) in zip(events, events[1:]))
    assert applied(scene) == [event_id for _, event_id, _ in events]
    scene.sandbox.check_no_overlap()
