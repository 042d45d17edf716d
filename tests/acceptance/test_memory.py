"""An API that answers 503 for ten minutes while a million events wait: memory stays flat, the membership is kept,
and then all is delivered, once and in order. OUTAGE_SECONDS and WAITING_EVENTS in the environment shorten it."""

import collections
import os
import time

from harness import wait_until
from plots import curves
from report import write_samples
from scene import one_call_event
from worker import ANY_PORT

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "600"))
WAITING_EVENTS = int(os.environ.get("WAITING_EVENTS", "1000000"))
PARTITIONS, CONTACTS = 8, 50_000
SETTLED_SECONDS = 20  # until then the limits fill
MOST_GROWTH_MIB = 4
COLUMNS = ("seconds", "resident_mib", "pending_events", "pending_mib", "consumed_events", "delivered_events", "requests")


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def sample(scene, worker, begin):
    metrics = worker.admin.metrics()
    metrics.check_conservation()
    return (round(time.monotonic() - begin, 1), round(resident_mib(worker.pid), 2),
            int(metrics.value("sendx_worker_events_pending")),
            round(metrics.value("sendx_worker_pending_bytes") / 1048576, 2),
            int(metrics.value("sendx_worker_events_consumed_total")),
            int(metrics.value("sendx_worker_events_total", outcome="delivered")), scene.sandbox.stats()["requests"])


def events():
    """Numbered; a contact's stand in one partition."""
    for n in range(WAITING_EVENTS):
        contact = n % CONTACTS
        yield contact % PARTITIONS, None, one_call_event(f"user{contact}@example.com", str(n))


def check_all_delivered(scene):
    """Each event once, each contact's in order, of what may be too much to keep."""
    before, count = collections.defaultdict(lambda: -1), 0
    for page in scene.sandbox.request_pages():
        for request in page:
            if request["applied"]:
                n = int(request["body"]["firstName"])
                assert before[request["email"]] == (n - CONTACTS if n >= CONTACTS else -1), f"{request} is out of order"
                before[request["email"]] = n
                count += 1
    assert count == WAITING_EVENTS, f"{count} delivered"


def test_memory_is_flat_through_ten_minutes_of_503(scene, tell, results_folder):
    scene.create_topics(events=PARTITIONS)
    scene.start_sandbox(max_requests=WAITING_EVENTS + 100_000)
    scene.produce(events())
    scene.sandbox.fault(status=503)
    worker = scene.start_worker(admin=ANY_PORT, delivery={"retry_min": "250ms", "retry_max": "60s"})
    wait_until("the hold", lambda: worker.check_running() or worker.admin.held() == {"outage"})
    begin, samples = time.monotonic(), []
    while time.monotonic() < begin + OUTAGE_SECONDS:
        worker.check_running()
        assert worker.admin.get("/livez")[0] == 200 and worker.admin.held() == {"outage"}
        samples.append(sample(scene, worker, begin))
        time.sleep(1)
    outage_end = time.monotonic() - begin
    scene.sandbox.end_faults()
    while samples[-1][5] < WAITING_EVENTS:
        worker.check_running()
        samples.append(sample(scene, worker, begin))
        time.sleep(0.25)
        assert samples[-1][0] < outage_end + 900, "not delivered"
    scene.wait_until_finished(worker)
    write_samples("memory", COLUMNS, samples)
    curves(results_folder / "memory.svg",
           f"{WAITING_EVENTS:,} events wait while the API answers 503 (shaded), then are delivered", "MiB",
           {"resident memory": [(one[0], one[1]) for one in samples], "of it pending": [(one[0], one[3]) for one in samples]},
           (0, outage_end))
    worker.stop()

    during = [one for one in samples if one[0] <= outage_end]
    settled = [one[1] for one in during if one[0] >= min(SETTLED_SECONDS, OUTAGE_SECONDS / 3)]
    tell(f"resident: {settled[0]} MiB when settled, at most {max(settled)} in the outage, "
         f"{max(one[1] for one in samples)} in all; {during[-1][6]} calls spent on {outage_end:.0f} s; "
         f"delivered in {samples[-1][0] - outage_end:.0f} s")
    assert max(settled) - settled[0] <= MOST_GROWTH_MIB
    assert max(one[2] for one in samples) <= 10_000 and max(one[3] for one in samples) <= 64
    assert not worker.lines("partition.revoked")[:-PARTITIONS] and not worker.lines("partition.lost")
    scene.check_no_dead_letters()
    check_all_delivered(scene)
