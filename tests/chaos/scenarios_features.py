"""Reload, notification of the service manager, skipped events, the watchdog. Each needs something that a build may
not have: then it is skipped and says so."""

import collections
import signal
import socket
import threading

from harness import WRAP, wait_until
from registry import scenario
from scenarios_workers import kill
from stage import SHORT_SESSION, Skip
from worker import ANY_PORT, WORKER, run_command

def need_text_in_worker(text, what):
    """A build that has the feature has the text."""
    if text.encode() not in WORKER.read_bytes():
        raise Skip(f"this build has no {what}")


def need_setting(name, section):
    reference = run_command("config", "--reference").stdout
    part = reference.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    if f"\n| `{name}` |" not in part:
        raise Skip(f"this build has no {section}.{name}")


def reload_rules(stage, generation, *topics):
    """Each call says twice by which configuration it was made."""
    return stage.rules(*topics).replace("identify: {", f'identify: {{ lastName = "{generation}"; company = "{generation}";')


@scenario(planned=True)
def reload_under_load(stage):
    """SIGHUP again and again: no event is mapped by two configurations, a broken one changes nothing, a new topic is read."""
    need_text_in_worker("config_last_reload_ok", "reload on SIGHUP")
    stage.begin(more_topics={"later": 2})
    worker = stage.start_worker(rules=reload_rules(stage, "g0", "events"), admin=ANY_PORT)
    worker.wait_assigned({stage.topic(): 6})
    times = stage.factor(4, 30)
    for n in range(1, times + 1):
        stage.wait_calls(50, worker)
        good = stage.config(rules=reload_rules(stage, f"g{n}", "events"), admin=ANY_PORT)
        worker.config_path.write_text(good.replace("identify:", "identfy:"))
        reload_and_wait(worker, 0)
        worker.config_path.write_text(good)
        reload_and_wait(worker, 1)
        wait_until(f"calls of the rules g{n}", lambda n=n: worker.check_running() or any(
            call["body"].get("company") == f"g{n}" for call in stage.sandbox.requests()))
    worker.config_path.write_text(stage.config(rules=reload_rules(stage, "last", "events", "later"), admin=ANY_PORT))
    reload_and_wait(worker, 1)
    later = stage.add_feed("later")
    later.produce(50)
    stage.finish(worker)
    made_by = collections.defaultdict(set)
    for call in stage.sandbox.requests():
        made_by[call["body"]["firstName"]] |= {call["body"]["lastName"], call["body"]["company"]}
    mixed = {event_id: generations for event_id, generations in made_by.items() if len(generations) > 1}
    assert not mixed, f"mapped by two configurations: {mixed}"
    stage.check_no_lost_assignment()
    stage.notes["reloads"] = times * 2 + 1


def reload_and_wait(worker, ok):
    """The metric tells of the last one; a reload of the same outcome as before shows in the log alone."""
    lines = len(worker.lines())
    worker.send(signal.SIGHUP)
    wait_until(f"a reload that {'works' if ok else 'is refused'}", lambda: worker.check_running() or (
        len(worker.lines()) > lines and worker.admin.metrics().sum("sendx_worker_config_last_reload_ok") == ok),
        show=worker.log_text)


class ServiceManager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.said = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            self.said += self.socket.recv(4096).decode().splitlines()

    def wait_for(self, word, count=1):
        wait_until(f"{count} {word}", lambda: sum(line.startswith(word) for line in self.said) >= count, show=lambda: self.said)


@scenario(planned=True)
def service_manager_is_told(stage):
    """READY, WATCHDOG as long as it lives, RELOADING, STOPPING."""
    need_text_in_worker("NOTIFY_SOCKET", "notification of the service manager")
    if WRAP:
        raise Skip("a wrapped worker is not the process that notifies")
    stage.begin(feed=False)
    manager = ServiceManager(stage.folder)
    worker = stage.start_worker(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "500000"})
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1", 3)
    worker.send(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1", 2)
    worker.send(signal.SIGSTOP)
    worker.send(signal.SIGCONT)
    manager.wait_for("WATCHDOG=1", 4)
    stage.finish(worker)
    manager.wait_for("STOPPING=1")


@scenario(planned=True)
def an_event_is_skipped(stage):
    """kafka.skip names events that are never tried; all others are delivered."""
    need_setting("skip", "kafka")
    stage.begin(feed=False)
    doomed = stage.chance.sample(stage.feed.events, 3)
    stage.held = {event.id for event in doomed}
    worker = stage.start_worker(kafka={"skip": [f"{event.topic}:{event.partition}:{event.offset}" for event in doomed]})
    stage.finish(worker)
    tried = [call for call in stage.sandbox.requests() if call["body"].get("firstName") in stage.held]
    assert not tried, f"tried all the same: {tried[0]}"


@scenario()
def a_stall_without_a_reason_is_told(stage):
    """Calls that hang for ever below a time-out that never comes: the probe fails, and the log says what waits."""
    need_setting("stall_after", "delivery")
    stage.begin(feed=False)
    stage.sandbox.end_faults()
    stage.sandbox.fault(action="hang")
    worker = stage.start_worker(kafka=SHORT_SESSION, account={"timeout": "10m"}, delivery={"stall_after": stall_after()}, admin=ANY_PORT)
    wait_until("the probe to fail", lambda: worker.check_running() or worker.admin.get("/livez")[0] == 503)
    worker.wait_for("worker.stalled")
    worker.wait_for("partition.waits", count=6, topic=stage.topic())
    worker.wait_for("partition.waits", **{"for": "reply"})
    kill(stage, worker)
    stage.sandbox.end_faults()
    stage.finish(stage.start_worker("second"))


def stall_after():
    """The least that may be set."""
    row = next(line for line in run_command("config", "--reference").stdout.splitlines() if line.startswith("| `stall_after`"))
    return row.split("|")[4].strip().split(" to ")[0]
