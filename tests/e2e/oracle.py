"""What must come out: the calls of each event and the contacts they leave behind.

Written from the description of the rules and of the API alone, one plain function per rule; it evaluates no
expressions and shares nothing with the worker. RULES below is the same as configuration, for the worker.
"""

import collections
import dataclasses
import datetime
import decimal
import json
import random
import re
import zlib

from harness import first_difference

REGISTERED = "registered"  # the kinds of topics; tests give them names of their own
PLAN = "plan"

RULES = r"""
email = "${user.email | trim | lower}";
tables: {
  plan_tag = ( ("pro", "paid user"), ("enterprise", "paid user"), ("trial", "trial user") );
  region_of = ( ("de", "emea"), ("fr", "emea"), ("in", "apac") );
};
rules: (
  { name   = "registration";
    topics = [ "@REGISTERED@" ];
    when   = "not user.internal";
    identify: {
      firstName = "${user.first_name}";
      lastName  = "${user.last_name | trim}";
      birthday  = "${user.birthday | date('%Y-%m-%d')}";
      company   = "${user.company.name ?? user.company}";
      customFields = ( ("Plan", "${plan}"), ("Signup source", "${user.signup.source ?? 'direct'}"),
                       ("Registration id", "${id}"),
                       ("Region", "${user.country | lower | table('region_of', 'other')}") );
      tags      = [ "registered", "source: ${user.signup.source}", "${user.beta ? 'beta' : null}",
                    "${user.interests | prefix('likes ')}" ];
    }; },
  { name   = "large company";
    topics = [ "@REGISTERED@" ];
    when   = "user.company.size >= 100 and not user.internal";
    track: {
      addTags = [ "enterprise lead", "size ${user.company.size >= 1000 ? 'L' : 'M'}" ];
    }; },
  { name   = "plan changed";
    topics = [ "@PLAN@" ];
    when   = "from != to and to in ['pro', 'enterprise', 'trial']";
    identify: {
      customFields = ( ("Current plan", "${to}"), ("Seats", "${seats | default(1)}"), ("Price", "${price}"),
                       ("Plan event id", "${id}") );
    };
    track: {
      addTags    = [ "${to | table('plan_tag')}" ];
      removeTags = [ "${from | table('plan_tag')}" ];
    }; }
);
"""


def rules_text(registered, plan):
    """The rules above for topics of these names."""
    return RULES.replace("@REGISTERED@", registered).replace("@PLAN@", plan)


# --- calls -------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Call:
    """One identify or track; `body` is what is sent, without the e-mail of a track (v1 has it in the URL)."""
    kind: str
    email: str
    body: str  # JSON with sorted keys, so that calls compare and print
    rule: str = dataclasses.field(default="", compare=False)

    def __str__(self):
        return f"{self.kind} {self.email} {self.body}"

    def fields(self):
        return json.loads(self.body)


def make_call(kind, email, body, rule=""):
    return Call(kind, email, json.dumps(body, sort_keys=True, ensure_ascii=False), rule)


def seen_call(request):
    """A request in the sandbox's log as a Call."""
    body = request["body"]
    if isinstance(body, dict) and request["kind"] == "track":
        body = {name: value for name, value in body.items() if name != "email"}
    return make_call(request["kind"], request["email"], body)


class Unrenderable(Exception):
    """The event cannot become calls; the text is a rough reason."""


# --- how values become text --------------------------------------------------------------------------

