"""The oracle against the examples and rules of the description, so that a failure elsewhere is the worker's."""

import json

import pytest

import oracle
from oracle import PLAN, REGISTERED, Unrenderable, calls_of, make_call


def test_numbers_become_text_as_in_javascript():
    written = {1: "1", 1.0: "1", 1e3: "1000", 19.90: "19.9", 1e21: "1e+21", -0.0: "0", 0.1: "0.1", 1e-6: "0.000001",
               1e-7: "1e-7", 123456789012345680000.0: "123456789012345680000", -2.5: "-2.5", 2**53 + 1: "9007199254740993",
               2**64: "18446744073709552000", 1.5e300: "1.5e+300", 100.0: "100", 5e-324: "5e-324"}
    assert {value: oracle.number_text(value) for value in written} == written


def test_days_are_read_in_utc():
    assert oracle.date_only("1985-12-31T23:30:00-05:00") == "1986-01-01"
    assert oracle.date_only("2000-02-29T00:10:00+0230") == "2000-02-28"
    assert oracle.date_only("1990-05-17") == "1990-05-17"
    assert oracle.date_only(643852800) == oracle.date_only(643852800000) == "1990-05-28"
    assert oracle.date_only(-0.5) == "1969-12-31"
    assert [oracle.date_only(value) for value in ("2001-02-30", "1990-05-17z", "643852800", True, None)] == [None] * 5


def test_registration_becomes_one_identify():
    event = {"id": "r1", "plan": "pro", "user": {"email": " Ada@Example.COM ", "first_name": "Ada", "beta": 1,
             "company": {"name": "Acme", "size": 1200}, "signup": {"source": "ads"}, "interests": ["golf", "golf", ["tea"]]}}
    identify = {"email": "ada@example.com", "firstName": "Ada", "company": "Acme",
                "customFields": {"Plan": "pro", "Signup source": "ads", "Registration id": "r1"},
                "tags": ["registered", "source: ads", "beta", "likes golf", "likes tea"]}
    assert calls_of(REGISTERED, event) == [
        make_call("identify", "ada@example.com", identify),
        make_call("track", "ada@example.com", {"addTags": ["enterprise lead", "size L"]})]


def test_null_parts_leave_their_setting_out():
    event = {"user": {"email": "a@example.com", "signup": {"source": None}}}
    identify = {"email": "a@example.com", "customFields": {"Signup source": "direct"}, "tags": ["registered"]}
    assert calls_of(REGISTERED, event) == [make_call("identify", "a@example.com", identify)]


def test_internal_users_and_unchanged_plans_do_not_match():
    assert calls_of(REGISTERED, {"user": {"email": "a@example.com", "internal": True}}) == []
    assert calls_of(PLAN, {"user": {}, "from": "pro", "to": "pro"}) == []
    assert calls_of(PLAN, {"user": {}, "from": "pro", "to": "free"}) == []
    assert calls_of(PLAN, None) == []


def test_a_tag_added_and_removed_is_only_added():
    tracks = [calls_of(PLAN, {"user": {"email": "a@example.com"}, "from": before, "to": "enterprise"})[1].fields()
              for before in ("trial", "pro", None)]
    assert tracks == [{"addTags": ["paid user"], "removeTags": ["trial user"]}, {"addTags": ["paid user"]},
                      {"addTags": ["paid user"]}]


@pytest.mark.parametrize("user", [{}, {"email": None}, {"email": "  "}, {"email": "a"}, {"email": "a@@example.com"},
                                  {"email": "a b@example.com"}, {"email": {}}, {"email": "a@example.com", "company": {}},
                                  {"email": "a@example.com", "interests": 5, "first_name": []}])
def test_what_cannot_be_rendered_is_refused(user):
    with pytest.raises(Unrenderable):
        calls_of(REGISTERED, {"user": user})


def test_contacts_merge_as_documented():
    a = {"email": "a@example.com", "firstName": "John", "birthday": "1989-03-03", "customFields": {"Designation": "Software Engineer"},
         "tags": ["Developer"]}
    b = {"email": "a@example.com", "customFields": {"Age": "27"}, "tags": ["API Team"]}
    contacts = oracle.final_contacts([make_call("identify", "a@example.com", a), make_call("identify", "a@example.com", b),
                                      make_call("track", "a@example.com", {"addTags": ["x"], "removeTags": ["Developer"]}),
                                      make_call("identify", "a@example.com", {"email": "a@example.com", "newEmail": "b@example.com"})])
    assert json.loads(oracle.comparable(contacts.by_email["b@example.com"])) == {
        "email": "b@example.com", "firstName": "John", "birthday": "1989-03-03",
        "customFields": {"Designation": "Software Engineer", "Age": "27"}, "tags": ["API Team", "x"]}


def test_the_generated_history_is_renderable_and_varied():
    records, expected = oracle.history(seed=1, events=4000, contacts=300, partitions=8)
    assert sum(map(len, records.values())) == 4000
    assert {call.rule for call in expected} == {"registration", "large company", "plan changed"}
    assert {oracle.topic_of(call) for call in expected if call.rule == "plan changed"} == {PLAN}
    assert {oracle.topic_of(call) for call in expected if call.rule != "plan changed"} == {REGISTERED}
    assert all({partition for partition, _, _ in records[kind]} == set(range(8)) for kind in records)


def test_a_missing_a_repeated_and_a_swapped_call_are_found():
    _, expected = oracle.history(seed=2, events=200, contacts=5, partitions=2)
    oracle.check_sequences(expected, expected)
    for seen in (expected[:-1], expected + expected[-1:], expected[1::-1] + expected[2:]):
        if oracle.sequences(seen) != oracle.sequences(expected):
            with pytest.raises(AssertionError, match="sequences are wrong"):
                oracle.check_sequences(expected, seen)
    with pytest.raises(AssertionError, match="contacts are wrong"):
        oracle.check_contacts(oracle.final_contacts(expected), oracle.final_contacts(expected[: len(expected) // 2]).by_email)
