"""The judge: knows the events that were produced, the offsets that were committed and when, and what the API was
asked, and nothing of the worker. Its findings:

lost        events of which a call was not answered
ahead       events that a commit was seen to call finished, below its offset or by its metadata, before they were:
            before their calls, and those of the earlier events of their contacts, were answered
order       calls of a contact that came before the call of an earlier event of it, or beside another open one
duplicates  calls that had an answer already
beyond      those of them that no disturbance explains: a commit that was seen before the disturbance calls the event
            finished, or it was so before the last commit but one of those, and it is sent again all the same

Times are milliseconds since 1970, of one machine. The sandbox notes the end of a request before it sends the reply, so
a worker cannot know of it earlier; an offset counts as committed from when the coordinator's answer was here.
"""

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
NEVER = float("inf")


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
    calls = sorted((request for request in requests if request["body"].get("firstName") in known),
                   key=lambda request: request["seq"])
    verdict.calls = len(calls)
    due = [event for event in events if event.id not in held]
    ends = finished_ms(due, {key(request): request["finished_ms"] for request in reversed(calls) if is_answered(request)})
    verdict.lost = [event for event in due if ends[event.id] == NEVER]
    judge_commits(verdict, due, ends, changes)
    judge_order(verdict, events, calls, disturbances, held)
    judge_duplicates(verdict, known, calls, changes, disturbances)
    return verdict


def key(request):
    """Of which event and contact the call is."""
    return request["body"]["firstName"], request["email"]


def is_answered(request):
    return request["applied"] and 200 <= request["status"] < 300


def finished_ms(events, answered_ms):
    """{event id: when it was finished}: its calls had been answered, and so had the earlier events of its contacts.
    answered_ms: {(event id, contact): when}."""
    found = {}
    for of_part in by_partition(events).values():
        of_contact = collections.defaultdict(float)
        for event in of_part:
            found[event.id] = max(max(answered_ms.get((event.id, contact), NEVER), of_contact[contact])
                                  for contact in event.contacts)
            of_contact.update(dict.fromkeys(event.contacts, found[event.id]))
    return found


# --- committed never passes what is not finished ------------------------------------------------------

def judge_commits(verdict, events, ends, changes):
    for part, of_part in by_partition(events).items():
        for commit in changes.get(part, []):
            for event in of_part:
                if ends[event.id] > commit.seen_ms + CLOCK_GRAIN_MS and commit.finished(event.offset):
                    verdict.ahead.append((event, commit, f"finished at {ends[event.id]}"))
                    break


# --- a contact's calls in the order of its events -----------------------------------------------------

def judge_order(verdict, events, calls, disturbances, held):
    """Each call of a contact is for the next event, or goes back to an earlier one, which is a duplicate. Those that may
    wait may be passed over, but not be sent later."""
    place, of_contact = {}, collections.defaultdict(list)
    for event in sorted(events, key=lambda event: (event.topic, event.partition, event.offset)):
        for contact in event.contacts:
            place[event.id, contact] = len(of_contact[contact])
            of_contact[contact].append(event)
    last, open_call, applied = collections.defaultdict(lambda: -1), {}, set()
    for request in calls:
        contact, at = request["email"], place[key(request)]
        before = open_call.get(contact)
        if before and before["finished_ms"] > request["started_ms"] and request["overlap"] and not any(
                before["started_ms"] <= spell.end_ms and spell.begin_ms <= request["started_ms"] for spell in disturbances):
            verdict.order.append(f"{contact}: {of_contact[contact][at]} began beside {before['body']['firstName']}")
        open_call[contact] = request
        if not request["applied"]:
            continue
        passed = [event for event in of_contact[contact][last[contact] + 1:at] if event.id not in held]
        if passed:
            verdict.order.append(f"{contact}: {of_contact[contact][at]} came before {passed[0]}")
        elif at < last[contact] and key(request) not in applied:
            verdict.order.append(f"{contact}: {of_contact[contact][at]} came after {of_contact[contact][last[contact]]}")
        last[contact] = at
        applied.add(key(request))


# --- nothing twice without need -----------------------------------------------------------------------

def judge_duplicates(verdict, known, calls, changes, disturbances):
    excuses, answers = [Excuse(spell, known, calls, changes, disturbances) for spell in disturbances], {}
    for request in calls:
        event, before = known[request["body"]["firstName"]], answers.get(key(request))
        if before:
            verdict.duplicates.append((event, before, request))
            if not any(excuse.covers(event, before, request) for excuse in excuses):
                verdict.beyond.append(f"{event} answered {request['email']} at {before['finished_ms']} and sent again at "
                                      f"{request['started_ms']}")
        if is_answered(request):
            answers[key(request)] = request
    verdict.bound = sum(excuse.may_repeat(known[request["body"]["firstName"]], request)
                        for excuse in excuses for request in calls if is_answered(request))


def answers_until(end_ms, known, calls, disturbances):
    """{(event id, contact): when it was answered}, as who has the event knows it: where a call of it is sent after a
    disturbance, what was answered before is answered no more. It may begin with any of the calls."""
    found = {}
    for request in calls:
        if request["started_ms"] > end_ms:
            continue
        since_ms = max((spell.begin_ms for spell in disturbances if spell.begin_ms <= request["started_ms"]), default=0)
        event = known[request["body"]["firstName"]]
        for contact in event.contacts:
            if found.get((event.id, contact), NEVER) < since_ms:
                del found[event.id, contact]
        if is_answered(request):
            found[key(request)] = request["finished_ms"]
    return found


class Excuse:
    """What a disturbance allows to be sent again: what was in flight when it began, or finished in it, or since the last
    commit before it, and is not called finished by that. When that commit was made up is known at the earliest: commits
    are made one at a time, so not before the one that precedes it was stored, and that was not there at its `asked_ms`."""

    def __init__(self, spell, known, calls, changes, disturbances):
        self.spell = spell
        self.commits = {part: [commit for commit in commits if commit.seen_ms <= spell.begin_ms][-2:]
                        for part, commits in changes.items()}
        self.ends = finished_ms(known.values(), answers_until(spell.end_ms, known, calls, disturbances))

    def covers(self, event, before, again):
        return again["started_ms"] >= self.spell.begin_ms and self.may_repeat(event, before)

    def may_repeat(self, event, request):
        commits = self.commits.get((event.topic, event.partition), [])
        if request["started_ms"] > self.spell.end_ms or (commits and commits[-1].finished(event.offset)):
            return False
        return len(commits) < 2 or self.ends[event.id] >= commits[0].asked_ms
