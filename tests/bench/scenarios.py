"""What is measured. A scenario has entries, {name: function that makes one run}, which take turns, repeat by repeat."""

import itertools
import os
import statistics

import peers
from api import LIMIT
from events import Backlog

# Peers that would take many times as long as the others for a backlog read it for so long and no longer: seconds from
# the first call on. Their rate is what counts.
AT_MOST_S = {"hand": 15, "bento_plain": 15, "parallel": 30}
LIVE_ROUNDS = 3  # in which ages are taken, too


class Scenario:
    """rounds: {name: in how many repeats it takes part}, of those that need not take part in all."""

    def __init__(self, key, title, events, make, note="", at_most=None, rounds=None):
        self.key, self.title, self.make, self.note = key, title, make, note
        self.rounds = {"parallel": 3, **(rounds or {})}
        self.events = int(os.environ.get("EVENTS") or events)
        if at_most:
            self.events = min(self.events, at_most)


def side_by_side(path, in_flight=64, contacts=20000, hot=False, tls=False, ceiling=True, hand_live=True,
                 plain=False):
    """All programs read the same backlog; then events come at a steady pace, for their age. Beside the one that is
    hot ours reads one that is not, so that the two can be compared whatever the machine did in another scenario."""
    def make(bench, scenario, programs):
        backlog = Backlog(bench.kafka, scenario.key, scenario.events, contacts, hot).produce()

        def entry(program):
            rounds = itertools.count(1)

            def run():
                job = bench.job(program.name, backlog, path, tls, in_flight=in_flight)
                figures = bench.run_backlog(program, job, backlog.events, at_most_s=AT_MOST_S.get(program.name))
                if next(rounds) <= LIVE_ROUNDS and (hand_live or program.name != "hand"):
                    figures.update(bench.run_live(program, path, contacts, hot, tls, in_flight))
                return figures
            return run
        entries = {program.name: entry(program) for program in programs if program.name != "bento_plain" or plain}
        if hot:
            even = Backlog(bench.kafka, f"{scenario.key}.even", scenario.events, contacts).produce()
            entries["ours_even"] = lambda: bench.run_backlog(programs[0], bench.job("even", even, path, tls,
                                                                                   in_flight=in_flight), even.events)
        if ceiling:
            entries["ceiling"] = lambda: bench.run_ceiling(path, scenario.events, in_flight, tls)
        return entries
    return make


def limited(bench, scenario, programs):
    """What a backlog costs when the API is the bottleneck. The end is the last commit, since calls are folded."""
    backlog = Backlog(bench.kafka, scenario.key, scenario.events, 5000).produce()

    def entry(program):
        def run():
            job = bench.job(program.name, backlog, "limited", rate_limit=LIMIT, fold="final", max_pending_events=100000,
                            max_pending_bytes="256MiB")
            return bench.run_backlog(program, job, backlog.events, by_commit=True)
        return run
    return {program.name: entry(program) for program in programs if program.name in ("ours", "bento")}


def cold(bench, scenario, programs):
    backlog = Backlog(bench.kafka, scenario.key, scenario.events, 1000).produce()
    return {program.name: lambda program=program: bench.run_cold(program, backlog) for program in programs
            if program.name != "bento_plain"}


def lag(bench, scenario, programs):
    backlog = Backlog(bench.kafka, scenario.key, scenario.events, 200000).produce()

    def entry(program):
        return lambda: bench.run_backlog(program, bench.job(program.name, backlog, "instant"), backlog.events)
    return {program.name: entry(program) for program in programs if program.name in ("ours", "bento")}


def scaling(bench, scenario, programs):
    def entry(count):
        def run():
            backlog = Backlog(bench.kafka, f"{scenario.key}.{bench.number()}", scenario.events, 20000)
            figures = bench.run_group(ours, count, backlog, bench.job("group", backlog, "50ms"))
            for topic in backlog.topics:
                bench.kafka.delete_topic(topic)
            return figures
        return run
    ours = programs[0]
    return {f"ours × {count}": entry(count) for count in (1, 2, 4)}


CONTACTS = (1000, 10000, 100000, 1000000)


def by_contacts(bench, scenario, programs):
    """The cost of an event by how many contacts there are."""
    def entry(contacts):
        backlog = Backlog(bench.kafka, f"{scenario.key}.{contacts}", scenario.events, contacts).produce()
        return lambda: bench.run_backlog(ours, bench.job("contacts", backlog, "instant"), backlog.events)
    ours = programs[0]
    return {f"{contacts:,} contacts": entry(contacts) for contacts in CONTACTS}


def by_pending(bench, scenario, programs):
    """The cost of an event by how many wait. Fewer contacts than calls may be in flight, and an API that takes 2 ms:
    the worker takes in all it may, looking for a contact without a call."""
    backlog = Backlog(bench.kafka, scenario.key, scenario.events, 48).produce()

    def entry(pending):
        def run():
            job = bench.job("pending", backlog, "2ms", max_pending_events=pending, max_pending_bytes="4096MiB",
                            watch_pending=True)
            return bench.run_backlog(ours, job, backlog.events)
        return run
    ours = programs[0]
    return {f"{pending:,} pending": entry(pending) for pending in (1000, 10000, 100000, 1000000)
            if pending <= max(1000, scenario.events)}


