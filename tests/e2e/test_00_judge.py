"""The judge of tests/chaos by itself: what a crash excuses to be sent again, and what it does not."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

# pylint: disable=wrong-import-position
from feed import Event  # noqa: E402
from judge import Commit, Disturbance, judge  # noqa: E402

BOTH = Event("e0", ("ada@example.com", "grace@example.com"), "t", 0, 0)
CRASHES = [Disturbance(1000, 1001, "kill -9"), Disturbance(2000, 2001, "kill -9")]
# Nothing is finished, as far as the commits go, until the end.
COMMITS = {("t", 0): [Commit(at, at, 0, "") for at in (100, 1500, 1600, 1900)]}


def beyond(*requests):
    """Of requests of BOTH: (contact's number, status, when)."""
    log = [{"seq": n, "body": {"firstName": BOTH.id}, "email": BOTH.contacts[contact], "status": status,
            "applied": status == 200, "started_ms": at, "finished_ms": at + 5, "overlap": False}
           for n, (contact, status, at) in enumerate(requests)]
    verdict = judge([BOTH], log, COMMITS, CRASHES)
    assert not verdict.lost
    return verdict.beyond


def test_an_event_that_was_finished_before_the_last_commits_is_not_sent_again():
    assert len(beyond((0, 200, 1100), (1, 200, 1200), (0, 200, 2100), (1, 200, 2110))) == 2


def test_what_one_owner_had_answered_says_nothing_of_the_next_one():
    """The second owner has no answer for one of the calls when it ends, though the first had."""
    assert beyond((0, 200, 900), (1, 200, 1100), (0, 503, 1150), (1, 200, 2100), (0, 200, 2110)) == []
    assert beyond((0, 200, 900), (1, 200, 1100), (1, 200, 2100), (0, 200, 2110)) == []


def test_in_time_of_peace_nothing_is_sent_again():
    assert len(beyond((0, 200, 100), (1, 200, 110), (0, 200, 500))) == 1
