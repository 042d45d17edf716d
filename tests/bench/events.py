"""The events of the benchmark and the rules that make calls of them. Every program gets the same events and
makes the same calls: peers.py holds Bento's mapping, hand_loop.c and Parallel.java their own."""

import itertools
import json
import random
import time

PARTITIONS = 4  # of each topic; a backlog stands in two
AT_ONCE = 5000  # records of a topic that are produced before some of the other

# {suffix} tells the topics of one backlog from those of another.
RULES = """
email = "${user.email | trim | lower}";
tables: { plan_tag = ( ("pro", "paid user"), ("enterprise", "paid user"), ("trial", "trial user") ); };
rules: (
  { name = "registration"; topics = [ "user.registered.{suffix}" ]; when = "not user.internal";
    identify: { firstName = "${user.first_name}"; lastName = "${user.last_name}"; company = "${user.company}";
                customFields = ( ("Plan", "${plan}"), ("Signup source", "${user.signup.source ?? 'direct'}") );
                tags = [ "registered", "source: ${user.signup.source}" ]; }; },
  { name = "plan changed"; topics = [ "plan.changed.{suffix}" ];
    when = "from != to and to in ['pro', 'enterprise', 'trial']";
    track: { addTags = [ "${to | table('plan_tag')}" ]; removeTags = [ "${from | table('plan_tag')}" ]; }; }
);
"""
LIVE_RULES = """
email = "${user.email | trim | lower}";
rules: ( { name = "live"; topics = [ "{topic}" ]; track: { addTags = [ "at-${at}" ]; }; } );
"""


def event(kind, number, user, **more):
    return {"id": f"evt-{number:012d}", "type": kind, "occurred_at": "2026-01-01T00:00:00Z",
            "user": {"email": f"user{user}@example.com", "first_name": "Ada", "last_name": "Lovelace",
                     "company": "Analytical Engines", "internal": False,
                     "signup": {"source": "web", "campaign": "spring"}, "interests": ["tea", "maths"]},
            "plan": "trial", "from": "trial", "to": "pro", **more}


def contact_picker(contacts, hot, seed=1):
    """A function that draws a contact: every one alike, or, with hot, the first hundredth half of the time."""
    rng = random.Random(seed)
    few = max(1, contacts // 100)
    return lambda: rng.randrange(few) if hot and rng.random() < 0.5 else rng.randrange(contacts)


class Backlog:
    """Events that stand in two topics of Kafka, half registrations and half changes of plan. Each run reads
    them with a consumer group of its own."""

    def __init__(self, kafka, suffix, events, contacts, hot=False):
        self.suffix, self.events, self.contacts, self.hot = suffix, events, contacts, hot
        self.topics = {f"{kind}.{suffix}": PARTITIONS for kind in ("user.registered", "plan.changed")}
        self.rules = RULES.replace("{suffix}", suffix)
        self._kafka = kafka
        kafka.create_topics(self.topics)

    def produce(self):
        """Both topics grow together, so that whoever reads while this goes on has something of each."""
        left = {topic: self._records(topic.rpartition(".")[0], share)
                for topic, share in zip(self.topics, (self.events - self.events // 2, self.events // 2))}
        for _ in range(0, self.events, 2 * AT_ONCE):
            for topic, records in left.items():
                self._kafka.produce(topic, itertools.islice(records, AT_ONCE))
        return self

    def _records(self, kind, count):
        pick = contact_picker(self.contacts, self.hot)
        for number in range(count):
            user = pick()
            yield user % PARTITIONS, str(user).encode(), json.dumps(event(kind, number, user)).encode()


def live_record(number, user):
    """An event that carries the moment at which it came into being; the call repeats it in a tag."""
    at = f"{time.time():.4f}"
    return user % PARTITIONS, str(user).encode(), json.dumps(event("live", number, user, at=at)).encode()
