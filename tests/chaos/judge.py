"""The judge: knows the events that were produced, the offsets that were committed and when, and what the API was
asked, and nothing of the worker. Its findings:

lost        events that no answered call stands for
ahead       events below an offset that was seen committed before their call was answered
order       calls of a contact that came before the call of an earlier event of it, or beside another open one
duplicates  calls for an event that had an answer already
beyond      those of them that no disturbance explains: what was answered before the last commit but one that was
            seen before the disturbance, and is sent again all the same

Times are milliseconds since 1970, of one machine. The sandbox notes the end of a request before it sends the reply, so
a worker cannot know of it earlier; an offset counts as committed from when the coordinator's answer was here.
"""

import collections
import dataclasses
import threading
import time

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from feed import by_partition

EVERY_S = 0.01
ASK_S = 2
CLOCK_GRAIN_MS = 1


def now_ms():
    return time.time() * 1000


@dataclasses.dataclass(frozen=True)
class Commit:
    """What a partition was seen to have committed for the first time: asked at `asked_ms` it was still different."""
    asked_ms: float
    seen_ms: float
    offset: int
    metadata: str


class Sampler(threading.Thread):
    """Asks for the committed offsets over and over and keeps the changes."""

    def __init__(self, address, group, parts):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": group, "log_level": 0,
                                  "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 4000})
        self.parts = list(parts)  # (topic, partition); may grow
        self.changes = collections.defaultdict(list)
        self.samples = 0
        self.over = threading.Event()
        self.failure = None

    def run(self):
        before_ms = now_ms()
        try:
            while not self.over.is_set():
                asked_ms = now_ms()
                if self._sample(before_ms):
                    before_ms = asked_ms
                self.over.wait(EVERY_S)
            self._sample(before_ms)
        except BaseException as failure:  # shown by stop()
            self.failure = failure
        finally:
            self.consumer.close()

    def _sample(self, before_ms):
        try:
            answer = self.consumer.committed([TopicPartition(*part) for part in self.parts], timeout=ASK_S)
        except KafkaException:  # a coordinator moves
            return False
        seen_ms = now_ms()
        for tp in answer:
            if tp.error or tp.offset == OFFSET_INVALID:
                continue
            changes, metadata = self.changes[tp.topic, tp.partition], tp.metadata or ""
            if not changes or (changes[-1].offset, changes[-1].metadata) != (tp.offset, metadata):
                changes.append(Commit(before_ms, seen_ms, tp.offset, metadata))
        self.samples += 1
        return True

    def stop(self):
        self.over.set()
        self.join()
        if self.failure:
            raise self.failure
        assert self.samples, "no committed offset could be asked for"


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """A spell in which something was done to a worker that it could not plan for; what was answered in it, or was
    open at its beginning, may be sent again."""
    begin_ms: float
    end_ms: float
    what: str


@dataclasses.dataclass
class Verdict:
    events: int = 0
    calls: int = 0
    lost: list = dataclasses.field(default_factory=list)
    ahead: list = dataclasses.field(default_factory=list)
    order: list = dataclasses.field(default_factory=list)
    duplicates: list = dataclasses.field(default_factory=list)
    beyond: list = dataclasses.field(default_factory=list)
    bound: int = 0  # how many calls the disturbances allow to be sent again

    def problems(self, planned):
        """The first of each kind, in words."""
        kinds = ["lost", "ahead", "order", "duplicates" if planned else "beyond"]
        return [f"{len(found)} {kind}, e.g. {found[0]}" for kind in kinds if (found := getattr(self, kind))]


def judge(events, requests, changes, disturbances=(), held=()):
    """events: Feed's; requests: the sandbox's log; changes: Sampler's; held: ids of events that may rightly wait.
    Only requests whose firstName is the id of an event count."""
    verdict = Verdict(events=len(events))
    known = {event.id: event for event in events}
    calls = [request for request in requests if request["body"].get("firstName") in known]
    verdict.calls = len(calls)
    answered = first_answers(calls)
    verdict.lost = [event for event in events if event.id not in answered and event.id not in held]
    judge_commits(verdict, [event for event in events if event.id not in held], answered, changes)
    judge_order(verdict, known, calls, disturbances)
    judge_duplicates(verdict, known, calls, changes, disturbances)
    return verdict


