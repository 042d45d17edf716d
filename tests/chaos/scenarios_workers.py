"""What happens to the workers: they are stopped, killed, frozen, and come and go."""

import pathlib
import signal

from harness import let_pass, wait_until
from judge import now_ms
from registry import scenario
from stage import FAR_SESSION_MS, SESSION_MS, SHORT_SESSION

# Restarted under its own name, a worker has its partitions back at once and need not wait for the session to end.
STATIC = {"session_timeout_ms": 10000}


def static_worker(stage, name, **settings):
    kafka = {**STATIC, "group_instance_id": f"{stage.group}-{name}", **settings.pop("kafka", {})}
    return stage.start_worker(name, kafka=kafka, **settings)


def kill(stage, *victims):
    begin_ms = now_ms()
    for victim in victims:
        victim.kill()
    stage.disturb("kill -9", begin_ms)


def freeze(stage, worker):
    """SIGSTOP, and it stands still when this returns."""
    def still():
        return "State:\tT" in pathlib.Path(f"/proc/{worker.pid}/status").read_text()
    begin_ms = now_ms()
    worker.send(signal.SIGSTOP)
    wait_until(f"{worker.name} to stand still", still, every=0.001)
    stage.disturb("SIGSTOP", begin_ms)


def feed_when_shared_out(stage, share, *workers):
    """What is read before the partitions are shared out may be handed over, which is another scenario's matter."""
    for worker in workers:
        worker.wait_for("partition.assigned", count=share)
    stage.feed.start()


def kill_again_and_again(stage, times, faults=()):
    names = ["a", "b"]
    workers = {name: static_worker(stage, name) for name in names}
    feed_when_shared_out(stage, 3, *workers.values())
    for n in range(times):
        stage.wait_commits(2, *workers.values())
        stage.wait_calls(stage.chance.randrange(1, 100), *workers.values())
        victims = names if n % 3 == 2 else [stage.chance.choice(names)]
        kill(stage, *(workers[name] for name in victims))
        for name in victims:
            workers[name] = static_worker(stage, name)
        for name in victims:
            workers[name].wait_for("partition.assigned")
    for fault in faults:  # or, with nothing else to send, all would look like an outage
        stage.sandbox.end_faults(fault)
    stage.finish(*workers.values())
    stage.notes["kills"] = times


@scenario()
def kill_9(stage):
    """Again and again under load, one of two workers and at times both; each comes back under its own name."""
    stage.begin(feed=False, first=0)
    kill_again_and_again(stage, stage.factor(5, 20))


@scenario()
def kill_9_while_contacts_wait(stage):
    """The same while some contacts are in retry all the time: what finished above their events is not sent again.
    With few contacts, events of two would soon make all the others wait for those."""
    stage.begin(feed=False, first=0, contacts=200)
    faults = [stage.sandbox.fault(email=stage.feed.shared(n), status=503, share=0.7, seed=stage.seed & 0xffff)
              for n in range(3)]
    kill_again_and_again(stage, stage.factor(4, 20), faults)


@scenario()
def kill_9_and_the_session_ends(stage):
    """Nobody comes back: the others have its partitions when its session ends."""
    stage.begin(feed=False, first=0)
    workers = [stage.start_worker(f"worker-{n}", kafka=SHORT_SESSION) for n in range(3)]
    feed_when_shared_out(stage, 2, *workers)
    stage.wait_commits(2, *workers)
    victim = workers.pop(stage.chance.randrange(3))
    kill(stage, victim)
    stage.finish(*workers)


