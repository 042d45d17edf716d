"""What make bench makes of its figures. Needs neither Kafka nor peers."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import parts  # noqa: E402
import results  # noqa: E402
import scenarios  # noqa: E402
import seeing  # noqa: E402
from measure import percentile  # noqa: E402

OURS = "/somewhere/build/sendx-worker"


def runs(*rates, **more):
    return [{"events_s": rate, **more} for rate in rates]


def test_overlapping_ranges_are_within_the_noise():
    assert results.against_ours(runs(90, 100, 110), runs(105, 120, 130)) == "1.20, within the noise"
    assert results.against_ours(runs(40, 50, 60), runs(90, 100, 110)) == "2.00"


def test_a_median_stands_with_its_spread_and_alone_when_there_is_none():
    assert results.show(runs(1000, 3000, 2000), "events_s", "{:,.0f}") == "2,000 (1,000–3,000)"
    assert results.show(runs(1000, 1000), "events_s", "{:,.0f}") == "1,000"
    assert results.show([{"cut_short": "it ended"}], "events_s", "{:,.0f}") == "–"


def test_an_aim_of_a_peer_that_did_not_run_is_not_measured():
    found = scenarios.aims({"a": {"runs": {"ours": runs(30000, cpu_us=30, peak_mb=50), "bento": runs(10000, cpu_us=100)}}})
    values = {what: value for _, what, _, _, value in found}
    assert values["events/s, ours ÷ Bento"] == 3
    assert values["CPU per event, ours ÷ Bento"] == 0.3
    assert values["events/s, ours ÷ Parallel Consumer"] is None
    assert values["peak memory, MB"] == 50
    assert {key for key, *_ in found} == {"a"}


def test_growth_compares_the_last_quarter_of_a_run_with_its_second():
    flat = [(t, 10 if t < 25 else 50) for t in range(100)]
    assert scenarios.growth(flat) == 1
    assert scenarios.growth([(t, 10 + t) for t in range(100)]) > 1.5
    assert scenarios.growth(flat[:4]) is None


def test_whatever_was_measured_is_written_down(tmp_path):
    found = {"title": "a title", "events": 10, "repeats": 2, "note": "", "when": "2026-01-01",
             "conditions": {"version": "1", "commit": "c", "processors": 2, "cpu": "p", "system": "s", "kernel": "k"}}
    kept = {scenario.key: {**found, "runs": {"ours": runs(10, 20, cpu_us=3, memory=[[0, 5], [1, 6]])}}
            for scenario in scenarios.SCENARIOS}
    results.save(tmp_path, kept)
    assert results.load(tmp_path) == kept
    text = (tmp_path / "results.md").read_text()
    for scenario in scenarios.SCENARIOS:
        assert f"## ({scenario.key}) a title" in text
        assert (tmp_path / f"{scenario.key}.svg").read_text().startswith("<svg")


def test_percentiles_of_few_values_are_values():
    assert [percentile([1, 2, 3, 4], share) for share in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]


def test_a_sample_belongs_to_the_nearest_function_of_ours_that_is_known():
    known = {"decode_json": "rules/decode", "ruleset_map": "rules/ruleset", "expr_eval": "rules/expr_eval",
             "render_text": "rules/rule", "apply_once": "rules/rule", "worker_take": "worker/deliver",
             "xalloc": "base/xalloc", "core_open": "delivery/core_event", "http_step": "edge/http",
             "http_requests_step": "edge/http_request"}

    def part(*frames, thread="sendx-worker"):
        stack = [frame if isinstance(frame, tuple) else (frame, OURS) for frame in frames]
        return parts.part_of(thread, stack, known)
    libc, jansson, curl, kernel = (("malloc", "/lib/libc.so.6"), ("[unknown]", "/lib/libjansson.so.4"),
                                   ("[unknown]", "/lib/libcurl.so.4"), ("tcp_sendmsg", "[kernel.kallsyms]"))
    assert part(libc, jansson, "decode_json", "ruleset_map", "worker_take") == parts.PARSE
    assert part(libc, jansson, "ruleset_map", "worker_take") == parts.PARSE  # the event is freed there
    assert part("expr_eval", "apply_once", "ruleset_map", "worker_take") == parts.MATCH
    assert part("expr_eval", "render_text", "apply_once", "ruleset_map") == parts.RENDER
    assert part(libc, "xalloc", "core_open", "worker_take") == parts.QUEUE
    assert part(kernel, curl, "http_step") == parts.KERNEL_HTTP
    assert part(kernel, "worker_take") == parts.KERNEL_LOOP
    assert part(kernel, "http_requests_step") == parts.KERNEL_HTTP
    assert part(libc, "http_requests_step", "http_step") == parts.CURL
    assert part(libc, curl, ("[unknown]", "[unknown]")) == parts.CURL
    assert part(kernel, thread="rdk:broker1") == parts.KERNEL_BROKER
    assert part(("something", OURS)) == parts.OTHER


CALLGRIND = """version: 1
fl=(1) src/worker/deliver.c
fn=(1) flight_done
7 100
cfi=(2) src/worker/seeing.c
cfn=(2) seeing_call
calls=3 40
9 600
cfn=(3) settled
calls=3 50
9 30
fl=(2)
fn=(2)
41 200
+2 50
cfi=(3) src/delivery/core_fold.c
cfn=(4) core_job_each
calls=3 12
* 350
fl=(3)
fn=(4)
12 90
cfi=(2)
cfn=(5) count_delivered
calls=3 60
14 260
"""


def test_what_is_called_in_the_files_of_seeing_is_counted_once_with_all_that_it_calls():
    costs = seeing.Costs(CALLGRIND)
    assert costs.total == 100 + 200 + 50 + 90
    assert costs.edges[("src/worker/deliver.c", "flight_done"), ("src/worker/deliver.c", "settled")] == [3, 30]
    assert costs.into(seeing.FILES) == {"seeing_call": [3, 600]}
