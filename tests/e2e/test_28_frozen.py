"""A process that is stopped for longer than the session's timeout, while another gets its partitions, and goes
on: it sends nothing of what it had in hand."""

import signal

from harness import wait_until
from tls import TlsProxy
from worker import ANY_PORT

EVENTS = 3000


def test_a_process_that_was_frozen_sends_nothing_for_partitions_that_another_has(scene):
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=EVENTS, contacts=300, partitions=4)
    scene.produce(records)
    settings = {"kafka": {"session_timeout_ms": 3000}, "delivery": {"commit_interval": "50ms"},
                "account": {"max_in_flight": 8}}
    slow = scene.sandbox.fault(action="delay", delay_ms=40)
    frozen = scene.start_worker("frozen", **settings)
    wait_until("it to have begun, and committed", lambda: frozen.check_running() or any(scene.committed().values()),
               show=frozen.log_text)
    frozen.send(signal.SIGSTOP)
    wait_until("its calls to be answered", lambda: not scene.sandbox.stats()["open"])
    assert scene.sandbox.fault_hits(slow) < EVENTS * 2 // 3, "too quick for this test: nothing was left in hand"
    scene.sandbox.end_faults()
    heir = scene.start_worker("heir", **settings)
    scene.wait_until_finished(heir)
    last = scene.sandbox.last_seq()
    frozen.send(signal.SIGCONT)
    frozen.wait_for("worker.gap")
    frozen.wait_for("partition.lost", count=4)
    frozen.wait_for("partition.assigned", count=5)  # it is a member again, so what it had in hand is decided
    heir.stop()
    frozen.stop()
    assert scene.sandbox.last_seq() == last, f"sent after the freeze: {scene.sandbox.requests(last)[:3]}"
    scene.check_delivered_with_repeats(expected, restarts=1)


def test_a_process_that_is_cut_off_from_kafka_soon_sends_nothing_more(scene):
    """It has thousands of events in hand; each one sent now would be sent again."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=EVENTS, contacts=300, partitions=4)
    scene.produce(records)
    slow = scene.sandbox.fault(action="delay", delay_ms=50)
    worker = scene.start_worker(kafka={"session_timeout_ms": 3000}, delivery={"commit_interval": "50ms"},
                                account={"max_in_flight": 8})
    wait_until("it to have begun, and committed", lambda: worker.check_running() or any(scene.committed().values()),
               show=worker.log_text)
    before = len(worker.lines("commit.overdue"))
    scene.kafka.process.send(signal.SIGSTOP)
    try:
        worker.wait_for("commit.overdue", count=before + 1)
        wait_until("its calls to be answered", lambda: not scene.sandbox.stats()["open"])
        last = scene.sandbox.last_seq()
        worker.wait_for("partition.lost", count=4)  # the session is over: two thirds of it later, time for 40 rounds of calls
        assert scene.sandbox.last_seq() == last
        assert scene.sandbox.fault_hits(slow) < EVENTS, "too quick for this test: nothing was left in hand"
    finally:
        scene.kafka.process.send(signal.SIGCONT)
    scene.sandbox.end_faults()
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered_with_repeats(expected, restarts=1)


def test_what_a_frozen_process_had_begun_to_send_and_not_sent_is_not_sent(scene, authority):
    """Its calls wait for a connection when it is stopped. The connection is there when it goes on, and another has its
    partitions."""
    scene.create_topics(events=4)
    records, expected = scene.one_call_history(events=40, contacts=20, partitions=4)
    scene.produce(records)
    nginx = TlsProxy(scene.folder, scene.sandbox.address, authority.certificate("api", "IP:127.0.0.1"))
    nginx.process.send(signal.SIGSTOP)  # connections are made, but TLS is not
    settings = {"kafka": {"session_timeout_ms": 3000}, "delivery": {"commit_interval": "50ms"}, "admin": ANY_PORT}
    frozen = scene.start_worker("frozen", **settings, base_url=scene.sandbox.base_url(address=nginx.address, scheme="https"),
                                account={"ca_file": str(authority.ca_file), "timeout": "2m", "connect_timeout": "2m"})
    wait_until("calls on their way, and a commit", lambda: frozen.check_running() or (
        None not in scene.committed().values() and
        frozen.admin.metrics().value("sendx_worker_account_calls_in_flight", account="main") > 0), show=frozen.log_text)
    frozen.send(signal.SIGSTOP)
    nginx.process.send(signal.SIGCONT)
    heir = scene.start_worker("heir", **settings)
    scene.wait_until_finished(heir)
    frozen.send(signal.SIGCONT)
    frozen.wait_for("partition.lost", count=4)
    frozen.wait_for("partition.assigned", count=5)
    heir.stop()
    frozen.stop()
    assert nginx.protocols() == []
    scene.check_delivered(expected)
