"""sendx-worker as a child process: its configuration, its log, its end."""

import json
import os
import re
import signal
import subprocess

from admin import Admin
from harness import BUILD, HANG_GUARD_S, WRAP, Process, tail, wait_until
from sandbox import API_KEY, TEAM_ID

WORKER = BUILD / "sendx-worker"

# Quick enough that nothing waits for long, and still the same code. A test overrides what it is about.
KAFKA_SETTINGS = {"start": "earliest", "fetch_wait_max_ms": 20, "heartbeat_interval_ms": 200}
ACCOUNT_SETTINGS = {"name": "main", "api": "v1", "api_key": "${env:SENDX_API_KEY}",
                    "team_id": "${env:SENDX_TEAM_ID}"}
DELIVERY_SETTINGS = {"retry_min": "20ms", "retry_max": "200ms", "commit_interval": "100ms",
                     "fold": "off"}  # tests compare single calls
DEAD_LETTER_SETTINGS = {"redrive_topic": ""}  # the topic is each test's own
ADMIN_SETTINGS = {"listen": ""}               # a test that asks gives ANY_PORT
ANY_PORT = {"listen": "127.0.0.1:0"}


# --- configuration -----------------------------------------------------------------------------------

def literal(value):
    """A Python value as libconfig writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[ " + ", ".join(literal(part) for part in value) + " ]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def group(settings):
    """A libconfig group; a setting whose value is None is left out."""
    return "{ " + " ".join(f"{name} = {literal(value)};"
                           for name, value in settings.items() if value is not None) + " }"


def config_text(kafka, account, rules, delivery=None, log=None, dead_letter=None, admin=None, more_accounts=()):
    """The text of a configuration file: settings of this test over the defaults above; `rules` is the
    file's rules part (email, tables, rules) as text."""
    accounts = ", ".join(group({**ACCOUNT_SETTINGS, **settings}) for settings in (account, *more_accounts))
    return "\n".join([
        f"kafka: {group({**KAFKA_SETTINGS, **kafka})};",
        f"accounts: ( {accounts} );",
        f"delivery: {group({**DELIVERY_SETTINGS, **(delivery or {})})};",
        f"log: {group(log or {'level': 'info'})};",
        f"dead_letter: {group({**DEAD_LETTER_SETTINGS, **(dead_letter or {})})};",
        f"admin: {group({**ADMIN_SETTINGS, **(admin or {})})};",
        rules])


# --- the log -----------------------------------------------------------------------------------------

FIELD = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def logfmt(line):
    """A line of the log as a dict, e.g. {"level": "info", "event": "worker.ready"}."""
    return {name: bare if not quoted and bare else re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), quoted)
            for name, quoted, bare in FIELD.findall(line)}


class Worker(Process):
    """A running `sendx-worker run`."""

    def __init__(self, config, folder, name="worker", env=None):
        config_path = folder / f"{name}.conf"
        config_path.write_text(config)
        super().__init__(name, [*WRAP, WORKER, "run", "-c", config_path], folder, worker_env(env))
        self.config_path = config_path

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def lines(self, event=None, **fields):
        """The whole lines logged so far, as dicts; of one event and with these values if asked for."""
        text = self.log_text()
        parsed = (logfmt(line) for line in text[:text.rfind("\n") + 1].splitlines())
        wanted = {name: str(value) for name, value in fields.items()}
        return [line for line in parsed
                if (event is None or line.get("event") == event) and wanted.items() <= line.items()]

    def wait_for(self, event, count=1, **fields):
        """Waits until such a line stands in the log (`count` of them) and returns the first."""
        def there():
            found = self.lines(event, **fields)
            if len(found) < count:
                self.check_running()
            return found if len(found) >= count else None
        what = f"{self.name} to log {event} {fields or ''}" + (f" {count} times" if count > 1 else "")
        return wait_until(what, there, show=lambda: f"its log:\n{tail(self.log_path)}")[0]

    def wait_assigned(self, topics):
        """Waits until every partition of {topic: partitions} was assigned to this worker once."""
        wanted = {(topic, str(p)) for topic, partitions in topics.items() for p in range(partitions)}

        def assigned():
            self.check_running()
            seen = {(line.get("topic"), line.get("partition")) for line in self.lines("partition.assigned")}
            return wanted <= seen
        wait_until(f"{self.name} to get {len(wanted)} partitions", assigned,
                   show=lambda: f"its log:\n{tail(self.log_path)}")

    @property
    def admin(self):
        """Its admin endpoint; the configuration gave it ANY_PORT or an address."""
        return Admin(self.wait_for("admin.listening")["address"])

    def stop(self, codes=(0,)):
        """SIGTERM, and the exit code is checked."""
        self.check_running()
        self.send(signal.SIGTERM)
        code = self.wait()
        assert code in codes, f"{self.name} ended with {code} after SIGTERM:\n{tail(self.log_path)}"
        if code == 0:
            assert self.lines("worker.stopped"), f"no worker.stopped in the log:\n{tail(self.log_path)}"


def reload(worker, config, event="config.reloaded"):
    """Writes the configuration, SIGHUP, and the line that tells how it ended."""
    before = len(worker.lines(event))
    worker.config_path.write_text(config)
    worker.send(signal.SIGHUP)
    worker.wait_for(event, count=before + 1)
    return worker.lines(event)[-1]


def worker_env(more=None):
    return {**os.environ, "SENDX_API_KEY": API_KEY, "SENDX_TEAM_ID": TEAM_ID, **(more or {})}


# --- the other commands ------------------------------------------------------------------------------

def run_command(*arguments, env=None):
    """One of sendx-worker's short commands; the result has returncode, stdout and stderr."""
    return subprocess.run([*WRAP, WORKER, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=HANG_GUARD_S, env=worker_env(env))


def call(config_path, *arguments, code=0):
    """`sendx-worker call`; returns what it printed on stdout."""
    done = run_command("call", "-c", config_path, *arguments)
    assert done.returncode == code, (
        f"call {' '.join(map(str, arguments))} ended with {done.returncode} and not {code}:\n"
        f"{done.stdout}{done.stderr}")
    return done.stdout


def call_identify(config_path, body, code=0):
    return call(config_path, "identify", json.dumps(body), code=code)


def call_track(config_path, email, add=(), remove=(), code=0):
    tags = [word for tag in add for word in ("--add", tag)] + [word for tag in remove for word in ("--remove", tag)]
    return call(config_path, "track", "--email", email, *tags, code=code)
