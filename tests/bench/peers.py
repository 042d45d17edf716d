"""The programs that stand side by side. Each has start(job, n), which returns its running Process, and makes the
calls of events.py for the events of the job's topics."""

import dataclasses
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import BUILD, ROOT, Process, free_port  # noqa: E402
from worker import ANY_PORT, WORKER, Worker, config_text  # noqa: E402

PEERS = ROOT / "build" / "bench"


@dataclasses.dataclass
class Job:
    """What a program is to do."""
    folder: pathlib.Path
    bootstrap: str
    group: str
    topics: dict     # {name: partitions}
    rules: str       # the worker's
    base_url: str
    in_flight: int = 64
    ca_file: pathlib.Path = None
    rate_limit: int = 0  # calls a second
    fold: str = "off"
    max_pending_events: int = 10000
    max_pending_bytes: str = "64MiB"
    watch_pending: bool = False  # ask the worker how many events are pending


class Ours:
    name, title = "ours", "sendx-worker"

    def __init__(self):
        reference = subprocess.run([WORKER, "config", "--reference"], capture_output=True, text=True, check=True).stdout
        self.folds = "| `fold` |" in reference

    def missing(self):
        return None

    def start(self, job, n=1):
        return Worker(config_text(
            kafka={"bootstrap_servers": job.bootstrap, "group_id": job.group, "fetch_wait_max_ms": 100,
                   "heartbeat_interval_ms": 1000},
            account={"base_url": job.base_url, "max_in_flight": job.in_flight, "rate_limit": float(job.rate_limit),
                     "ca_file": str(job.ca_file) if job.ca_file else None},
            delivery={"retry_min": "250ms", "retry_max": "60s", "commit_interval": "1s",
                      "max_pending_events": job.max_pending_events, "max_pending_bytes": job.max_pending_bytes,
                      "fold": job.fold if self.folds else None},
            admin=ANY_PORT if job.watch_pending else None, rules=job.rules), job.folder, name=f"ours-{n}")


# Defaults but for what the others have, too: a commit a second, fetches that are not kept waiting, a time-out of 30 s
# and repeats without end. The mapping is the rules of events.py.
BENTO = """
http: {{ enabled: false }}
logger: {{ level: WARN }}
metrics: {{ none: {{}} }}
input:
  kafka_franz:
    seed_brokers: [ "{bootstrap}" ]
    topics: [ {topics} ]
    consumer_group: "{group}"
    commit_period: 1s
    fetch_max_wait: 100ms
pipeline:
  processors:
    - mapping: |
        let tags = {{ "pro": "paid user", "enterprise": "paid user", "trial": "trial user" }}
        let email = this.user.email.trim().lowercase()
        meta call = if this.type == "user.registered" {{ "identify?team_id=bench" }} else {{
          "track?team_id=bench&email=" + $email.escape_url_query() }}
        root = match {{
          this.type == "user.registered" => if this.user.internal {{ deleted() }} else {{ {{
            "email": $email, "firstName": this.user.first_name, "lastName": this.user.last_name,
            "company": this.user.company,
            "customFields": {{ "Plan": this.plan, "Signup source": this.user.signup.source | "direct" }},
            "tags": [ "registered", "source: " + this.user.signup.source ] }} }}
          this.type == "plan.changed" => if this.from == this.to || ![ "pro", "enterprise", "trial" ].contains(this.to) {{
            deleted() }} else {{ {{
            "addTags": [ $tags.get(this.to) ], "removeTags": [ $tags.get(this.from) ] }} }}
          this.type == "live" => {{ "addTags": [ "at-" + this.at ] }}
        }}
output:
  http_client:
    url: "{base_url}/contact/${{! meta(\\"call\\") }}"
    verb: POST
    headers: {{ api_key: bench, Content-Type: application/json, Accept: application/json }}
    max_in_flight: {in_flight}
    timeout: 30s
    retries: 1000000
{more}
"""
BENTO_TLS = """    tls: {{ enabled: true, root_cas_file: "{ca_file}" }}
"""
# In steps of a tenth of a second: its whole allowance goes out at once.
BENTO_RATE = """    rate_limit: api
rate_limit_resources:
  - label: api
    local: {{ count: {count}, interval: 100ms }}
"""


class Bento:
    """With its connections kept: as it comes it keeps two and opens most anew, see bento/main.go."""
    name, title = "bento", "Bento 1.10.0"
    program = PEERS / "bento"
    keeps = True

    def missing(self):
        return None if self.program.exists() else "it is not built (tests/bench/build-peers bento)"

    def start(self, job, n=1):
        more = BENTO_TLS.format(ca_file=job.ca_file) if job.ca_file else ""
        more += BENTO_RATE.format(count=job.rate_limit // 10) if job.rate_limit else ""
        config = job.folder / f"bento-{n}.yaml"
        config.write_text(BENTO.format(
            bootstrap=job.bootstrap, topics=", ".join(f'"{topic}"' for topic in job.topics), group=job.group,
            base_url=job.base_url, in_flight=job.in_flight, more=more))
        keep = {"KEEP_CONNECTIONS": str(job.in_flight)} if self.keeps else {}
        return Process("bento", [self.program, "-c", config], job.folder, {**os.environ, **keep})


class PlainBento(Bento):
    name, title = "bento_plain", "Bento 1.10.0 as it comes"
    keeps = False


def ca_environment(job):
    return {**os.environ, **({"CA_FILE": str(job.ca_file)} if job.ca_file else {})}


class Parallel:
    name, title = "parallel", "Parallel Consumer 0.5.3.3"
    classes = PEERS / "parallel"

    def missing(self):
        built = (self.classes / ".stamp").exists()
        return None if built else "it is not built (tests/bench/build-peers parallel)"

    def start(self, job, n=1):
        return Process("parallel", [
            "java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
            f"{self.classes}:{self.classes}/lib/*", "Parallel", job.bootstrap, job.group, job.base_url, job.in_flight,
            *job.topics], job.folder, ca_environment(job))


class Hand:
    name, title = "hand", "one call at a time"
    program = BUILD / "bench" / "hand_loop"

    def missing(self):
        return None if self.program.exists() else f"it is not built (make {self.program})"

    def start(self, job, n=1):
        return Process("hand", [self.program, job.bootstrap, job.group, job.base_url, *job.topics], job.folder,
                       ca_environment(job))
