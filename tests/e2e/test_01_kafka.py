"""The test broker and the helpers themselves."""

from harness import Process
from scene import order_problem


def test_produced_records_are_counted_and_nothing_is_committed(scene):
    scene.create_topics(events=3)
    scene.produce([(0, b"k", b"one"), (0, None, b""), (2, b"k", None)])
    assert scene.kafka.ends(scene.topic()) == {0: 2, 1: 0, 2: 1}
    assert scene.committed() == {0: None, 1: None, 2: None}
    assert scene.kafka.unfinished(scene.group, [scene.topic()]) == {(scene.topic(), 0): (None, 2), (scene.topic(), 2): (None, 1)}


def test_a_child_ends_with_its_parent(tmp_path):
    child = Process("sleeper", ["sleep", "600"], tmp_path)
    Process.started.remove(child)
    with open(f"/proc/{child.pid}/cmdline") as cmdline:
        assert "sleep" in cmdline.read() or child.running()
    child.kill()
    assert not child.running()


def test_the_order_check_sees_losses_swaps_and_too_many_repeats():
    expected = ["a", "b", "c", "d"]
    assert order_problem(expected, expected, 0) is None
    assert order_problem(expected, ["a", "b", "b", "c", "d"], 1) is None
    assert order_problem(expected, ["a", "b", "c", "b", "c", "d"], 1) is None
    assert all(order_problem(expected, seen, 1) for seen in (
        [], ["a", "b", "c"], ["a", "c", "d"], ["b", "a", "c", "d"], ["a", "b", "c", "d", "c"], ["a", "a", "a", "b", "c", "d"],
        ["a", "b", "x", "c", "d"]))
