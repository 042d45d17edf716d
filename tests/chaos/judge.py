"""The judge: knows the events that were produced, the offsets that were committed and when, and what the API was
asked, and nothing of the worker. Its findings:

lost        events that no answered call stands for
ahead       events that a commit was seen to call finished, below its offset or by its metadata, before their call was
            answered
order       calls of a contact that came before the call of an earlier event of it, or beside another open one
duplicates  calls for an event that had an answer already
beyond      those of them that no disturbance explains: a commit that was seen before the disturbance calls the event
            finished, or it was answered before the last commit but one of those, and it is sent again all the same

Times are milliseconds since 1970, of one machine. The sandbox notes the end of a request before it sends the reply, so
a worker cannot know of it earlier; an offset counts as committed from when the coordinator's answer was here.
"""

import bisect
import collections
import dataclasses
import functools
import threading
import time

from feed import by_partition
from offsets import NoAnswer, Offsets, progress

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

    @functools.cached_property
    def progress(self):
        return progress(self.offset, self.metadata)

    def finished(self, offset):
        """Whether it says that of the event at the offset."""
        highest, unfinished = self.progress
        return offset < self.offset or (offset <= highest and offset not in unfinished)


class Sampler(threading.Thread):
    """Asks for the committed offsets over and over and keeps the changes."""

    def __init__(self, address, group, parts):
        super().__init__(daemon=True)
        self.offsets = Offsets(address, group, ASK_S)
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
            self.offsets.close()

    def _sample(self, before_ms):
        try:
            answer = self.offsets.fetch(self.parts)
        except NoAnswer:  # a coordinator moves
            return False
        seen_ms = now_ms()
        for part, (offset, metadata) in answer.items():
            changes = self.changes[part]
            if offset >= 0 and (not changes or (changes[-1].offset, changes[-1].metadata) != (offset, metadata)):
                changes.append(Commit(before_ms, seen_ms, offset, metadata))
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
    judge_order(verdict, known, calls, disturbances, held)
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
                if end_ms > commit.seen_ms + CLOCK_GRAIN_MS and commit.finished(event.offset):
                    verdict.ahead.append((event, commit, "never answered" if end_ms == never else f"answered at {end_ms}"))
                    break


# --- a contact's calls in the order of its events -----------------------------------------------------

def judge_order(verdict, known, calls, disturbances, held):
    """Each call of a contact is for the next event, or goes back to an earlier one, which is a duplicate. Those that may
    wait may be passed over, but not be sent later."""
    place, of_contact = {}, collections.defaultdict(list)
    for event in sorted(known.values(), key=lambda event: (event.topic, event.partition, event.offset)):
        place[event.id] = len(of_contact[event.email])
        of_contact[event.email].append(event)
    last, open_call, applied = collections.defaultdict(lambda: -1), {}, set()
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
        passed = [one for one in of_contact[event.email][last[event.email] + 1:at] if one.id not in held]
        if passed:
            verdict.order.append(f"{event} came before {passed[0]}")
        elif at < last[event.email] and event.id not in applied:
            verdict.order.append(f"{event} came after {of_contact[event.email][last[event.email]]}")
        last[event.email] = at
        applied.add(event.id)


# --- nothing twice without need -----------------------------------------------------------------------

def judge_duplicates(verdict, known, calls, changes, disturbances):
    answers = {}  # {event id: the last request of it that was answered}
    for request in sorted(calls, key=lambda request: request["seq"]):
        event = known[request["body"]["firstName"]]
        before = answers.get(event.id)
        if before:
            verdict.duplicates.append((event, before, request))
            if not any(explains(spell, event, before, request, changes.get(part_of(event), [])) for spell in disturbances):
                verdict.beyond.append(f"{event} answered at {before['finished_ms']} and sent again at {request['started_ms']}")
        if is_answered(request):
            answers[event.id] = request
    verdict.bound = sum(
        may_repeat(spell, event, request, changes.get(part_of(event), [])) for spell in disturbances for request in calls
        if is_answered(request) and (event := known[request["body"]["firstName"]]))


def part_of(event):
    return event.topic, event.partition


def explains(spell, event, before, again, commits):
    return again["started_ms"] >= spell.begin_ms and may_repeat(spell, event, before, commits)


def may_repeat(spell, event, request, commits):
    """In flight when the spell began, or answered in it, or since the last commit before it, which does not call it
    finished. When that commit was made up is known at the earliest: they are made one at a time, so not before the
    one that precedes it was stored, and that was not there when it was asked for at `asked_ms`."""
    stored = bisect.bisect_right(commits, spell.begin_ms, key=lambda commit: commit.seen_ms)
    if stored and commits[stored - 1].finished(event.offset):
        return False
    return request["started_ms"] <= spell.end_ms and (stored < 2 or request["finished_ms"] >= commits[stored - 2].asked_ms)
