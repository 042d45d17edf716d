"""What comes with the worker for Prometheus and Grafana, checked by Prometheus' own tools and by a real one."""

import collections
import json
import re
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request

from harness import BUILD, HANG_GUARD_S, ROOT, WRAP, Process, free_port, tail, wait_until
from worker import ANY_PORT, WORKER, run_command

RULES = ROOT / "deploy/prometheus/sendx-worker.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/sendx-worker.json"
EXAMPLE = "https://example.com/sendx-worker/"  # what a user replaces by an address of their own
RUNBOOK = (ROOT / "docs/runbook.md").read_text()


def promtool(*arguments, stdin=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=HANG_GUARD_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def runbook_links(path):
    return re.findall(r"runbook_url: (\S+)$", path.read_text(), re.MULTILINE)


def anchors():
    return {re.sub(r"[^a-z0-9_ -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)}


def test_rules_are_right_and_come_when_they_should():
    promtool("check", "rules", RULES)
    promtool("check", "config", ROOT / "deploy/prometheus/prometheus.yml")
    promtool("test", "rules", ROOT / "tests/prometheus/alerts.yml")


def test_each_alert_and_each_reason_has_its_place_in_the_runbook():
    links = runbook_links(RULES)
    assert len(links) == len(re.findall(r"- alert:", RULES.read_text()))
    assert {link.partition("#")[0] for link in links} == {EXAMPLE + "docs/runbook.md"}
    named = {link.partition("#")[2] for link in links}
    assert named <= anchors(), named - anchors()
    reasons = set()
    for header, name in (("src/delivery/gate.h", "GATE_REASON_TABLE"), ("src/delivery/core.h", "LETTER_HOLD_TABLE")):
        table = (ROOT / header).read_text().split(f"#define {name}(X)")[1].split("\n\n")[0]
        reasons |= set(re.findall(r'X\([A-Z_]+, "(\w+)"', table)) - {"open", "none"}
    reasons |= set(re.findall(r'\{"(\w+)",\s+"', (ROOT / "src/worker/status.c").read_text()))
    assert {"outage", "dead_letter_budget", "out_of_range", "event_held", "pending_full", "gap", "stalled"} <= reasons
    assert reasons <= anchors(), reasons - anchors()


def test_the_command_in_the_rules_file_puts_ones_own_address_into_every_link(tmp_path):
    (command,) = re.findall(r"^#   (sed .*)$", RULES.read_text(), re.MULTILINE)
    shutil.copy(RULES, tmp_path)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, timeout=HANG_GUARD_S)
    copy = tmp_path / RULES.name
    promtool("check", "rules", copy)
    assert [link.replace("https://wiki.your.company/sendx-worker/", EXAMPLE) for link in runbook_links(copy)] == \
        runbook_links(RULES)
    assert not any(link.startswith(EXAMPLE) for link in runbook_links(copy))


def test_rules_and_dashboard_name_metrics_that_there_are():
    documented = set(re.findall(r"`(sendx_worker_\w+)`", (ROOT / "docs/metrics.md").read_text()))
    text = RULES.read_text() + "".join(target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"]
                                       for target in panel["targets"])
    named = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\bsendx_worker_\w+", text)}
    assert named <= documented, named - documented


class Prometheus:
    def __init__(self, address, folder):
        self.address = f"127.0.0.1:{free_port()}"
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "200ms", "evaluation_interval": "1s"}, "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "sendx-worker", "static_configs": [{"targets": [address]}]}]}))
        self.process = Process("prometheus", ["prometheus", f"--config.file={folder}/prometheus.yml",
                                              f"--storage.tsdb.path={folder}/data",
                                              f"--web.listen-address={self.address}"], folder)

    def query(self, expression):
        """[(labels, {time: value})] of an instant query."""
        url = f"http://{self.address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=HANG_GUARD_S) as reply:
                results = json.load(reply)["data"]["result"]
        except OSError:
            self.process.check_running()
            return []
        return [(one["metric"], {time: float(value) for time, value in one.get("values", [one.get("value")])})
                for one in results]

    def scrapes(self, name):
        """{time: sum over the series} of all scrapes so far."""
        found = collections.Counter()
        for _, values in self.query(f"{name}[1h]"):
            found.update(values)
        return found


def check_sums(prometheus, partitions):
    """What was consumed is pending or has ended: at every scrape, of the worker and of each partition."""
    total, pending, ended = map(prometheus.scrapes, (
        "sendx_worker_events_consumed_total", "sendx_worker_events_pending", "sendx_worker_events_total"))
    times = total.keys() & pending.keys() & ended.keys()
    assert len(times) > 10
    assert not [time for time in times if total[time] != pending[time] + ended[time]]
    accounted = prometheus.query("max_over_time(sendx_worker:partition_events_unaccounted[1h])")
    assert len(accounted) == partitions and all(set(values.values()) == {0} for _, values in accounted), accounted


def test_a_real_prometheus_scrapes_the_running_demo(tmp_path):
    """make demo-live says where its page is; what asks there gets answers whose sums agree."""
    demo = Process("demo", [*WRAP, BUILD / "sendx-sandbox", "demo", "--live", "--worker", WORKER, "--log", "worker.log",
                            "--conf", ROOT / "conf/demo.conf"], tmp_path)

    def page():
        demo.check_running()
        return re.search(r"^  http://(\S+)/ in a browser$", demo.out_path.read_text(), re.MULTILINE)
    address = wait_until("the demo to say where its page is", page, show=lambda: tail(demo.out_path))[1]
    try:
        prometheus = Prometheus(address, tmp_path)
        wait_until("two dozen scrapes", lambda: len(prometheus.scrapes("sendx_worker_events_pending")) >= 24)
        check_sums(prometheus, partitions=12)  # those of the redrive topic, too
        before = sum(prometheus.scrapes("sendx_worker_events_consumed_total").values())
        assert before > 24 * 2000, "it goes on with events"
        url = f"http://{address}"
        assert f"top --url {url}\n" in demo.out_path.read_text()
        assert run_command("probe", "--url", url).returncode == 0
        assert "registration" in run_command("top", "--once", "--url", url).stdout
        demo.send(signal.SIGINT)
        assert demo.wait() == 0, tail(demo.out_path)
    finally:
        for process in reversed(Process.started):
            process.end(patience=3)
        Process.started.clear()


def test_a_real_prometheus_sees_a_worker_whose_sums_agree_at_every_scrape(scene):
    """Everything at once: ends of all kinds, calls that fail and wait, a second process that takes partitions over."""
    scene.create_topics(events=4)
    worker = scene.start_worker(admin=ANY_PORT)
    prometheus = Prometheus(worker.admin.address, scene.folder)
    wait_until("a scrape", lambda: prometheus.query("sendx_worker_events_consumed_total"))
    fault = scene.sandbox.fault(share=0.1, status=500, seed=1)
    scene.sandbox.fault(email="user7@example.com", status=422)
    for turn in range(4):
        records, _ = scene.one_call_history(events=500, contacts=100, partitions=4, first=500 * turn)
        scene.produce(records + [(1, b"k", None), (2, b"k", b"nonsense")])
        seen = len(prometheus.scrapes("sendx_worker_events_pending"))
        wait_until("more scrapes", lambda: len(prometheus.scrapes("sendx_worker_events_pending")) > seen + 2)
    second = scene.start_worker("second")
    second.wait_for("partition.assigned")
    scene.wait_until_finished(worker)
    scene.sandbox.end_faults(fault)
    second.stop()
    wait_until("all partitions to be back", lambda: worker.admin.metrics().value("sendx_worker_partitions_owned") == 4)
    promtool("check", "metrics", stdin=worker.admin.get("/metrics")[2])

    check_sums(prometheus, partitions=4)
    assert not prometheus.query('ALERTS{alertname="SendxWorkerUnaccounted"}')
    worker.stop()
