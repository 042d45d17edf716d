"""The judge itself, against workers that are broken on purpose: what they break must be found, and nothing else."""

import sys

from harness import ROOT, Process, wait_until
from judge import Disturbance, Sampler, judge, now_ms
from registry import scenario
from sandbox import API_KEY, TEAM_ID

# What each draws when it is killed and comes back under load.
FOUND = {"honest": set(), "early": {"lost", "ahead"}, "boastful": {"ahead"},
         "reorder": {"order"}, "twice": {"beyond"}, "forgetful": {"beyond"}}
KILLS = 1


def broken_worker(stage, mode, group):
    return Process(mode, [sys.executable, ROOT / "tests" / "chaos" / "broken.py", mode, stage.cluster.address, group,
                          stage.topic(mode), stage.sandbox.base_url(), API_KEY, TEAM_ID], stage.folder)


@scenario(judged=False)
def the_judge_finds_what_is_broken(stage):
    """Commits before it sends, below the offset or above, sends in another order, sends twice, forgets what it committed; and one that is honest."""
    stage.begin(partitions=1, delay_ms=2, feed=False, more_topics={mode: 2 for mode in FOUND})
    for mode, expected in FOUND.items():
        verdict = judge_broken(stage, mode)
        seen = {kind for kind in ("lost", "ahead", "order", "beyond") if getattr(verdict, kind)}
        assert expected <= seen, f"a worker that is broken ({mode}) drew only {sorted(seen)}"
        assert expected or not seen, f"an honest worker drew {verdict.problems(False)}"
        stage.notes[mode] = "+".join(sorted(seen)) or "nothing"


def judge_broken(stage, mode):
    """The events of the topic by a group of its own, whose only worker is killed in the midst of them."""
    feed = stage.add_feed(mode, contacts=5, pairs=False, rate=100)
    feed.produce(240)
    feed.start()
    group, after, spells = f"{stage.group}-{mode}", stage.sandbox.last_seq(), []
    part = (stage.topic(mode), 0)
    sampler = Sampler(stage.cluster.address, group, [(stage.topic(mode), p) for p in range(2)])
    sampler.start()
    for _ in range(KILLS):
        worker = broken_worker(stage, mode, group)
        seen = len(sampler.changes[part])
        wait_until("some commits", lambda: worker.check_running() or len(sampler.changes[part]) >= seen + 3)
        begin_ms = now_ms()
        worker.kill()
        stage.sandbox.stats()
        spells.append(Disturbance(begin_ms, now_ms(), "kill -9"))
    worker = broken_worker(stage, mode, group)
    feed.stop()
    stage.kafka.wait_until_finished(group, [stage.topic(mode)], worker)
    worker.kill()
    sampler.stop()
    return judge(feed.events, stage.sandbox.requests(after), sampler.changes, spells)
