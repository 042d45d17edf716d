"""A scenario's world: its topics, group, sandbox, workers, events and judge, and what it has to say when it is done."""

import dataclasses
import random
import threading
import zlib

from cable import Cable
from feed import Feed
from harness import HANG_GUARD_S, Process, wait_until
from judge import Disturbance, Sampler, judge, now_ms
from scene import Scene

SESSION_MS = 3000
FAR_SESSION_MS = 45000  # does not end within that time, however slow the machine is
# Feed's events. The calls of an event are of different contacts.
RULES = """
email = "${email | trim | lower}";
rules: (
  { name   = "its contact";
    topics = [ @TOPICS@ ];
    identify: { firstName = "${id}"; }; },
  { name   = "the other contact";
    topics = [ @TOPICS@ ];
    when   = "other";
    email  = "${other | trim | lower}";
    identify: { firstName = "${id}"; }; }
);
"""
SHORT_SESSION = {"session_timeout_ms": SESSION_MS, "max_poll_interval_ms": SESSION_MS}


class Skip(Exception):
    """The scenario cannot be played; the text says why."""


@dataclasses.dataclass
class Context:
    """What all scenarios of a run share."""
    cluster: object
    long: bool
    seed: int
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)  # held by whoever uses the cables


class Stage(Scene):
    def __init__(self, context, folder, name, planned):
        super().__init__(context.cluster.view(), folder, name)
        self.context, self.cluster, self.planned = context, context.cluster, planned
        self.seed = context.seed ^ zlib.crc32(name.encode())
        self.chance = random.Random(self.seed)
        self.feeds, self.workers, self.disturbances, self.held = [], [], [], set()
        self.sampler = None
        self.notes = {}
        self.cables = []

    def factor(self, quick, long):
        return long if self.context.long else quick

    # --- the play --------------------------------------------------------------------------------

    def begin(self, partitions=6, delay_ms=5, feed=True, first=100, more_topics=None, **feed_settings):
        """Topics, a sandbox that answers after delay_ms, the first events and (feed) more that keep coming, and the
        judge's eyes."""
        self.create_topics(events=partitions, **(more_topics or {}))
        self.start_sandbox()
        if delay_ms:
            self.sandbox.fault(action="delay", delay_ms=delay_ms)
        self.sampler = Sampler(self.cluster.address, self.group,
                               [(topic, p) for topic, count in self.partitions.items() for p in range(count)])
        self.sampler.start()
        self.feed = self.add_feed("events", **feed_settings)
        self.feed.produce(first)
        if feed:
            self.feed.start()

    def add_feed(self, topic, **settings):
        feed = Feed(self.cluster.address, self.topic(topic), self.partitions[self.topic(topic)], self.seed, **settings)
        self.feeds.append(feed)
        return feed

    def rules(self, *topics):
        return RULES.replace("@TOPICS@", ", ".join(f'"{self.topic(topic)}"' for topic in topics))

    def config(self, rules=None, **settings):
        return super().config(rules or self.rules("events"), **settings)

    def start_worker(self, name="worker", env=None, **settings):
        settings["kafka"] = {"reconnect_backoff_max_ms": 500, **(settings.get("kafka") or {})}
        worker = super().start_worker(name, env, **settings)
        self.workers.append(worker)
        return worker

    def cable_to_api(self):
        cable = Cable(self.sandbox.address)
        self.cables.append(cable)
        return cable

    def calls(self):
        return self.sandbox.stats()["requests"]

    def wait_calls(self, more, *workers):
        """Waits until the API got so many more calls."""
        before = self.calls()

        def there():
            for one in self.feeds:
                one.check()
            for worker in workers:
                worker.check_running()
            return self.calls() >= before + more
        wait_until(f"{more} more calls", there, show=lambda: "\n".join(worker.log_text()[-3000:] for worker in workers))

    def wait_commits(self, times, *workers):
        """Waits until every partition of the feed's topic was seen to be committed anew so many times: from then on the
        judge knows what a disturbance may repeat."""
        parts = [part for part in self.sampler.parts if part[0] == self.feed.topic]
        before = {part: len(self.sampler.changes[part]) for part in parts}

        def there():
            for worker in workers:
                worker.check_running()
            return all(len(self.sampler.changes[part]) >= before[part] + times for part in parts)
        wait_until(f"{times} commits of each partition", there, show=lambda: {
            part: len(self.sampler.changes[part]) - before[part] for part in parts})

    def disturb(self, what, begin_ms=None):
        """From begin_ms until now. What a worker had sent when it was stopped may not have been read yet: the sandbox is
        asked something, twice, so that it has read all of it."""
        begin_ms = begin_ms or now_ms()
        for _ in range(2):
            self.sandbox.stats()
        self.disturbances.append(Disturbance(begin_ms, now_ms(), what))

    def finish(self, *workers):
        """No more events; waits until all is committed, and stops the workers in good order."""
        for feed in self.feeds:
            feed.stop()
        self.kafka.wait_until_finished(self.group, self.partitions, workers[0] if workers else None)
        for worker in workers:
            worker.stop()

    def wait_finished_feeds(self, worker):
        """As finish(), of the topics that are fed, without a stop."""
        for feed in self.feeds:
            feed.stop()
        self.kafka.wait_until_finished(self.group, [feed.topic for feed in self.feeds], worker)

    def judge(self):
        for feed in self.feeds:
            feed.stop()
        self.sampler.stop()
        return judge([event for feed in self.feeds for event in feed.events], self.sandbox.requests(), self.sampler.changes,
                     self.disturbances, self.held)

    # --- checks of several scenarios ---------------------------------------------------------------

    def count_lines(self, worker, *events):
        return sum(len(worker.lines(event)) for event in events)

    def owned(self, worker):
        """How many partitions it has, as its log has it."""
        return self.count_lines(worker, "partition.assigned") - self.count_lines(worker, "partition.revoked", "partition.lost")

    def check_kept_membership(self, worker, assigned):
        """It was given its partitions once and nobody took one away."""
        lines = worker.lines()
        told = next((n for n, line in enumerate(lines) if line.get("event") == "worker.stopping"), len(lines))
        gone = [line for line in lines[:told] if line.get("event") in ("partition.revoked", "partition.lost")]
        assert not gone, f"{worker.name} did not keep its partitions: {gone[0]}"
        seen = len(worker.lines("partition.assigned"))
        assert seen == assigned, f"{worker.name} was assigned {seen} partitions instead of {assigned}"

    def check_no_lost_assignment(self):
        for worker in self.workers:
            lost = worker.lines("partition.lost")
            assert not lost, f"{worker.name} lost a partition: {lost[0]}"

    # --- the end ---------------------------------------------------------------------------------

    def own_processes(self):
        return [process for process in Process.started if process.folder == self.folder]

    def close(self):
        for feed in self.feeds:
            feed.over.set()
        for feed in self.feeds:
            if feed.is_alive():
                feed.join(HANG_GUARD_S)
        if self.sampler and self.sampler.is_alive():
            self.sampler.over.set()
            self.sampler.join(HANG_GUARD_S)
        for cable in self.cables:
            cable.flow()
        for process in reversed(self.own_processes()):
            process.send(18)  # SIGCONT, should it stand still
            process.end(patience=3)
            Process.started.remove(process)
        self.kafka.close()
