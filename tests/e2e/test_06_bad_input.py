"""Bad and odd input, each in a partition of its own between two good events. Dead letters are switched off, so
what cannot become calls holds its partition, loudly and with its reason; what is merely odd passes; no other
partition is disturbed."""

import dataclasses
import json
import re

import pytest

from harness import wait_until

RULES = """
email = "${user.email | trim | lower}";
rules: (
  { name   = "registration";
    topics = [ "@TOPIC@" ];
    when   = "not user.internal";
    identify: {
      firstName = "${user.first_name}";
      birthday  = "${user.birthday}";
      company   = "${user.company.name ?? user.company}";
      customFields = ( ("Number", "${number}"), ("Joined", "n=${number}"), ("Points", "${points}") );
      tags      = [ "registered", "${user.interests}" ];
    }; }
);
"""

NOT_JSON = "(?i)json"
OFF = {"topic": ""}


def rendering(setting):
    """The reason of a rendering error in RULES, with its place."""
    return f'^rule "registration": {re.escape(setting)}: .'


@dataclasses.dataclass
class Input:
    name: str
    value: bytes
    held: str = ""      # what the reason must match; "" where the event passes
    call: dict = None   # what is sent beyond the tags, where it passes and sends something
    key: bytes = b"key"


def user(number=None, points=None, **fields):
    return json.dumps({"user": {"email": "odd@example.com", **fields}, "number": number, "points": points}).encode()


def odd(text):
    """An event of odd@example.com around a piece of JSON text."""
    return b'{"user":{"email":"odd@example.com"},"number":' + text + b"}"


INPUTS = [
    # what is not JSON
    Input("invalid JSON", b'{"user": nonsense}', NOT_JSON),
    Input("cut off", b'{"user": {"email": "odd@example.com"', NOT_JSON),
    Input("something behind it", odd(b"1") + b" {}", NOT_JSON),
    Input("zero bytes", b"", "(?i)json|empty"),
    Input("only blanks", b"  \n", NOT_JSON),
    Input("not UTF-8", b'{"user":{"email":"odd@example.com","first_name":"\xff\xfe"}}', NOT_JSON),
    Input("lone surrogate", odd(rb'"\ud800"'), NOT_JSON),
    Input("escaped NUL in a value", odd(rb'"a\u0000b"'), NOT_JSON),
    Input("escaped NUL in a name", odd(rb'{"a\u0000b": 1}'), NOT_JSON),
    Input("byte order mark", b"\xef\xbb\xbf" + odd(b"1"), NOT_JSON),
    Input("nesting of 10,000", odd(b"[" * 10000 + b"]" * 10000), NOT_JSON),
    Input("number no double holds", odd(b"1e400"), NOT_JSON),
    Input("NaN", odd(b"NaN"), NOT_JSON),
    # JSON without a usable address
    Input("no e-mail", b'{"user":{}}', rendering("email")),
    Input("e-mail null", b'{"user":{"email":null}}', rendering("email")),
    Input("e-mail empty", b'{"user":{"email":"  "}}', rendering("email")),
    Input("e-mail without @", b'{"user":{"email":"odd"}}', rendering("email")),
    Input("e-mail with two @", b'{"user":{"email":"odd@@example.com"}}', rendering("email")),
    Input("e-mail with a blank", b'{"user":{"email":"odd one@example.com"}}', rendering("email")),
    Input("e-mail an object", b'{"user":{"email":{"address":"odd@example.com"}}}', rendering("email")),
    Input("e-mail an array", b'{"user":{"email":["odd@example.com"]}}', rendering("email")),
    Input("a number for an event", b"42", rendering("email")),
    Input("a text for an event", b'"odd@example.com"', rendering("email")),
    # wrong types
    Input("text an object", user(company={"size": 3}), rendering("identify.company")),
    Input("text an array", user(first_name=["odd"]), rendering("identify.firstName")),
    Input("joined text an array", user(number=[]), rendering("identify.customFields.Number")),
    Input("tag an object", user(interests=["a", {"b": 1}]), rendering("identify.tags[1]")),
    Input("no calendar day", user(birthday="2001-02-29"), rendering("identify.birthday")),
    Input("increment not allowed", user(points="++34"), rendering("identify.customFields.Points")),
    # what passes
    Input("tombstone", None),
    Input("JSON null", b"null"),
    Input("JSON null between blanks", b" null\n"),
    Input("internal, so no match", user(internal=True, company={})),
    Input("1 MiB", user(number=1, filler="x" * 1048576), call={"customFields": {"Number": "1", "Joined": "n=1"}}),
    Input("nesting of 2,000", odd(b"1,\"deep\":" + b"[" * 2000 + b"]" * 2000),
          call={"customFields": {"Number": "1", "Joined": "n=1"}}),
    Input("integer of 64 bits", odd(b"-9223372036854775808"),
          call={"customFields": {"Number": "-9223372036854775808", "Joined": "n=-9223372036854775808"}}),
    Input("integer over 64 bits", odd(b"18446744073709551616"),
          call={"customFields": {"Number": "18446744073709552000", "Joined": "n=18446744073709552000"}}),
    Input("integer of 40 digits", odd(b"1234567890123456789012345678901234567890"),
          call={"customFields": {"Number": "1.2345678901234568e+39", "Joined": "n=1.2345678901234568e+39"}}),
    Input("key with NUL", user(number=1), call={"customFields": {"Number": "1", "Joined": "n=1"}}, key=b"a\x00b"),
    Input("key not UTF-8", user(number=1), call={"customFields": {"Number": "1", "Joined": "n=1"}}, key=b"\xff\x00"),
    Input("no key", user(number=1), call={"customFields": {"Number": "1", "Joined": "n=1"}}, key=None),
    Input("a name twice, the last counts", b'{"number":1,"user":{"email":"odd@example.com"},"number":2}',
          call={"customFields": {"Number": "2", "Joined": "n=2"}}),
    Input("tags at any depth", user(interests=["a", ["b", [None, "a", ""]], 3, True]),
          call={"tags": ["registered", "a", "b", "3", "true"]}),
    Input("scalars as text", user(first_name=7.50, company=False), call={"firstName": "7.5", "company": "false"}),
]


