"""The admin endpoint: metrics, probes, and who may ask."""

import collections
import json
import select
import socket
import threading
import time

import pytest

from admin import Admin, Watch
from harness import HANG_GUARD_S, wait_until
from worker import ANY_PORT, run_command

TOKEN = "scrape-token-90210"


def test_metrics_hold_together_on_each_scrape(scene):
    """Every kind of end at once: delivered, not matched, tombstones, dead letters, and calls that fail and wait."""
    scene.create_topics(events=4)
    records, _ = scene.one_call_history(events=2000, contacts=200, partitions=4)
    scene.produce(records[:1000] + [(1, b"k", None), (2, b"k", b"nonsense"), (3, b"k", b'{"email": "other", "skip": true}')]
                  + records[1000:])
    scene.sandbox.fault(share=0.05, status=500, seed=1)
    scene.sandbox.fault(email="user7@example.com", status=422)
    rules = (f'email = "${{email}}"; rules: ( {{ name = "one call"; topics = [ "{scene.topic()}" ]; when = "not skip";'
             ' identify: { firstName = "${id}"; }; } );')
    worker = scene.start_worker(admin=ANY_PORT, rules=rules)
    watch = Watch(worker.admin)
    scene.wait_until_finished(worker)
    watch.stop()
    metrics = worker.admin.metrics()
    events = {outcome: metrics.value("sendx_worker_events_total", outcome=outcome)
              for outcome in ("delivered", "no_match", "skipped", "dead_lettered", "given_back")}
    assert events == {"delivered": 1990, "no_match": 1, "skipped": 1, "dead_lettered": 11, "given_back": 0}
    assert metrics.value("sendx_worker_events_consumed_total") == 2003
    assert metrics.value("sendx_worker_events_pending") == 0
    assert metrics.value("sendx_worker_calls_total", **{"class": "done"}) == 1990
    assert metrics.value("sendx_worker_calls_total", **{"class": "permanent"}) == 10
    assert metrics.value("sendx_worker_calls_total", **{"class": "transient"}) > 0
    assert metrics.value("sendx_worker_dead_letters_total", result="stored") == 11
    assert metrics.value("sendx_worker_pending_bytes") == 0
    assert metrics.value("sendx_worker_partitions_owned") == 4
    topic = {"topic": scene.topic()}
    assert sum(metrics.value("sendx_worker_partition_events_consumed_total", partition=str(n), **topic)
               for n in range(4)) == 2003
    rule = {"rule": "one call"}
    assert metrics.value("sendx_worker_rule_events_total", result="matched", **rule) == 2000
    assert metrics.value("sendx_worker_rule_events_total", result="not_matched", **rule) == 1
    calls = {"account": "main", "call": "identify", **rule}
    assert metrics.value("sendx_worker_rule_calls_total", **{"class": "done"}, **calls) == 1990
    assert metrics.value("sendx_worker_rule_calls_total", **{"class": "permanent"}, **calls) == 10
    assert metrics.value("sendx_worker_call_seconds_count") == metrics.sum("sendx_worker_calls_total")
    assert metrics.value("sendx_worker_event_age_seconds_count") == 1990
    assert metrics.value("sendx_worker_rule_path_present_ratio", path="id", **rule) == 1
    assert metrics.value("sendx_worker_partitions_total", change="assigned") == 4
    worker.stop()


def test_lag_and_the_oldest_unfinished_event_are_in_the_metrics(scene):
    """One contact is refused all the time: its event holds the offset, the others go on."""
    scene.create_topics(events=1)
    scene.sandbox.fault(email="user2@example.com", status=500)
    records, _ = scene.one_call_history(events=100, contacts=10, partitions=1)
    scene.produce(records)
    worker = scene.start_worker(admin=ANY_PORT)
    place = {"topic": scene.topic(), "partition": "0"}

    def standing():
        worker.check_running()
        metrics = worker.admin.metrics()
        metrics.check_conservation()
        return metrics if ("sendx_worker_partition_lag_events", tuple(sorted(place.items()))) in metrics and \
            metrics.value("sendx_worker_partition_lag_events", **place) == 98 else None
    metrics = wait_until("lag", standing)
    assert metrics.value("sendx_worker_partition_oldest_unfinished_offset", **place) == 2
    assert metrics.value("sendx_worker_partition_unread_events", **place) == 0
    assert metrics.value("sendx_worker_partition_end_offset", **place) == 100
    age = metrics.value("sendx_worker_partition_oldest_unfinished_age_seconds", **place)
    wait_until("its age to grow", lambda: worker.admin.metrics().value(
        "sendx_worker_partition_oldest_unfinished_age_seconds", **place) > age)
    scene.sandbox.end_faults()
    scene.wait_until_finished(worker)
    worker.stop()


