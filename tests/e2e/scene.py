"""A test's own world: topics, group, sandbox and workers under names nobody else uses."""

import collections
import json

from dead_letters import Letter
from harness import Process, tail
from sandbox import Sandbox
from worker import Worker, config_text

# One topic, one identify per event, whose firstName says which event it was. `new_email` renames.
ONE_CALL = """
email = "${email | trim | lower}";
rules: (
  { name   = "one call";
    topics = [ "@TOPIC@" ];
    identify: { newEmail = "${new_email}"; firstName = "${id}"; }; }
);
"""


DEAD_LETTER_PARTITIONS = 2


class Scene:
    def __init__(self, kafka, folder, name):
        self.kafka = kafka
        self.folder = folder
        self.name = name
        self.group = f"{name}-group"
        self.dead_letter_topic = f"{name}.dead-letter"
        self.topics = {}      # our name for it: Kafka's
        self.partitions = {}  # Kafka's name: number of partitions
        self._sandbox = None

    # --- topics ----------------------------------------------------------------------------------

    def create_topics(self, **partitions):
        """create_topics(events=8) makes a topic that the test calls "events", and the one of the dead letters."""
        self.topics = {name: f"{self.name}.{name}" for name in partitions}
        self.partitions = {self.topics[name]: count for name, count in partitions.items()}
        self.kafka.create_topics({**self.partitions, self.dead_letter_topic: DEAD_LETTER_PARTITIONS})

    def topic(self, name="events"):
        return self.topics[name]

    def produce(self, records, topic="events"):
        """Records are (partition, key, value[, timestamp in ms])."""
        self.kafka.produce(self.topic(topic), records)

    def committed(self, topic="events"):
        return self.kafka.committed(self.group, self.topic(topic))

    def wait_until_finished(self, worker):
        self.kafka.wait_until_finished(self.group, self.topics.values(), worker)

    def dead_letters(self):
        """The dead letters written so far, see dead_letters.Letter."""
        return [Letter(message) for message in self.kafka.records(self.dead_letter_topic)]

    def check_no_dead_letters(self):
        letters = self.dead_letters()
        assert not letters, f"{len(letters)} dead letters, e.g. {letters[0]}"

    # --- programs --------------------------------------------------------------------------------

    @property
    def sandbox(self):
        if self._sandbox is None:
            self._sandbox = Sandbox(self.folder)
        return self._sandbox

    def start_sandbox(self, *settings, **more):
        self._sandbox = Sandbox(self.folder, *settings, **more)

    def config(self, rules=None, kafka=None, account=None, delivery=None, log=None, dead_letter=None, admin=None,
               api="v1", base_url=None, more_accounts=()):
        """The text of a configuration: the rules ONE_CALL unless others are given."""
        if rules is None:
            rules = ONE_CALL.replace("@TOPIC@", self.topic())
        account_settings = {"api": api, "base_url": base_url or self.sandbox.base_url(api)}
        if api == "rest":
            account_settings["team_id"] = None
        return config_text(
            kafka={"bootstrap_servers": self.kafka.address, "group_id": self.group, **(kafka or {})},
            account={**account_settings, **(account or {})}, rules=rules, delivery=delivery, log=log, admin=admin,
            dead_letter={"topic": self.dead_letter_topic, **(dead_letter or {})}, more_accounts=more_accounts)

    def config_file(self, name="call", **settings):
        path = self.folder / f"{name}.conf"
        path.write_text(self.config(**settings))
        return path

    def start_worker(self, name="worker", env=None, **settings):
        return self.start_worker_of(self.config(**settings), name, env)

    def start_worker_of(self, config, name="worker", env=None):
        return Worker(config, self.folder, name, env)

    # --- events of ONE_CALL ----------------------------------------------------------------------

    def one_call_history(self, events, contacts, partitions, first=0):
        """Events e0, e1, … of contacts in turn; a contact's events are all in one partition. Returns
        (records, {e-mail: [event id, …]})."""
        records, expected = [], collections.defaultdict(list)
        for n in range(first, first + events):
            email = f"user{n % contacts}@example.com"
            records.append((n % contacts % partitions, email.encode(), one_call_event(email, f"e{n}")))
            expected[email].append(f"e{n}")
        return records, expected

    def delivered(self, after=0):
        """{e-mail: [event id, …]} as applied by the sandbox, in order."""
        found = collections.defaultdict(list)
        for request in self.sandbox.applied(after):
            found[request["email"]].append(request["body"].get("firstName"))
        return found

    def check_delivered(self, expected, after=0):
        """Every event once and in order, and nothing else."""
        seen = self.delivered(after)
        wrong = [f"  {email}: expected {expected.get(email)}\n  {' ' * len(email)}  seen     {seen.get(email)}"
                 for email in sorted(expected.keys() | seen.keys()) if expected.get(email) != seen.get(email)]
        assert not wrong, f"{len(wrong)} of {len(expected)} contacts did not get their calls once and in order:\n" \
            + "\n".join(wrong[:6])

    def check_delivered_with_repeats(self, expected, restarts):
        """Nothing lost and order kept, where up to `restarts` ends of a worker may each have gone back in a
        contact's events (what was in flight or not committed yet comes again)."""
        seen = self.delivered()
        wrong = [f"  {email}: {problem}\n    expected {expected.get(email)}\n    seen     {seen.get(email)}"
                 for email in sorted(expected.keys() | seen.keys())
                 if (problem := order_problem(expected.get(email, []), seen.get(email, []), restarts))]
        assert not wrong, f"{len(wrong)} of {len(expected)} contacts are wrong:\n" + "\n".join(wrong[:6])


def order_problem(expected, seen, restarts):
    """What is wrong with the order seen, or None. Each step is the next event, or a step back to an earlier one."""
    place = {event_id: n for n, event_id in enumerate(expected)}
    before, reached, steps_back = -1, -1, 0
    for event_id in seen:
        at = place.get(event_id)
        if at is None:
            return f"{event_id} is not this contact's"
        if at > before + 1:
            return f"{event_id} came too early"
        steps_back += at <= before
        before, reached = at, max(at, reached)
    if reached != len(expected) - 1 or before != reached:
        return "not delivered up to the end"
    return f"{steps_back} steps back" if steps_back > restarts else None


def one_call_event(email, event_id, new_email=None):
    return json.dumps({"email": email, "id": event_id, "new_email": new_email}).encode()


def logs_of_test():
    """[(title, text)] of every process of the running test, for the report of a failure."""
    found = []
    for process in Process.started:
        state = "running" if process.running() else f"ended with {process.popen.returncode}"
        found.append((f"{process.name} ({state}): {process.log_path}", tail(process.log_path, 60)))
    return found