def partition_records(partition, odd_input):
    """A good event, the input, a good event; the address says which partition and which event."""
    value = odd_input.value
    if value is not None:
        value = value.replace(b"odd@example.com", f"odd{partition}@example.com".encode())
    return [(partition, b"key", user().replace(b"odd@", f"before{partition}@".encode())),
            (partition, odd_input.key, value),
            (partition, b"key", user().replace(b"odd@", f"after{partition}@".encode()))]


@pytest.fixture
def settled(scene):
    """All inputs produced, and the worker at rest: each partition is held or finished."""
    scene.create_topics(events=len(INPUTS))
    for partition, odd_input in enumerate(INPUTS):
        scene.produce(partition_records(partition, odd_input))
    worker = scene.start_worker(rules=RULES.replace("@TOPIC@", scene.topic()), dead_letter=OFF)
    wanted = {partition: 1 if odd_input.held else 3 for partition, odd_input in enumerate(INPUTS)}

    def at_rest():
        worker.check_running()
        committed = scene.committed()
        held = {int(line["partition"]) for line in worker.lines("event.held", topic=scene.topic())}
        return all((committed[p] or 0) >= offset and (offset == 3 or p in held) for p, offset in wanted.items())

    def show():
        held = {int(line["partition"]) for line in worker.lines("event.held", topic=scene.topic())}
        return "\n".join(f"  {p} ({INPUTS[p].name}): committed {offset}, expected {wanted[p]}" +
                         (", held" if p in held else ", not held") for p, offset in sorted(scene.committed().items())
                         if offset != wanted[p] or (p in held) != (wanted[p] == 1))
    wait_until("every partition to be held or finished", at_rest, show=show)
    return scene, worker


def test_each_bad_input_holds_its_partition_and_each_odd_one_passes(settled):
    scene, worker = settled
    committed = scene.committed()
    reasons = {int(line["partition"]): line for line in worker.lines("event.held", topic=scene.topic())}
    requests = {request["email"]: request for request in scene.sandbox.requests()}
    wrong = []
    for p, odd_input in enumerate(INPUTS):
        problem = (check_held(p, odd_input, reasons.get(p), committed[p], requests) if odd_input.held else
                   check_passed(p, odd_input, reasons.get(p), committed[p], requests))
        wrong += [f"  {p} ({odd_input.name}): {text}" for text in problem]
    assert not wrong, "\n" + "\n".join(wrong)
    assert len(scene.sandbox.requests()) == len(requests), "something was sent twice"
    worker.stop()
    assert scene.committed() == committed, "the end changed what is committed"


def check_held(p, odd_input, line, committed, requests):
    """What is wrong with a partition that must be held at its second event."""
    if line is None:
        return ["no event.held in the log"]
    problems = []
    if line.get("offset") != "1":
        problems.append(f"held at offset {line.get('offset')}")
    if not re.search(odd_input.held, line.get("reason", "")):
        problems.append(f"the reason is {line.get('reason')!r} and does not match {odd_input.held!r}")
    if line.get("level") not in ("warn", "warning", "error"):
        problems.append(f"said at level {line.get('level')}")
    if committed != 1:
        problems.append(f"committed {committed}, not 1")
    if f"before{p}@example.com" not in requests:
        problems.append("the event before it was not sent")
    for email in (f"odd{p}@example.com", f"after{p}@example.com"):
        if email in requests:
            problems.append(f"{email} was sent: {requests[email]['body']}")
    return problems


def check_passed(p, odd_input, line, committed, requests):
    """What is wrong with a partition that must be finished."""
    problems = [f"held: {line.get('reason')}"] if line else []
    if committed != 3:
        problems.append(f"committed {committed}, not 3")
    for email in (f"before{p}@example.com", f"after{p}@example.com"):
        if email not in requests:
            problems.append(f"{email} was not sent")
    email = f"odd{p}@example.com"
    seen = requests[email]["body"] if email in requests else None
    wanted = odd_input.call and {"email": email, "tags": ["registered"], **odd_input.call}
    if seen != wanted:
        problems.append(f"sent {seen}, expected {wanted}")
    return problems


def test_held_partitions_are_held_again_after_a_restart(scene):
    scene.create_topics(events=2)
    scene.produce([(0, b"k", user()), (0, b"k", b"nonsense"), (1, b"k", user())])
    for name in ("first", "second"):
        worker = scene.start_worker(name, rules=RULES.replace("@TOPIC@", scene.topic()), dead_letter=OFF)
        worker.wait_for("event.held", topic=scene.topic(), partition=0, offset=1)
        wait_until("the rest to be committed", lambda: worker.check_running() or scene.committed() == {0: 1, 1: 1},
                   show=worker.log_text)
        worker.stop()
    assert len(scene.sandbox.requests()) == 2, "what was finished is not sent again"