@scenario(planned=True)
def rolling_restart(stage):
    """Three workers, each stopped by SIGTERM and replaced, round after round."""
    stage.begin()
    workers = [stage.start_worker(f"worker-{n}") for n in range(3)]
    for worker in workers:
        worker.wait_for("partition.assigned")
    rounds = stage.factor(2, 10)
    for _ in range(rounds):
        for n in range(3):
            workers[n].stop()
            workers[n] = stage.start_worker(f"worker-{n}")
            workers[n].wait_for("partition.assigned")
            stage.wait_calls(50, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()
    stage.notes["stops"] = rounds * 3


@scenario(planned=True)
def join_and_leave(stage):
    """A second worker joins and leaves again while offsets are committed every 50 ms."""
    settings = {"delivery": {"commit_interval": "50ms"}, "kafka": {"heartbeat_interval_ms": 200}}
    stage.begin()
    resident = stage.start_worker("resident", **settings)
    resident.wait_assigned({stage.topic(): 6})
    joins = stage.factor(4, 20)
    for n in range(joins):
        guest = stage.start_worker(f"guest-{n}", **settings)
        guest.wait_for("partition.assigned", count=3)
        stage.wait_calls(stage.chance.randrange(20, 60), resident, guest)
        back = len(resident.lines("partition.assigned")) + 3
        guest.stop()
        resident.wait_for("partition.assigned", count=back)
    stage.finish(resident)
    stage.check_no_lost_assignment()
    stage.notes["joins"] = joins


@scenario(planned=True)
def many_come_at_once(stage):
    """Five workers start together, three of them are stopped together."""
    stage.begin(partitions=10)
    workers = [stage.start_worker(f"worker-{n}") for n in range(5)]
    for worker in workers:
        worker.wait_for("partition.assigned")
    stage.wait_calls(100, *workers)
    leaving = workers[:3]
    for worker in leaving:
        worker.send(signal.SIGTERM)
    for worker in leaving:
        code = worker.wait()
        assert code == 0, f"{worker.name} ended with {code}"
    stage.wait_calls(100, *workers[3:])
    stage.finish(*workers[3:])
    stage.check_no_lost_assignment()


@scenario(planned=True)
def quick_restart_under_its_own_name(stage):
    """group_instance_id: the other worker notices nothing."""
    stage.begin()
    workers = {name: static_worker(stage, name) for name in ("a", "b")}
    wait_until("both to have their share", lambda: all(len(worker.lines("partition.assigned")) >= 3
                                                       for worker in workers.values()))
    stage.wait_calls(100, *workers.values())
    other = workers["b"]
    before = stage.count_lines(other, "partition.assigned", "partition.revoked", "partition.lost")
    for _ in range(stage.factor(2, 10)):
        workers["a"].stop()
        workers["a"] = static_worker(stage, "a")
        workers["a"].wait_for("partition.assigned", count=3)
        stage.wait_calls(50, *workers.values())
    after = stage.count_lines(other, "partition.assigned", "partition.revoked", "partition.lost")
    stage.finish(*workers.values())
    assert after == before, f"{after - before} partitions of the other worker came or went"


EAGER = {"partition_assignment_strategy": "range"}


def restart_in_turn(stage, workers, start, rounds):
    """Each is stopped by SIGTERM, which has to end well, and comes back."""
    for worker in workers:
        worker.wait_for("partition.assigned")
    for _ in range(rounds):
        for n, worker in enumerate(workers):
            worker.stop()
            workers[n] = start(n)
            workers[n].wait_for("partition.assigned")
            stage.wait_calls(50, *workers)
    stage.finish(*workers)
    stage.check_no_lost_assignment()
    stage.notes["stops"] = rounds * len(workers)


@scenario(planned=True)
def eager_group_is_restarted(stage):
    """range: each stop and each start takes all partitions from all workers, and shares them out anew."""
    stage.begin()
    restart_in_turn(stage, [stage.start_worker(f"worker-{n}", kafka=EAGER) for n in range(3)],
                    lambda n: stage.start_worker(f"worker-{n}", kafka=EAGER), stage.factor(2, 10))


@scenario(planned=True)
def eager_static_group_is_restarted(stage):
    """range and group_instance_id: it does not leave, so after the first rebalances nothing moves."""
    stage.begin(feed=False)
    workers = [static_worker(stage, f"worker-{n}", kafka=EAGER) for n in range(2)]
    wait_until("both to have their share", lambda: all(worker.check_running() or stage.owned(worker) == 3 for worker in workers))
    stage.feed.start()
    before = [stage.count_lines(worker, "partition.assigned") for worker in workers]
    for _ in range(stage.factor(2, 10)):
        workers[0].stop()
        workers[0] = static_worker(stage, "worker-0", kafka=EAGER)
        workers[0].wait_for("partition.assigned", count=3)
        stage.wait_calls(50, *workers)
    moved = stage.count_lines(workers[1], "partition.assigned") - before[1]
    stage.finish(*workers)
    stage.check_no_lost_assignment()
    assert not moved, f"{moved} partitions of the other worker came or went"


@scenario(planned=True)
def stopped_in_the_middle_of_a_rebalance(stage):
    """SIGTERM at any moment of a newcomer's joining, to the newcomer or to the one that gives partitions back for it."""
    for settings in ({}, EAGER):
        if not settings:
            stage.begin()
            staying = stage.start_worker("first", kafka=settings)
        else:
            staying.stop()
            staying = stage.start_worker("first-eager", kafka=settings)
        staying.wait_for("partition.assigned", count=6)
        for n in range(stage.factor(2, 12)):
            guest = stage.start_worker(f"guest-{n}", kafka=settings)
            guest.wait_for("kafka.subscribed")
            let_pass(stage.chance.random())  # any moment will do
            leaving, staying = stage.chance.sample([staying, guest], 2)
            leaving.stop()
            wait_until("the other one to have all", lambda: staying.check_running() or stage.owned(staying) == 6,
                       show=staying.log_text)
            stage.wait_calls(20, staying)
    stage.finish(staying)
    stage.check_no_lost_assignment()
    stage.notes["stops"] = stage.factor(2, 12) * 2


@scenario()
def frozen_worker(stage):
    """SIGSTOP for longer than the session and max.poll.interval.ms, then SIGCONT: another one has its partitions."""
    stage.begin()
    frozen = stage.start_worker("frozen", kafka=SHORT_SESSION)
    other = stage.start_worker("other", kafka=SHORT_SESSION)
    for n in range(stage.factor(1, 5)):
        for worker in (frozen, other):
            worker.wait_for("partition.assigned", count=3 * (n + 1))
        stage.wait_commits(2, frozen, other)
        owned = len(other.lines("partition.assigned"))
        freeze(stage, frozen)
        other.wait_for("partition.assigned", count=owned + 3)
        stage.wait_calls(100, other)
        frozen.send(signal.SIGCONT)
        wait_until("both to have a share again", lambda: other.check_running() or frozen.check_running() or
                   len(frozen.lines("partition.assigned")) >= 3 * (n + 2))
        stage.wait_calls(100, frozen, other)
    stage.finish(other, frozen)
    stage.notes["stops"] = stage.factor(1, 5)


@scenario(planned=True)
def frozen_for_a_moment(stage):
    """SIGSTOP for less than the session: nobody takes its partitions, and nothing is sent twice."""
    stage.begin()
    worker = stage.start_worker(kafka={"session_timeout_ms": FAR_SESSION_MS, "max_poll_interval_ms": FAR_SESSION_MS})
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_calls(100, worker)
    worker.send(signal.SIGSTOP)
    let_pass(SESSION_MS / 1000)
    worker.send(signal.SIGCONT)
    stage.wait_calls(100, worker)
    stage.finish(worker)
    stage.check_kept_membership(worker, assigned=6)


@scenario()
def frozen_alone_and_nobody_takes_over(stage):
    """SIGSTOP for longer than the session of the only worker: it comes back, joins anew, and goes on."""
    stage.begin()
    worker = stage.start_worker(kafka=SHORT_SESSION)
    worker.wait_assigned({stage.topic(): 6})
    stage.wait_commits(2, worker)
    freeze(stage, worker)
    wait_until("the group to be empty", lambda: stage.kafka.members(stage.group) == 0, every=0.1)
    worker.send(signal.SIGCONT)
    stage.wait_calls(100, worker)
    stage.finish(worker)
