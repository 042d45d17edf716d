"""The admin endpoint: metrics, probes, and who may ask."""

import json

import pytest

from admin import Admin, Watch
from harness import wait_until
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
    assert metrics.value("sendx_worker_partitions_total", change="assigned") == 4
    worker.stop()


def test_live_before_ready_and_ready_with_partitions(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker(admin=ANY_PORT)
    assert worker.admin.get("/livez")[0] == 200
    wait_until("ready", lambda: worker.check_running() or worker.admin.get("/readyz")[0] == 200)
    assert worker.lines("partition.assigned"), "ready without a partition"
    for path, method, status in (("/", "GET", 200), ("/status.json", "GET", 200), ("/metric", "GET", 404), ("/metrics", "HEAD", 200),
                                 ("/metrics", "POST", 405), ("/livez", "DELETE", 405)):
        assert worker.admin.get(path, method=method)[0] == status, (path, method)
    worker.stop()


def test_not_ready_while_nothing_is_assigned(scene):
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
