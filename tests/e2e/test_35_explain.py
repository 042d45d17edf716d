"""`explain --at` and `--last`: events that are in Kafka, looked at without leaving a trace there."""

import json

from scene import one_call_event
from worker import run_command

RULES = """
email = "${email | lower}";
rules: (
  { name = "by header"; topics = [ "@TOPIC@" ]; when = "@headers.kind == 'signup'";
    identify: { firstName = "${id}"; customFields = ( ("Key", "${@key}"), ("Place", "${@partition}:${@offset}") ); }; }
);
"""
T0 = 1767225600000


def explain(scene, *arguments, code=0):
    config = scene.config_file(rules=RULES.replace("@TOPIC@", scene.topic()))
    done = run_command("explain", "-c", config, "--json", *arguments)
    assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def groups(scene):
    return {group.group_id for group in scene.kafka.admin.list_consumer_groups().result(30).valid}


def produce_some(scene):
    """Events e0 to e9 in turn on two partitions, a second apart."""
    scene.create_topics(events=2)
    scene.produce([(n % 2, b"k%d" % n, one_call_event(f"user{n}@example.com", f"e{n}"), T0 + 1000 * n,
                    [("kind", b"signup" if n % 3 == 0 else b"other")]) for n in range(10)])


def sources(scene, places):
    return [f"{scene.topic()}:{partition}:{offset}" for partition, offset in places]


def test_one_event_is_explained_with_its_key_headers_and_place(scene):
    produce_some(scene)
    (event,), _ = explain(scene, "--at", f"{scene.topic()}:0:3")
    assert event["source"] == f"{scene.topic()}:0:3"
    assert [call["identify"] for call in event["calls"]] == [
        {"email": "user6@example.com", "firstName": "e6", "customFields": {"Key": "k6", "Place": "0:3"}}]
    (event,), _ = explain(scene, "--at", f"{scene.topic()}:1:0")
    assert event["rules"][0]["tried"][0]["when"]["because"][0]["read"] == [{"path": "@headers.kind", "value": "other"}]


def test_the_last_events_of_all_partitions_come_by_their_time(scene):
    produce_some(scene)
    events, _ = explain(scene, "--topic", scene.topic(), "--last", "3")
    assert [event["source"] for event in events] == sources(scene, [(1, 3), (0, 4), (1, 4)])
    events, _ = explain(scene, "--topic", scene.topic(), "--last", "1000")
    assert [event["source"] for event in events] == sources(scene, [(n % 2, n // 2) for n in range(10)])


def test_looking_leaves_no_group_and_no_offset(scene):
    produce_some(scene)
    before = groups(scene)
    explain(scene, "--topic", scene.topic(), "--last", "5")
    explain(scene, "--at", f"{scene.topic()}:0:0")
    assert groups(scene) == before
    assert scene.group not in before
    assert all(offset is None or offset < 0 for offset in scene.committed().values())


def test_what_is_not_there_is_named(scene):
    produce_some(scene)
    for arguments, said in (
            (("--at", f"{scene.topic()}:0:5"), "has no offset 5; it holds those from 0 to 4"),
            (("--at", f"{scene.topic()}:2:0"), "has 2 partitions, counted from 0"),
            (("--at", "no-such-topic:0:0"), 'there is no topic "no-such-topic"'),
            (("--topic", "no-such-topic", "--last", "1"), 'there is no topic "no-such-topic"')):
        events, stderr = explain(scene, *arguments, code=1)
        assert events == []
        assert said in stderr, stderr


def test_an_empty_topic_is_no_mistake(scene):
    scene.create_topics(events=3)
    events, stderr = explain(scene, "--topic", scene.topic(), "--last", "5")
    assert events == []
    assert "holds no record" in stderr