SCENARIOS = [
    Scenario("a", "An API that answers at once, 64 in flight", 200000, side_by_side("instant", plain=True)),
    Scenario("b", "An API that takes 50 ms, 256 in flight", 100000, side_by_side("50ms", 256, hand_live=False)),
    Scenario("c", "TLS and HTTP/2, an API that answers at once", 200000, side_by_side("instant", tls=True)),
    Scenario("d", f"An API limited to {LIMIT} calls a second, 5,000 contacts, fold = \"final\"", 100000, limited,
             rounds={"bento": 2},
             note="events/s is the backlog by the time until the last commit; CPU per event includes the waiting."),
    Scenario("e", "A hundredth of the contacts has half of the events", 200000,
             side_by_side("instant", hot=True, ceiling=False)),
    Scenario("f", "From the start of the process to the reply of the first call", 1000, cold, at_most=1000),
    Scenario("g", "A long lag, memory watched", 2000000, lag, rounds={"ours": 2, "bento": 2}),
    Scenario("h", "Processes of one group, an API that takes 50 ms, 64 in flight each", 50000, scaling,
             note="memory is that of the largest process."),
    Scenario("contacts", "Cost of an event by number of contacts", 500000, by_contacts,
             rounds={f"{contacts:,} contacts": 2 for contacts in CONTACTS}),
    Scenario("pending", "Cost of an event by number of events that wait (48 contacts, an API that takes 2 ms)", 200000,
             by_pending),
]


def programs(say):
    """[ours, then the peers that are there]; the others are named with what is missing. PROGRAMS: only these."""
    everyone = [peers.Ours(), peers.Bento(), peers.PlainBento(), peers.Parallel(), peers.Hand()]
    wanted = os.environ.get("PROGRAMS", "").replace(",", " ").split() or [program.name for program in everyone]
    unknown = set(wanted) - {program.name for program in everyone}
    if unknown or everyone[0].name not in wanted:
        raise SystemExit(f"bench: PROGRAMS names ours and any of {', '.join(p.name for p in everyone[1:])}")
    found = []
    for program in everyone:
        missing = program.missing()
        if program.name not in wanted:
            continue
        if missing:
            say(f"without {program.title}: {missing}")
        else:
            found.append(program)
    return found


# --- aims --------------------------------------------------------------------------------------------

def _median(results, key, name, figure):
    runs = results.get(key, {}).get("runs", {}).get(name, [])
    values = [run[figure] for run in runs if run.get(figure) is not None]
    return statistics.median(values) if values else None


def _ratio(one, other):
    return one / other if one is not None and other else None


def growth(memory):
    """Resident memory in the last quarter of a run over that in its second one."""
    if len(memory) < 8:
        return None
    quarter = len(memory) // 4
    sizes = [size for _, size in memory]
    return statistics.median(sizes[-quarter:]) / statistics.median(sizes[quarter:2 * quarter])


def aims(results):
    """[(scenario, what, "≥" or "≤", aim, value or None)]"""
    def m(key, name, figure):
        return _median(results, key, name, figure)

    def r(key, figure, other):
        return _ratio(m(key, "ours", figure), m(key, other, figure))
    flat = [growth(run.get("memory", [])) for run in results.get("g", {}).get("runs", {}).get("ours", [])]
    flat = [value for value in flat if value]
    found = [
        ("a", "events/s, ours ÷ Bento", "≥", 2.5, r("a", "events_s", "bento")),
        ("a", "events/s, ours ÷ Parallel Consumer", "≥", 8, r("a", "events_s", "parallel")),
        ("a", "events/s, ours ÷ ceiling", "≥", 0.75, r("a", "events_s", "ceiling")),
        ("a", "CPU per event, ours ÷ Bento", "≤", 0.333, r("a", "cpu_us", "bento")),
        ("a", "events/s, ours ÷ Bento as it comes", "≥", 2.5, r("a", "events_s", "bento_plain")),
        ("a", "CPU per event, ours ÷ Bento as it comes", "≤", 0.333, r("a", "cpu_us", "bento_plain")),
        *((key, "peak memory, MB", "≤", 64, m(key, "ours", "peak_mb")) for key in "abce"),
        ("b", "events/s ÷ (in flight ÷ latency)", "≥", 0.95, _ratio(m("b", "ours", "events_s"), 256 / 0.05)),
        ("d", "peak memory, MB: prefetch, pending and the program", "≤", 32 + 256 + 32, m("d", "ours", "peak_mb")),
        ("d", "time, ours ÷ Bento", "≤", 0.2, r("d", "seconds", "bento")),
        ("e", "events/s, ours ÷ ours with all contacts alike", "≥", 0.9, r("e", "events_s", "ours_even")),
        ("f", "ms from assignment to the first call", "≤", 150, m("f", "ours", "assigned_ms")),
        ("g", "memory, last quarter ÷ second quarter", "≤", 1.05, statistics.median(flat) if flat else None),
        ("h", "events/s, 4 processes ÷ 1", "≥", 3.6,
         _ratio(m("h", "ours × 4", "events_s"), m("h", "ours × 1", "events_s"))),
        ("contacts", "CPU per event, 1,000,000 contacts ÷ 1,000", "≤", 1.5,
         _ratio(m("contacts", "1,000,000 contacts", "cpu_us"), m("contacts", "1,000 contacts", "cpu_us"))),
        ("pending", "CPU per event, 100,000 pending ÷ 1,000", "≤", 1.5,
         _ratio(m("pending", "100,000 pending", "cpu_us"), m("pending", "1,000 pending", "cpu_us"))),
    ]
    return [aim for aim in found if aim[0] in results]
