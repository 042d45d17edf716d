"""The end of a worker: by SIGTERM nothing is sent twice, by kill -9 nothing is lost."""

import signal

from harness import wait_until
from worker import run_command


def stop_three_workers_in_the_middle(scene, events):
    """Three workers one after the other, each stopped while calls are in flight, and a last one to the end."""
    slow = scene.sandbox.fault(action="delay", delay_ms=60)
    for n in range(3):
        worker = scene.start_worker(f"worker-{n}", account={"max_in_flight": 16})
        done_before = scene.sandbox.stats()["requests"]

        def in_flight():
            worker.check_running()
            stats = scene.sandbox.stats()
            return stats["open"] > 0 and stats["requests"] >= done_before + 50
        wait_until("calls in flight", in_flight, show=worker.log_text)
        worker.stop()
        assert scene.sandbox.stats()["open"] == 0, "the worker left before its calls were answered"
        assert scene.sandbox.fault_hits(slow) < events, "too quick for this test: nothing was left to stop"
    scene.sandbox.end_faults()
    last = scene.start_worker("last")
    scene.wait_until_finished(last)
    last.stop()


def test_sigterm_while_calls_are_in_flight_sends_nothing_twice(scene):
    """Each event has a contact of its own."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=600, contacts=600, partitions=4)
    scene.produce(records)
    stop_three_workers_in_the_middle(scene, 600)
    scene.check_delivered(expected)


def test_sigterm_keeps_the_order_of_waiting_contacts(scene):
    """Few contacts with many events: some wait in their lanes while later events are finished, and what
    was given back of them stands below what was finished."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=600, contacts=30, partitions=4)
    scene.produce(records)
    stop_three_workers_in_the_middle(scene, 600)
    scene.check_delivered(expected)
    scene.sandbox.check_no_overlap()


def test_sigterm_with_nothing_to_do_ends_it_with_0(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker()
    worker.wait_for("worker.ready")
    worker.stop()


def test_sigint_stops_it_like_sigterm(scene):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=40, contacts=40, partitions=2)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=100)
    worker = scene.start_worker(account={"max_in_flight": 4})
    wait_until("calls in flight", lambda: worker.check_running() or scene.sandbox.stats()["open"] > 0)
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    last = scene.start_worker("last")
    scene.wait_until_finished(last)
    last.stop()
    scene.check_delivered(expected)


def test_sigterm_right_after_the_start_ends_it_with_0(scene):
    """Before the group has let it in."""
    scene.create_topics(events=2)
    worker = scene.start_worker()
    wait_until("a line in the log", lambda: worker.lines() or not worker.running())
    worker.stop()


def test_kill_9_loses_nothing_and_keeps_order(scene):
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=1000, contacts=100, partitions=4)
    scene.produce(records)
    scene.sandbox.fault(action="delay", delay_ms=10)
    # The group learns of such an end only by the session's timeout.
    victim = scene.start_worker("victim", kafka={"session_timeout_ms": 3000})
    wait_until("some calls", lambda: victim.check_running() or scene.sandbox.stats()["requests"] >= 300)
    victim.kill()
    scene.sandbox.end_faults()
    heir = scene.start_worker("heir")
    scene.wait_until_finished(heir)
    heir.stop()
    scene.check_delivered_with_repeats(expected, restarts=1)


def test_bad_configuration_is_exit_2_and_a_message(scene):
    scene.topics = {"events": "never-used"}
    path = scene.config_file(delivery={"retry_min": "soon", "no_such_setting": 1})
    for command in ("run", "check"):
        done = run_command(command, "-c", path)
        assert done.returncode == 2, f"{command} ended with {done.returncode}:\n{done.stderr}"
        assert "retry_min" in done.stderr and "no_such_setting" in done.stderr and f"{path.name}:3" in done.stderr, done.stderr
    assert run_command("run", "-c", scene.folder / "missing.conf").returncode == 2
    assert run_command("no-such-command").returncode == 2
    assert run_command("check", "-c", scene.config_file("good")).returncode == 0
    assert "0" in run_command("version").stdout and run_command("help").returncode == 0