def test_many_rules_and_partitions_cost_little_to_scrape(scene):
    """200 rules and 200 partitions, each used. The figures are printed; only their bounds in number are checked."""
    scene.create_topics(events=200)
    records = [(n % 200, b"k", json.dumps({"email": f"user{n}@example.com", "kind": n % 200}).encode())
               for n in range(2000)]
    scene.produce(records)
    rules = 'email = "${email}"; rules: (' + ", ".join(
        f'{{ name = "rule {n}"; topics = [ "{scene.topic()}" ]; when = "kind == {n}";'
        f' identify: {{ firstName = "${{kind}}"; tags = [ "t{n}", "all" ]; }}; }}' for n in range(200)) + ");"
    worker = scene.start_worker(admin=ANY_PORT, rules=rules)
    scene.wait_until_finished(worker)
    wait_until("the ends of the partitions", lambda: len(worker.admin.metrics().labels(
        "sendx_worker_partition_lag_events")) == 200)
    costs = []
    for _ in range(20):
        metrics = worker.admin.metrics()
        costs.append(metrics.value("sendx_worker_answer_seconds") * 1000)
    costs = sorted(costs[1:])
    status = worker.admin.get("/status.json")[2]
    print(f"\n200 rules x 200 partitions: {len(metrics)} samples, made in {costs[0]:.1f} ms at best, "
          f"{costs[len(costs) // 2]:.1f} ms as a rule; status.json {len(status) // 1024} KiB")
    assert len(metrics) < 20000 and metrics.sum("sendx_worker_series_left_out") == 0
    worker.stop()


class Crowd(threading.Thread):
    """A thousand clients that begin a request and never end it, replaced as they are cut off."""

    def __init__(self, address, size=1000):
        super().__init__(daemon=True)
        host, port = address.rsplit(":", 1)
        self.address, self.size = (host, int(port)), size
        self.over = threading.Event()
        self.opened = 0
        self.poll = select.epoll()
        self.sockets = {}
        self.start()

    def add(self):
        client = socket.create_connection(self.address, HANG_GUARD_S)
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
        client.setblocking(False)
        self.sockets[client.fileno()] = client
        self.poll.register(client, select.EPOLLIN | select.EPOLLRDHUP)
        self.opened += 1

    def run(self):
        while not self.over.is_set():
            while len(self.sockets) < self.size and not self.over.is_set():
                self.add()
            for fd, _ in self.poll.poll(0.1):
                self.sockets.pop(fd).close()

    def stop(self):
        self.over.set()
        self.join()
        for client in self.sockets.values():
            client.close()


def test_a_thousand_slow_clients_disturb_neither_delivery_nor_scrapes(scene):
    scene.create_topics(events=4)
    worker = scene.start_worker(admin=ANY_PORT)
    worker.wait_assigned(scene.partitions)
    expected = collections.defaultdict(list)

    def deliver(first):
        records, more = scene.one_call_history(events=4000, contacts=200, partitions=4, first=first)
        for email, ids in more.items():
            expected[email] += ids
        began = time.monotonic()
        scene.produce(records)
        scene.wait_until_finished(worker)
        return time.monotonic() - began
    alone = deliver(0)
    crowd = Crowd(worker.admin.address)
    wait_until("a thousand slow clients", lambda: crowd.opened >= 1000)
    beset = deliver(4000)
    metrics = worker.admin.metrics()
    crowd.stop()
    print(f"\n4000 events: {alone:.2f} s alone, {beset:.2f} s beside {crowd.opened} slow clients")
    assert metrics.value("sendx_worker_events_total", outcome="delivered") == 8000
    scene.check_delivered(expected)
    assert not worker.lines("partition.lost") and not worker.lines("call.retry")
    worker.stop()