def is_answered(request):
    return request["applied"] and 200 <= request["status"] < 300


def first_answers(calls):
    """{event id: the first request of it that was answered}"""
    found = {}
    for request in calls:
        if is_answered(request):
            before = found.get(request["body"]["firstName"])
            if before is None or request["finished_ms"] < before["finished_ms"]:
                found[request["body"]["firstName"]] = request
    return found


# --- committed never passes the first unfinished event ------------------------------------------------

def judge_commits(verdict, events, answered, changes):
    for part, of_part in by_partition(events).items():
        never = float("inf")
        ends = [answered[event.id]["finished_ms"] if event.id in answered else never for event in of_part]
        for commit in changes.get(part, []):
            for event, end_ms in zip(of_part, ends):
                if event.offset >= commit.offset:
                    break
                if end_ms > commit.seen_ms + CLOCK_GRAIN_MS:
                    verdict.ahead.append((event, commit, "never answered" if end_ms == never else f"answered at {end_ms}"))
                    break


# --- a contact's calls in the order of its events -----------------------------------------------------

def judge_order(verdict, known, calls, disturbances):
    """Each call of a contact is for the next event, or goes back to an earlier one, which is a duplicate."""
    place, of_contact = {}, collections.defaultdict(list)
    for event in sorted(known.values(), key=lambda event: (event.topic, event.partition, event.offset)):
        place[event.id] = len(of_contact[event.email])
        of_contact[event.email].append(event)
    last, open_call = collections.defaultdict(lambda: -1), {}
    for request in sorted(calls, key=lambda request: request["seq"]):
        event = known[request["body"]["firstName"]]
        before = open_call.get(event.email)
        if before and before["finished_ms"] > request["started_ms"] and request["overlap"] and not any(
                before["started_ms"] <= spell.end_ms and spell.begin_ms <= request["started_ms"] for spell in disturbances):
            verdict.order.append(f"{event} began beside {before['body']['firstName']}")
        open_call[event.email] = request
        if not request["applied"]:
            continue
        at = place[event.id]
        if at > last[event.email] + 1:
            verdict.order.append(f"{event} came before {of_contact[event.email][last[event.email] + 1]}")
        last[event.email] = at


# --- nothing twice without need -----------------------------------------------------------------------

def judge_duplicates(verdict, known, calls, changes, disturbances):
    answers = {}  # {event id: the last request of it that was answered}
    for request in sorted(calls, key=lambda request: request["seq"]):
        event = known[request["body"]["firstName"]]
        before = answers.get(event.id)
        if before:
            verdict.duplicates.append((event, before, request))
            if not any(explains(spell, before, request, changes.get((event.topic, event.partition), []))
                       for spell in disturbances):
                verdict.beyond.append(f"{event} answered at {before['finished_ms']} and sent again at {request['started_ms']}")
        if is_answered(request):
            answers[event.id] = request
    verdict.bound = sum(may_repeat(spell, request, changes.get(part_of(known, request), []))
                        for spell in disturbances for request in calls if is_answered(request))


def part_of(known, request):
    event = known[request["body"]["firstName"]]
    return event.topic, event.partition


def explains(spell, before, again, commits):
    return again["started_ms"] >= spell.begin_ms and may_repeat(spell, before, commits)


def may_repeat(spell, request, commits):
    """In flight when the spell began, or answered in it, or since the last commit before it."""
    return request["started_ms"] <= spell.end_ms and request["finished_ms"] >= since_ms(spell, commits)


def since_ms(spell, commits):
    """When the last commit before the spell was made up, at the earliest: commits are made one at a time, so not
    before the one that precedes it was stored, and that was not there when it was asked for at `asked_ms`."""
    stored = [commit for commit in commits if commit.seen_ms <= spell.begin_ms]
    return stored[-2].asked_ms if len(stored) >= 2 else float("-inf")
