"""What happens around the workers: Kafka, the API and the name look-up go away, hang, and come back."""

import os
import subprocess

from harness import BUILD, ROOT, let_pass, wait_until
from judge import now_ms
from registry import scenario
from stage import FAR_SESSION_MS, SESSION_MS, SHORT_SESSION, Skip

OUTLAST_S = SESSION_MS / 1000 + 2


def cut_worker(stage, name="cut"):
    return stage.start_worker(name, kafka={**SHORT_SESSION, "bootstrap_servers": stage.cluster.cable_address})


@scenario()
def cut_off_from_kafka(stage):
    """The only worker does not reach Kafka for longer than its session lasts."""
    stage.begin()
    with stage.context.lock:
        worker = cut_worker(stage)
        worker.wait_assigned({stage.topic(): 6})
        for _ in range(stage.factor(1, 4)):
            stage.wait_commits(2, worker)
            begin_ms, assigned = now_ms(), len(worker.lines("partition.assigned"))
            stage.cluster.cut_cables()
            try:
                wait_until("the group to be empty", lambda: stage.kafka.members(stage.group) == 0, every=0.1)
                worker.wait_for("partition.lost")
            finally:
                stage.cluster.mend_cables()
            stage.disturb("cut off from Kafka", begin_ms)
            worker.wait_for("partition.assigned", count=assigned + 6)
            stage.wait_calls(100, worker)
        stage.finish(worker)


@scenario()
def one_of_two_is_cut_off_from_kafka(stage):
    """Another worker gets its partitions while it is away, and still reaches the API."""
    stage.begin()
    with stage.context.lock:
        cut = cut_worker(stage)
        other = stage.start_worker("other", kafka=SHORT_SESSION)
        for n in range(stage.factor(1, 4)):
            wait_until("both to have a share", lambda: len(cut.lines("partition.assigned")) >= 3 * (n + 1) and
                       len(other.lines("partition.assigned")) >= 3)
            stage.wait_commits(2, cut, other)
            owned, begin_ms = len(other.lines("partition.assigned")), now_ms()
            stage.cluster.cut_cables()
            try:
                other.wait_for("partition.assigned", count=owned + 3)
                taken_ms = now_ms()
                cut.wait_for("partition.lost", count=3 * (n + 1))
                stage.notes["zombie_ms"] = max(stage.notes.get("zombie_ms", 0), round(now_ms() - taken_ms))
                stage.disturb("one is cut off from Kafka", begin_ms)
                stage.wait_calls(200, other)
            finally:
                stage.cluster.mend_cables()
        wait_until("the other one to be back", lambda: cut.check_running() or other.check_running() or
                   len(cut.lines("partition.assigned")) >= 6)
        stage.wait_calls(100, cut, other)
        stage.finish(cut, other)


@scenario(planned=True)
def cut_off_from_kafka_for_a_moment(stage):
    """For less than the session: no partition is lost and nothing is sent twice."""
    stage.begin()
    with stage.context.lock:
        worker = stage.start_worker(kafka={"session_timeout_ms": FAR_SESSION_MS, "bootstrap_servers": stage.cluster.cable_address})
        worker.wait_assigned({stage.topic(): 6})
        stage.wait_calls(100, worker)
        stage.cluster.cut_cables()
        let_pass(SESSION_MS / 1000)
        stage.cluster.mend_cables()
        stage.wait_calls(100, worker)
        stage.finish(worker)
        stage.check_kept_membership(worker, assigned=6)


@scenario()
def cut_off_from_the_api(stage):
    """Connections end and new ones are refused, for longer than a session; the membership is kept."""
    stage.begin()
    cable = stage.cable_to_api()
    worker = stage.start_worker(kafka=SHORT_SESSION, base_url=stage.sandbox.base_url(address=cable.address))
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_calls(100, worker)
    begin_ms = now_ms()
    cable.cut()
    stage.disturb("cut off from the API", begin_ms)
    let_pass(OUTLAST_S)
    cable.listen()
    stage.wait_calls(100, worker)
    stage.finish(worker)
    stage.check_kept_membership(worker, assigned=6)
    stage.check_no_dead_letters()


@scenario()
def the_line_to_the_api_swallows(stage):
    """Nothing comes through and no connection ends, for longer than a session and the time-out of a call."""
    stage.begin()
    cable = stage.cable_to_api()
    worker = stage.start_worker(kafka=SHORT_SESSION, account={"timeout": "2s"},
                                base_url=stage.sandbox.base_url(address=cable.address))
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_calls(100, worker)
    begin_ms = now_ms()
    cable.swallow()
    let_pass(OUTLAST_S)
    cable.flow()
    # What was swallowed arrives now, late: such calls may be answered and sent again.
    stage.wait_calls(100, worker)
    stage.disturb("the line to the API swallowed", begin_ms)
    stage.finish(worker)
    stage.check_kept_membership(worker, assigned=6)
    stage.check_no_dead_letters()


@scenario(planned=True)
def the_api_hangs(stage):
    """For many poll intervals: no rebalance, bounded memory, and then all is delivered once."""
    stage.begin()
    worker = stage.start_worker(kafka=SHORT_SESSION, account={"timeout": "2s"})
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_calls(100, worker)
    stage.sandbox.end_faults()
    stage.sandbox.fault(action="hang")
    let_pass(stage.factor(3, 20) * SESSION_MS / 1000)
    stage.sandbox.end_faults()
    stage.wait_calls(100, worker)
    stage.finish(worker)
    stage.check_kept_membership(worker, assigned=6)
    stage.check_no_dead_letters()


SLOW_NAME = "api.slow.example.com"


def slow_names(folder):
    """A library for LD_PRELOAD under which the look-up of SLOW_NAME takes as long as a file is there."""
    library = folder / "slow_names.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(ROOT / "tests" / "chaos" / "slow_names.c"),
                    "-ldl"], check=True)
    return library


@scenario(planned=True)
def name_look_ups_hang(stage):
    """The name of the API is looked up in vain for many poll intervals: no rebalance, and then all is delivered."""
    if "asan" in BUILD.name:
        raise Skip("the look-up is held by LD_PRELOAD, which AddressSanitizer does not share")
    stage.begin(feed=False)
    file = stage.folder / "names-hang"
    file.touch()
    host, port = stage.sandbox.address.rsplit(":", 1)
    env = {"LD_PRELOAD": str(slow_names(stage.folder)), "SLOW_NAME": SLOW_NAME, "SLOW_NAME_FILE": str(file),
           "SLOW_NAME_ADDRESS": host}
    worker = stage.start_worker(kafka=SHORT_SESSION, account={"allow_plaintext": True, "connect_timeout": "1s"}, env=env,
                                base_url=stage.sandbox.base_url(address=f"{SLOW_NAME}:{port}"))
    worker.wait_assigned({stage.topic(): 6})
    let_pass(stage.factor(3, 20) * SESSION_MS / 1000)
    assert stage.calls() == 0, "the look-up did not hang"
    stage.check_kept_membership(worker, assigned=6)
    os.unlink(file)
    stage.wait_calls(100, worker)
    stage.finish(worker)
    stage.check_kept_membership(worker, assigned=6)
    stage.check_no_dead_letters()