def test_it_is_live_before_it_is_ready_and_ready_with_its_partitions(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker(admin=ANY_PORT)
    assert worker.admin.get("/livez")[0] == 200
    wait_until("ready", lambda: worker.check_running() or worker.admin.get("/readyz")[0] == 200)
    assert worker.lines("partition.assigned"), "ready without a partition"
    for path, method, status in (("/", "GET", 200), ("/status.json", "GET", 200), ("/metric", "GET", 404), ("/metrics", "HEAD", 200),
                                 ("/metrics", "POST", 405), ("/livez", "DELETE", 405)):
        assert worker.admin.get(path, method=method)[0] == status, (path, method)
    worker.stop()


def test_it_is_not_ready_while_nothing_is_assigned(scene):
    """One partition and two workers: the second is alive and has nothing."""
    scene.create_topics(events=1)
    first = scene.start_worker("first", admin=ANY_PORT)
    first.wait_assigned(scene.partitions)
    second = scene.start_worker("second", admin=ANY_PORT)
    wait_until("two members", lambda: second.check_running() or scene.kafka.members(scene.group) == 2)
    ready = [worker.admin.get("/readyz")[0] for worker in (first, second)]
    assert sorted(ready) == [200, 503], ready
    assert [worker.admin.get("/livez")[0] for worker in (first, second)] == [200, 200]
    first.stop()
    second.stop()


def test_a_token_is_asked_for_and_not_told(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker(admin={"listen": "0.0.0.0:0", "token": TOKEN}, log={"level": "debug"})
    address = "127.0.0.1:" + worker.admin.address.rsplit(":", 1)[1]
    admin = Admin(address)
    assert admin.get("/metrics", token=TOKEN)[0] == 200
    for wrong in (None, TOKEN[:-1], TOKEN + "x", "x"):
        status, _, body = admin.get("/metrics", token=wrong)
        assert status == 401 and "sendx_worker" not in body and TOKEN not in body, (wrong, status, body)
    worker.stop()
    assert TOKEN not in worker.log_text()


@pytest.mark.parametrize("listen, settings, code", [
    ("0.0.0.0:9464", {}, 2), ("192.0.2.1:9464", {}, 2), ("[::]:9464", {}, 2), ("9464", {}, 2), ("example.com:1", {}, 2),
    ("127.0.0.1:9464", {}, 0), ("[::1]:9464", {}, 0), ("localhost:9464", {}, 0), ("", {}, 0),
    ("0.0.0.0:9464", {"allow_public": True}, 0), ("0.0.0.0:9464", {"token": TOKEN}, 0)])
def test_what_others_could_reach_is_refused_at_check(scene, listen, settings, code):
    scene.topics = {"events": "never-used"}
    path = scene.config_file(admin={"listen": listen, **settings})
    done = run_command("check", "-c", path)
    assert done.returncode == code, done.stdout + done.stderr
    if code:
        assert "admin" in done.stderr and "listen" in done.stderr and f"{path.name}:" in done.stderr, done.stderr
        if "example" not in listen and ":" in listen:
            assert "token" in done.stderr and "allow_public" in done.stderr, done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_a_port_in_use_is_named(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker(admin=ANY_PORT)
    second = scene.config_file("second", admin={"listen": worker.admin.address})
    done = run_command("run", "-c", second)
    assert done.returncode in (1, 2) and worker.admin.address in done.stderr, (done.returncode, done.stderr)
    worker.stop()


def test_metrics_and_pages_hold_no_address_and_no_key(scene):
    scene.create_topics(events=1)
    scene.produce([(0, b"k", json.dumps({"email": f"user{n}@example.com", "id": "x"}).encode()) for n in range(5)])
    scene.sandbox.fault(email="user3@example.com", status=422, body='{"message": "user3@example.com"}')
    worker = scene.start_worker(admin=ANY_PORT)
    scene.wait_until_finished(worker)
    for path in ("/metrics", "/livez", "/readyz", "/", "/nothing?email=user3@example.com"):
        body = worker.admin.get(path)[2]
        assert "user3" not in body and "@example.com" not in body, body
    worker.stop()
