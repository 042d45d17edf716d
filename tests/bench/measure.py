"""One run of one program, measured from outside: calls by nginx's counter, CPU and memory from /proc, the age of
events at delivery from nginx's log. Nothing here judges, and no time that passes is a failure."""

import datetime
import os
import pathlib
import re
import subprocess
import threading
import time

from confluent_kafka import Producer

from api import Api
from events import LIVE_RULES, PARTITIONS, contact_picker, live_record
from peers import Job

from harness import BUILD, HANG_GUARD_S, TIED, wait_until

EVERY_S = 0.02          # between two looks at the counter
RSS_EVERY_S = 0.1
LIVE_RATE = 1000        # events a second in which ages are taken
LIVE_S = float(os.environ.get("LIVE_S", "6"))
LIVE_WARM_S = 1.0       # of it, not counted
STALL_S = 60            # without a further call the run is given up and said to be stalled


def cpu_s(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory_mb(pids, field):
    """VmRSS or VmHWM (the peak) of the largest of the processes."""
    return max(int(re.search(rf"{field}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])
               for pid in pids) / 1024


def pending_of(worker):
    return int(worker.admin.metrics().value("sendx_worker_events_pending"))


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


class Bench:
    """Kafka, the API and a folder; number() names groups and topics."""

    def __init__(self, folder, kafka):
        self.folder, self.kafka = folder, kafka
        self.api = Api(folder / "api")
        self._number = 0

    def number(self):
        self._number += 1
        return self._number

    def job(self, name, backlog, path, tls=False, **settings):
        return Job(folder=self.folder, bootstrap=self.kafka.address, group=f"bench-{name}-{self.number()}",
                   topics=backlog.topics, rules=backlog.rules, base_url=self.api.base(path, tls),
                   ca_file=self.api.ca_file if tls else None, **settings)

    def forget_topics(self):
        """Deletes what a scenario produced."""
        topics = [topic for topic in self.kafka.admin.list_topics(timeout=30).topics
                  if topic.startswith(("user.registered.", "plan.changed.", "live."))]
        for future in (self.kafka.admin.delete_topics(topics) if topics else {}).values():
            future.result(HANG_GUARD_S)

    # --- a backlog -------------------------------------------------------------------------------

    def run_backlog(self, program, job, events, at_most_s=None, by_commit=False):
        """A program reads a backlog from its beginning. The clock runs from the first call to the last (by_commit:
        to the commit of the last event), or for at_most_s."""
        before = self.api.requests()
        process = program.start(job)
        try:
            run = self.watch([process], job, events, before, at_most_s, by_commit)
            if "cut_short" not in run:
                self.kafka.wait_until_finished(job.group, job.topics, process)
                run["calls_event"] = (self.api.requests() - before) / events
            return run
        finally:
            process.end()

    def watch(self, processes, job, events, before, at_most_s=None, by_commit=False):
        pids = [process.pid for process in processes]
        started = None
        samples, sampled, moved, last_done = [], 0.0, time.monotonic(), 0
        run, pending = {}, 0
        while True:
            done, now = self.api.requests() - before, time.monotonic()
            if started is None and done > 0:
                started, done_first, cpu_first = now, done, cpu_s(pids)
            if now - sampled >= RSS_EVERY_S and started:
                samples.append((now - started, memory_mb(pids, "VmRSS")))
                pending = max(pending, pending_of(processes[0])) if job.watch_pending else None
                sampled = now
            if done != last_done:
                moved, last_done = now, done
            if by_commit and started and not self.kafka.unfinished(job.group, job.topics):
                break
            if not by_commit and done >= events:
                break
            if started and at_most_s and now - started > at_most_s:
                run["cut_short"] = f"after {at_most_s:.0f} s"
                break
            if now - moved > STALL_S:
                run["cut_short"] = f"no call for {STALL_S} s after {done}"
                break
            for process in processes:
                process.check_running()
            time.sleep(0.25 if by_commit else EVERY_S)
        if started is None:
            return run
        elapsed = max(time.monotonic() - started, 1e-3)
        finished = events if by_commit else min(done, events)
        return {**run, "events_s": (finished - (0 if by_commit else done_first)) / elapsed, "seconds": elapsed,
                "cpu_us": (cpu_s(pids) - cpu_first) / max(1, finished) * 1e6,
                "peak_mb": memory_mb(pids, "VmHWM"), "pending": pending, "memory": samples}

    # --- several processes of one group -------------------------------------------------------------

    def run_group(self, program, count, backlog, job):
        """All members have their partitions before the first event is produced."""
        before = self.api.requests()
        processes = [program.start(job, n) for n in range(1, count + 1)]
        try:
            self._wait_settled(processes, job)
            producing = threading.Thread(target=backlog.produce, daemon=True)
            producing.start()
            run = self.watch(processes, job, backlog.events, before)
            producing.join()
            if "cut_short" not in run:
                self.kafka.wait_until_finished(job.group, job.topics, processes[0])
                run["calls_event"] = (self.api.requests() - before) / backlog.events
            return run
        finally:
            for process in processes:
                process.end()

    def _wait_settled(self, processes, job):
        """Every member is stable and has partitions, all of them together every one."""
        wanted = sum(job.topics.values())

        def settled():
            for process in processes:
                process.check_running()
            group = self.kafka.admin.describe_consumer_groups([job.group])[job.group].result(HANG_GUARD_S)
            owned = [len(member.assignment.topic_partitions) for member in group.members]
            return (group.state.name == "STABLE" and len(owned) == len(processes) and min(owned) > 0 and
                    sum(owned) == wanted)
        wait_until(f"{len(processes)} members with {wanted} partitions", settled, every=0.2)

    # --- ages --------------------------------------------------------------------------------------

    def run_live(self, program, path, contacts, hot=False, tls=False, in_flight=64):
        """Events come at a steady pace to a program that waits for them. Their age is counted from before they are
        given to the producer until nginx logs the reply; each event carries its moment, the call repeats it."""
        topic = f"live.{self.number()}"
        self.kafka.create_topics({topic: PARTITIONS})
        job = Job(folder=self.folder, bootstrap=self.kafka.address, group=f"bench-{topic}", topics={topic: PARTITIONS},
                  rules=LIVE_RULES.replace("{topic}", topic), base_url=self.api.base(f"seen/{path}", tls),
                  ca_file=self.api.ca_file if tls else None, in_flight=in_flight)
        self.api.forget_seen()
        process = program.start(job)
        try:
            self.kafka.produce(topic, [live_record(0, 0)])
            wait_until("the first call", self.api.seen)
            begin, sent = self._produce_live(topic, contacts, hot)
            stalled = self._wait_seen(sent + 1)
            seen = self.api.seen()
        finally:
            process.end()
        ages = sorted(max(0.0, at - float(moment)) for at, _, body in seen
                      for moment in re.findall(r'"at-([0-9.]+)"', body) if float(moment) >= begin + LIVE_WARM_S)
        return {"age_p50_ms": percentile(ages, 0.5) * 1000, "age_p99_ms": percentile(ages, 0.99) * 1000,
                "protocol": seen[-1][1], **({"live_stalled": True} if stalled else {})}

    def _produce_live(self, topic, contacts, hot):
        pick, begin, sent = contact_picker(contacts, hot, seed=2), time.time(), 0
        producer = Producer({"bootstrap.servers": self.kafka.address, "linger.ms": 1, "log_level": 0})
        while time.time() < begin + LIVE_S:
            due = int((time.time() - begin) * LIVE_RATE)
            for _ in range(due - sent):
                partition, key, value = live_record(sent, pick())
                producer.produce(topic, partition=partition, key=key, value=value)
                sent += 1
            producer.poll(0)
            time.sleep(0.002)
        producer.flush(HANG_GUARD_S)
        return begin, sent

    def _wait_seen(self, count):
        """Whether it stalls before `count` calls."""
        moved, last = time.monotonic(), -1
        while last < count:
            seen = len(self.api.seen())
            if seen != last:
                moved, last = time.monotonic(), seen
            elif time.monotonic() - moved > STALL_S:
                return True
            time.sleep(0.05)
        return False

    # --- the first call ------------------------------------------------------------------------------

    def run_cold(self, program, backlog):
        """From the start of the process to the reply of its first call; for ours, from the assignment, too."""
        job = self.job("cold", backlog, "seen/instant")
        self.api.forget_seen()
        begin = time.time()
        process = program.start(job)
        try:
            seen = wait_until("the first call", self.api.seen, every=0.005)
            run = {"start_ms": (seen[0][0] - begin) * 1000}
            if program.name == "ours":
                assigned = process.wait_for("partition.assigned")
                run["assigned_ms"] = (seen[0][0] - wall_clock(assigned)) * 1000
            return run
        finally:
            process.end()

    # --- the ceiling -----------------------------------------------------------------------------------

    def run_ceiling(self, path, count, in_flight=64, tls=False):
        url = f"{self.api.base(path, tls)}/contact/identify"
        env = {**os.environ, **({"CA_FILE": str(self.api.ca_file)} if tls else {})}
        done = subprocess.run([*TIED, BUILD / "bench" / "http_ceiling", url, str(count), str(in_flight)],
                              capture_output=True, text=True, check=True, env=env)
        figures = dict(re.findall(r"(\S+)=(\S+)", done.stdout))
        return {"events_s": float(figures["requests/s"]), "cpu_us": float(figures["cpu_us/request"]),
                "peak_mb": float(figures["peak_mb"]), "calls_event": 1.0}


def wall_clock(line):
    """Seconds since 1970 of a line of the worker's log."""
    return datetime.datetime.fromisoformat(line["ts"].replace("Z", "+00:00")).timestamp()
