"""The worker's admin endpoint, and a strict reader of the Prometheus text format (0.0.4)."""

import collections
import http.client
import json
import re
import threading

from harness import HANG_GUARD_S

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? (\S+)(?: -?\d+)?')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Metrics(dict):
    """{(name, (label=value, …)): value} of one scrape."""

    def value(self, name, **labels):
        return self[name, tuple(sorted(labels.items()))]

    def sum(self, name):
        return sum(value for (one, _), value in self.items() if one == name)

    def labels(self, name):
        return [dict(labels) for one, labels in self if one == name]

    def active(self, name):
        """The labels of the samples of `name` that are not 0."""
        return [dict(labels) for (one, labels), value in self.items() if one == name and value]

    def check_conservation(self):
        consumed, pending = self.value("sendx_worker_events_consumed_total"), self.value("sendx_worker_events_pending")
        ended = self.sum("sendx_worker_events_total")
        assert consumed == pending + ended, f"consumed {consumed}, pending {pending}, ended {ended}"
        for labels in self.labels("sendx_worker_partition_events_consumed_total"):
            taken = self.value("sendx_worker_partition_events_consumed_total", **labels)
            left = self.value("sendx_worker_partition_events_pending", **labels)
            done = sum(value for (name, of), value in self.items()
                       if name == "sendx_worker_partition_events_total" and labels.items() <= dict(of).items())
            assert taken == left + done, f"{labels}: consumed {taken}, pending {left}, ended {done}"


def parse(text):
    """Each family has HELP and TYPE once, before its samples, which stand together; nothing stands twice."""
    assert text.endswith("\n"), "the last line does not end"
    metrics, types, helps, family, closed = Metrics(), {}, set(), None, set()
    for line in text.splitlines():
        assert line, "an empty line"
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            assert word in ("HELP", "TYPE") and re.fullmatch(NAME, name), line
            if family != name:
                assert name not in closed, f"{name} stands in two places"
                closed.add(family)
                family = name
            assert name not in (helps if word == "HELP" else types), f"twice: {line}"
            if word == "TYPE":
                assert rest in TYPES, line
                types[name] = rest
            else:
                helps.add(name)
            continue
        form = SAMPLE.fullmatch(line)
        assert form, f"no sample: {line!r}"
        name, labels, value = form.groups()
        assert name in [family + suffix for suffix in SUFFIXES.get(types.get(family), ("",))], f"{line!r} in {family}"
        key = name, tuple(sorted(LABEL.findall(labels or "")))
        assert key not in metrics, f"twice: {line}"
        metrics[key] = float(value)
        if types[family] == "counter":
            assert name.endswith("_total") and metrics[key] >= 0, line
    assert helps == set(types), "HELP or TYPE is missing"
    return metrics


class Admin:
    def __init__(self, address):
        self.address = address

    def get(self, path, token=None, method="GET"):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(self.address, timeout=HANG_GUARD_S)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read().decode()
        finally:
            connection.close()

    def status(self):
        status, headers, text = self.get("/status.json")
        assert status == 200 and headers["Content-Type"] == "application/json", (status, headers.items(), text)
        return json.loads(text)

    def metrics(self):
        status, headers, text = self.get("/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain"), (status, headers.items(), text)
        return parse(text)

    def held(self, account="main"):
        """Why the account is held: a set of reasons."""
        return {labels["reason"] for labels in self.metrics().active("sendx_worker_account_held")
                if labels["account"] == account}

    def holds(self):
        """What stands still, as the page has it: a set of (scope, name, reason)."""
        return {(hold["scope"], hold["name"], hold["reason"]) for hold in self.status()["holds"]}

    def letters_held(self):
        return {labels["reason"] for labels in self.metrics().active("sendx_worker_dead_letters_held")}


class Watch(threading.Thread):
    """Scrapes over and over until told to stop, and checks each scrape."""

    def __init__(self, admin):
        super().__init__(daemon=True)
        self.admin = admin
        self.over = threading.Event()
        self.scrapes = 0
        self.seen = collections.Counter()  # reasons of holds
        self.failure = None
        self.start()

    def run(self):
        before = {}
        try:
            while not self.over.wait(0.02):
                metrics = self.admin.metrics()
                metrics.check_conservation()
                for key, value in metrics.items():
                    # Those of a partition begin anew with each assignment.
                    if key[0].endswith("_total") and "_partition_" not in key[0]:
                        assert value >= before.get(key, 0), f"{key} went back"
                before = metrics
                for labels in metrics.active("sendx_worker_account_held"):
                    self.seen[labels["reason"]] += 1
                self.scrapes += 1
        except BaseException as failure:  # shown by stop()
            self.failure = failure

    def stop(self):
        self.over.set()
        self.join()
        if self.failure:
            raise self.failure
        assert self.scrapes, "no scrape"
