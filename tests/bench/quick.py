"""make bench-quick: one worker against a real Kafka and an nginx that answers at once, beside the ceiling
(the same HTTP loop with a constant body, no Kafka, no rules). Prints figures, judges nothing."""

import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import BUILD, Process, free_port, wait_until  # noqa: E402
from kafka import Kafka  # noqa: E402
from worker import Worker, config_text  # noqa: E402

EVENTS = int(os.environ.get("EVENTS", "100000"))
CONTACTS = int(os.environ.get("CONTACTS", "20000"))
REPEATS = int(os.environ.get("REPEATS", "3"))
IN_FLIGHT = 64
TOPICS = {"user.registered": 4, "plan.changed": 4}

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    underscores_in_headers on;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location /status {{ stub_status; }}
        location / {{
            default_type application/json;
            return 200 '{{"status":"200","message":"OK","data":{{}}}}';
        }}
    }}
}}
"""

RULES = """
email = "${user.email | trim | lower}";
tables: { plan_tag = ( ("pro", "paid user"), ("enterprise", "paid user"), ("trial", "trial user") ); };
rules: (
  { name = "registration"; topics = [ "user.registered" ]; when = "not user.internal";
    identify: { firstName = "${user.first_name}"; lastName = "${user.last_name}"; company = "${user.company}";
                customFields = ( ("Plan", "${plan}"), ("Signup source", "${user.signup.source ?? 'direct'}") );
                tags = [ "registered", "source: ${user.signup.source}" ]; }; },
  { name = "plan changed"; topics = [ "plan.changed" ]; when = "from != to and to in ['pro', 'enterprise', 'trial']";
    track: { addTags = [ "${to | table('plan_tag')}" ]; removeTags = [ "${from | table('plan_tag')}" ]; }; }
);
"""


def start_nginx(folder):
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, port=port))
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    process = Process("nginx", [nginx, "-p", folder, "-c", conf], folder)
    base = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{base}/status", timeout=1).status == 200
        except OSError:
            process.check_running()
            return False
    wait_until("nginx to answer", answers)
    return process, base


def requests(base):
    """How many requests nginx has answered so far."""
    text = urllib.request.urlopen(f"{base}/status", timeout=10).read().decode()
    return int(re.search(r"\n (\d+) (\d+) (\d+)", text)[3])


def make_events(kafka):
    rng = random.Random(1)
    for topic in TOPICS:
        records = []
        for n in range(EVENTS // 2):
            user = rng.randrange(CONTACTS)
            event = {"id": f"evt-{n:012d}", "type": topic, "occurred_at": "2026-01-01T00:00:00Z",
                     "user": {"email": f"user{user}@example.com", "first_name": "Ada", "last_name": "Lovelace",
                              "company": "Analytical Engines", "internal": False,
                              "signup": {"source": "web", "campaign": "spring"}, "interests": ["tea", "maths"]},
                     "plan": "trial", "from": "trial", "to": "pro"}
            records.append((user % TOPICS[topic], str(user).encode(), json.dumps(event).encode()))
        kafka.produce(topic, records)
    print(f"{EVENTS} events of {len(records[0][2])} bytes in {sum(TOPICS.values())} partitions, "
          f"{CONTACTS} contacts, {IN_FLIGHT} in flight")


def process_figures(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    peak_kb = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
    return cpu_s, peak_kb / 1024


def run_worker(kafka, base, folder, n):
    before = requests(base)
    asked = 0
    worker = Worker(config_text(
        kafka={"bootstrap_servers": kafka.address, "group_id": f"bench-{n}", "fetch_wait_max_ms": 100,
               "heartbeat_interval_ms": 1000},
        account={"base_url": base, "max_in_flight": IN_FLIGHT},
        delivery={"retry_min": "250ms", "retry_max": "60s", "commit_interval": "1s"}, rules=RULES), folder)
    started = None
    while True:
        asked += 1
        done = requests(base) - before - asked
        if started is None and done > 0:
            started = time.monotonic()
            cpu_before = process_figures(worker.pid)[0]
            done_before = done
        if done >= EVENTS:
            break
        worker.check_running()
        time.sleep(0.01)
    elapsed = time.monotonic() - started
    cpu_s, peak_mb = process_figures(worker.pid)
    kafka.wait_until_finished(f"bench-{n}", TOPICS, worker)
    worker.stop()
    return {"events_s": (EVENTS - done_before) / elapsed, "cpu_us": (cpu_s - cpu_before) / EVENTS * 1e6,
            "peak_mb": peak_mb}


def run_ceiling(base):
    done = subprocess.run([BUILD / "bench" / "http_ceiling", f"{base}/api/v1/contact/identify", str(EVENTS),
                           str(IN_FLIGHT)], capture_output=True, text=True, check=True)
    figures = dict(re.findall(r"(\S+)=(\S+)", done.stdout))
    return {"events_s": float(figures["requests/s"]), "cpu_us": float(figures["cpu_us/request"]),
            "peak_mb": float(figures["peak_mb"])}


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    kafka_folder = folder / "kafka"
    kafka_folder.mkdir()
    kafka = Kafka(kafka_folder)
    nginx = None
    ours, ceiling = [], []
    try:
        kafka.start()
        nginx, base = start_nginx(folder)
        kafka.create_topics(TOPICS)
        make_events(kafka)
        for n in range(REPEATS):
            ours.append(run_worker(kafka, base, folder, n))
            ceiling.append(run_ceiling(base))
            for name, run in (("worker", ours[-1]), ("ceiling", ceiling[-1])):
                print(f"{name:8} {run['events_s']:8.0f}/s {run['cpu_us']:6.1f} us CPU each "
                      f"{run['peak_mb']:6.1f} MB peak", flush=True)
    finally:
        for process in reversed(Process.started):
            process.end()
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"bench-quick: events_s={median(ours, 'events_s'):.0f} cpu_us={median(ours, 'cpu_us'):.1f} "
          f"memory_mb={median(ours, 'peak_mb'):.0f} "
          f"ours/ceiling={median(ours, 'events_s') / median(ceiling, 'events_s'):.2f}")


if __name__ == "__main__":
    main()