def number_text(value):
    """A number as JavaScript writes it; an integer of 64 bits keeps its digits, a longer one is a double."""
    if isinstance(value, int) and -2**63 <= value < 2**63:
        return str(value)
    value = float(value)
    if value == 0:
        return "0"
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digits))
    point = len(digits) + exponent  # the value is 0.DIGITS * 10^point
    if 0 < point <= 21:
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
        text = whole + ("." + fraction if fraction else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
        text = f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return ("-" if sign else "") + text


def text(value):
    """A scalar as text; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    raise Unrenderable("an array or object where text must be")


def lower(value):
    """One character to one: where the full mapping gives several, the character has a mapping to one, too."""
    one_to_one = {"\u0130": "i"}
    return "".join(one_to_one.get(c, c.lower()) for c in value)


def step(value, *names):
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def filter_text(value):
    """What a text filter makes of its input before it begins: text, or None."""
    return None if isinstance(value, (dict, list)) else text(value)


def date_only(value):
    """`date('%Y-%m-%d')`, in UTC."""
    epoch = datetime.datetime(1970, 1, 1)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        seconds = value if abs(value) < 1e11 else value / 1000
        return (epoch + datetime.timedelta(seconds=seconds // 1)).strftime("%Y-%m-%d")
    if not isinstance(value, str):
        return None
    form = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d):(\d\d)(?::([0-5]\d)(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?",
                        value, re.ASCII)
    if not form:
        return None
    day, hours, minutes, seconds, zone = form.groups()
    try:
        moment = datetime.datetime.strptime(day, "%Y-%m-%d")
    except ValueError:
        return None
    if hours is not None:
        if int(hours) > 23 or int(minutes) > 59:
            return None
        moment += datetime.timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
        if zone and zone != "Z":
            shift = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].strip(":") or 0))
            moment -= shift if zone[0] == "+" else -shift
    return moment.strftime("%Y-%m-%d")


def tag_list(*values):
    """Arrays flattened, nulls and empty texts dropped, each tag once."""
    tags = []

    def add(value):
        if isinstance(value, list):
            for element in value:
                add(element)
        elif value is not None:
            tag = text(value)
            if tag and tag not in tags:
                tags.append(tag)
    add(list(values))
    return tags


def prefixed(prefix, value):
    """The prefix before each element of an array, at any depth; null stays null and empty stays empty."""
    if isinstance(value, list):
        return [prefixed(prefix, element) for element in value]
    value = filter_text(value)
    return prefix + value if value else value


def present(**settings):
    """The settings that are left: null and empty ones are not sent."""
    return {name: value for name, value in settings.items() if value not in (None, "", [], {})}


def contact_email(event):
    value = filter_text(step(event, "user", "email"))
    address = lower(value.strip()) if value is not None else None
    if not address:
        raise Unrenderable("email is null or empty")
    local, _, domain = address.partition("@")
    if address.count("@") != 1 or not local or not domain or re.search(r"\s", address):
        raise Unrenderable("email is no address")
    return address


# --- the rules, one function each --------------------------------------------------------------------

def registration(event):
    user = event.get("user")
    if step(user, "internal"):
        return []
    email = contact_email(event)
    company = step(user, "company", "name")
    source = step(user, "signup", "source")
    last_name = filter_text(step(user, "last_name"))
    country = filter_text(step(user, "country"))
    region = None if country is None else {"de": "emea", "fr": "emea", "in": "apac"}.get(lower(country), "other")
    body = present(
        email=email,
        firstName=text(step(user, "first_name")),
        lastName=last_name.strip() if last_name is not None else None,
        birthday=date_only(step(user, "birthday")),
        company=text(company if company is not None else step(user, "company")),
        customFields=present(**{
            "Plan": text(event.get("plan")),
            "Signup source": text(source if source is not None else "direct"),
            "Registration id": text(event.get("id")),
            "Region": region}),
        tags=tag_list("registered",
                      None if source is None else "source: " + text(source),
                      "beta" if step(user, "beta") else None,
                      prefixed("likes ", step(user, "interests"))))
    return [make_call("identify", email, body, "registration")]


def large_company(event):
    size = step(event, "user", "company", "size")
    if isinstance(size, bool) or not isinstance(size, (int, float)) or size < 100:
        return []
    if step(event, "user", "internal"):
        return []
    email = contact_email(event)
    tags = ["enterprise lead", "size L" if size >= 1000 else "size M"]
    return [make_call("track", email, {"addTags": tags}, "large company")]


def plan_changed(event):
    before, after = event.get("from"), event.get("to")
    if same(before, after) or after not in ("pro", "enterprise", "trial"):
        return []
    email = contact_email(event)
    tag_of = {"pro": "paid user", "enterprise": "paid user", "trial": "trial user"}
    seats = event.get("seats")
    identify = present(email=email, customFields=present(**{
        "Current plan": text(after),
        "Seats": text(1 if seats in (None, "", []) else seats),
        "Price": text(event.get("price")),
        "Plan event id": text(event.get("id"))}))
    added = tag_of[after]
    removed = tag_of.get(before) if isinstance(before, str) else None
    track = present(addTags=[added], removeTags=[removed] if removed not in (None, added) else [])
    return [make_call("identify", email, identify, "plan changed"),
            make_call("track", email, track, "plan changed")]


def same(a, b):
    """Equality between values of the same type, as the language has it for scalars."""
    return type(a) is type(b) and a == b


RULES_OF = {REGISTERED: [registration, large_company], PLAN: [plan_changed]}


def calls_of(kind, event):
    """The calls of one event, in order. Null is a tombstone and has none."""
    if event is None:
        return []
    return [call for rule in RULES_OF[kind] for call in rule(event)]


# --- contacts ----------------------------------------------------------------------------------------

class Contacts:
    """The API's documented merge: create or update, never delete a property, tags united."""

    def __init__(self):
        self.by_email = {}

    def apply(self, call):
        fields = call.fields()
        if call.kind == "identify":
            self._identify(call.email, fields)
        else:
            tags = self.by_email[call.email]["tags"]
            tags |= set(fields.get("addTags", []))
            tags -= set(fields.get("removeTags", []))

    def _identify(self, email, fields):
        contact = self.by_email.setdefault(email, {"email": email, "customFields": {}, "tags": set()})
        for name in ("firstName", "lastName", "company", "birthday"):
            if name in fields:
                contact[name] = fields[name]
        contact["customFields"].update(fields.get("customFields", {}))
        contact["tags"] |= set(fields.get("tags", []))
        if "newEmail" in fields:
            contact["email"] = fields["newEmail"]
            self.by_email[fields["newEmail"]] = self.by_email.pop(email)


def comparable(contact):
    """A contact, of the oracle's or of the sandbox's, as text: tags are a set, what is not there is left out."""
    kept = present(**{name: contact.get(name) for name in
                      ("email", "firstName", "lastName", "company", "birthday", "customFields")})
    kept["tags"] = sorted(contact.get("tags") or [])
    return json.dumps(kept, sort_keys=True, ensure_ascii=False)


def check_contacts(expected, sandbox_contacts):
    """Compares every contact; expected is a Contacts, sandbox_contacts {e-mail: contact}."""
    wanted = {email: comparable(contact) for email, contact in expected.by_email.items()}
    seen = {email: comparable(contact) for email, contact in sandbox_contacts.items()}
    wrong = [f"  expected {wanted.get(email, '(no contact)')}\n  seen     {seen.get(email, '(no contact)')}"
             for email in sorted(wanted.keys() | seen.keys()) if wanted.get(email) != seen.get(email)]
    assert not wrong, f"{len(wrong)} of {len(wanted)} contacts are wrong, e.g.\n" + "\n".join(wrong[:4])


# --- sequences ---------------------------------------------------------------------------------------

def topic_of(call):
    """Which kind of topic a call came from: the rules of the two touch different fields and tags."""
    fields = call.fields()
    if call.kind == "identify":
        return PLAN if "Plan event id" in fields.get("customFields", {}) else REGISTERED
    tags = set(fields.get("addTags", [])) | set(fields.get("removeTags", []))
    return PLAN if tags & {"paid user", "trial user"} else REGISTERED


def sequences(calls):
    """{(e-mail, kind of topic): [call, …]}, in order. All events of a contact in one topic stand in one
    partition, so this is its sequence per partition."""
    found = collections.defaultdict(list)
    for call in calls:
        found[call.email, topic_of(call)].append(call)
    return found


def check_sequences(expected_calls, seen_calls):
    wanted, seen = sequences(expected_calls), sequences(seen_calls)
    wrong = [key for key in sorted(wanted.keys() | seen.keys()) if wanted.get(key, []) != seen.get(key, [])]
    details = "\n".join(f"{email}, {kind}:\n{first_difference(wanted[email, kind], seen[email, kind])}"
                        for email, kind in wrong[:4])
    assert not wrong, f"{len(wrong)} of {len(wanted)} sequences are wrong, e.g.\n{details}"


# --- events ------------------------------------------------------------------------------------------

FIRST_NAMES = ["Ada", "Linus", "Grace", "Zoë", "Jörg", "李", "O'Brien", 'Say "hi"', "back\\slash", 7, 19.90, True, "", None]
SOURCES = ["ads", "friend", "newsletter", "", None, 404]
BIRTHDAYS = ["1990-05-17", "1985-12-31T23:30:00-05:00", "2000-02-29T00:10:00+0230", "1999-01-01 00:00Z", "2001-02-30",
             "yesterday", 643852800, 643852800000, -86401, 12345.75, None, True]
COMPANIES = ["Acme", {"name": "Widgets & Sons", "size": 40}, {"name": "Big", "size": 100}, {"name": "Huge", "size": 250000.0},
             {"name": "Text", "size": "1000"}, None, 3.0]
INTERESTS = [None, [], ["golf"], ["golf", "chess", "golf"], ["a", ["b", None, ["c"]], ""], "tea", 5]
COUNTRIES = ["DE", "fr", "In", "US", None, 49]
PLANS = ["free", "pro", "enterprise", "trial", None]


class Generator:
    """Events about a fixed set of contacts, the same for the same seed."""

    def __init__(self, seed, contacts, domain="example.com"):
        self.rng = random.Random(seed)
        self.emails = [self._email(n, domain) for n in range(contacts)]
        self.plan = {}
        self.events = 0

    @staticmethod
    def _email(n, domain):
        shape = n % 50
        if shape == 1:
            return f"user+{n}@{domain}"
        if shape == 2:
            return f"jürgen.{n}@{domain}"
        if shape == 3:
            return f"a'b&c=d%20/{n}?#@{domain}"
        return f"user{n}@{domain}"

    def _written(self, email):
        """The address as an event may write it."""
        return self.rng.choice([email, email, email.upper(), f"  {email}\t", email.title()])

    def event(self):
        """(kind of topic, contact's address, event); one in a hundred is a tombstone."""
        self.events += 1
        email = self.rng.choice(self.emails)
        kind = self.rng.choice([REGISTERED, PLAN])
        if self.rng.random() < 0.01:
            return kind, email, None
        return kind, email, self._registered(email) if kind == REGISTERED else self._plan_changed(email)

    def _registered(self, email):
        pick = self.rng.choice
        user = {"email": self._written(email), "first_name": pick(FIRST_NAMES), "last_name": pick(["Lovelace", " Hopper ", None]),
                "birthday": pick(BIRTHDAYS), "company": pick(COMPANIES), "country": pick(COUNTRIES),
                "beta": pick([True, False, 0, "yes", "", None, []]), "internal": pick([False] * 8 + [None, True, "x"]),
                "interests": pick(INTERESTS)}
        if self.rng.random() < 0.7:
            user["signup"] = {"source": pick(SOURCES)}
        for name in [name for name in user if name != "email" and self.rng.random() < 0.1]:
            del user[name]
        return {"id": f"r{self.events}", "plan": pick(PLANS), "user": user}

    def _plan_changed(self, email):
        pick = self.rng.choice
        event = {"id": f"p{self.events}", "user": {"email": self._written(email)},
                 "from": self.plan.get(email), "to": pick(PLANS), "seats": pick([None, 1, 5, "", "ten", 2**53 + 1]),
                 "price": pick([None, 0.1, 1.0, 19.99, 1e21, 1e-7, 123456789012345680000.0, -0.0, 100])}
        if event["from"] is None and self.rng.random() < 0.5:
            del event["from"]
        self.plan[email] = event["to"]
        return event


def partition_of(email, kind, partitions):
    """Where the contact's events of a topic go: always the same partition, another one per topic."""
    return zlib.crc32(f"{kind} {email}".encode()) % partitions


def history(seed, events, contacts, partitions):
    """A whole test's worth: ({kind: [(partition, key, value)]}, [expected call, …] in the order of the events)."""
    generator = Generator(seed, contacts)
    records, expected = {REGISTERED: [], PLAN: []}, []
    for _ in range(events):
        kind, email, event = generator.event()
        value = None if event is None else json.dumps(event, ensure_ascii=generator.rng.random() < 0.5)
        records[kind].append((partition_of(email, kind, partitions), email.encode(), value and value.encode()))
        expected += calls_of(kind, event)
    return records, expected


def final_contacts(calls):
    contacts = Contacts()
    for call in calls:
        contacts.apply(call)
    return contacts
