"""docs/metrics.md against a live scrape. SENDX_UPDATE=1 writes it anew: make docs-metrics."""

import json
import os
import re

from admin import parse
from harness import ROOT, wait_until
from worker import ANY_PORT

DOCUMENT = ROOT / "docs/metrics.md"
BEGIN, END = "<!-- from a scrape: make docs-metrics -->\n", "<!-- end -->\n"

# Families that have samples only in trouble, or when calls were folded.
SELDOM = {"sendx_worker_group_refused": ["reason"], "sendx_worker_partition_stopped": ["partition", "reason", "topic"],
          "sendx_worker_paused": ["reason"], "sendx_worker_rule_calls_folded_total": ["account", "call", "rule"],
          "sendx_worker_topic_unavailable": ["reason", "topic"]}


def families(text):
    """[(name, type, help, labels)] in the order of the scrape."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            found[name] = [name, None, words, []]
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            found[name][1] = kind
    for name, labels in parse(text):
        family = name if name in found else re.sub("_(bucket|sum|count)$", "", name)
        for label, _ in labels:
            if label != "le" and label not in found[family][3]:
                found[family][3].append(label)
    for name, labels in SELDOM.items():
        assert not found[name][3] or sorted(found[name][3]) == labels
        found[name][3] = labels
    return list(found.values())


def table(text):
    lines = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in sorted(labels))} | {words} |"
              for name, kind, words, labels in families(text)]
    return "\n".join(lines) + "\n"


def test_every_metric_is_documented_as_it_is(scene):
    """A worker that has met everything: calls, tags, an event that may not become a dead letter."""
    scene.create_topics(events=2)
    events = [(0, b"k", json.dumps({"email": f"user{n}@example.com", "id": f"e{n}"}).encode()) for n in range(10)]
    scene.produce(events + [(1, b"k", b"nonsense")])
    worker = scene.start_worker(admin=ANY_PORT, dead_letter={"topic": ""}, rules=(
        f'email = "${{email}}"; rules: ( {{ name = "one"; topics = [ "{scene.topic()}" ];'
        ' track: { addTags = [ "a" ]; removeTags = [ "b" ]; }; } );'))

    def complete():
        worker.check_running()
        text = worker.admin.get("/metrics")[2]
        wanted = {"sendx_worker_partition_held", "sendx_worker_partition_lag_events", "sendx_worker_rule_tags_total",
                  "sendx_worker_partition_committed_offset", "sendx_worker_rule_path_present_ratio"}
        return text if wanted <= {name for name, _ in parse(text)} else None
    found = table(wait_until("a scrape with everything in it", complete))
    before, rest = DOCUMENT.read_text().split(BEGIN)
    kept, after = rest.split(END)
    if os.environ.get("SENDX_UPDATE"):
        DOCUMENT.write_text(before + BEGIN + found + END + after)
    else:
        assert kept == found, "docs/metrics.md is not up to date: make docs-metrics"
    worker.kill()
