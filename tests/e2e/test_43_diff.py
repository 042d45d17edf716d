"""`diff`: what other rules would change, by the events that are in Kafka, without leaving a trace there."""

import json

from worker import run_command

RULES = """
email = "${email | lower}";
rules: (
  { name = "plan"; topics = [ "@USERS@" ]; when = "@headers.kind == 'plan'"; track: { addTags = [ "plan ${to}" ]; }; },
  { name = "order"; topics = [ "^@PREFIX@[.]ord" ]; track: { addTags = [ "bought ${sku}" ]; }; }
);
"""
T0 = 1767225600000


def config_file(scene, name, rules=RULES):
    return scene.config_file(name, rules=rules.replace("@USERS@", scene.topic("users")).replace("@PREFIX@", scene.name))


def produce_some(scene):
    """Plans of four contacts, the last two of "max", and three orders, a second apart."""
    scene.create_topics(users=2, orders=1)
    scene.produce([(n % 2, None, json.dumps({"email": f"User{n % 4}@example.com", "to": "max" if n > 5 else "pro"}),
                    T0 + 1000 * n, [("kind", b"plan")]) for n in range(8)], topic="users")
    scene.produce([(0, None, json.dumps({"email": "user0@example.com", "sku": f"S-{n}"}), T0 + 1000 * n)
                   for n in range(3)], topic="orders")


def diff(scene, new_rules, *arguments, code=1):
    done = run_command("diff", "--old", config_file(scene, "old"), "--new", config_file(scene, "new", new_rules),
                       *arguments)
    assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def diff_json(scene, new_rules, *arguments, code=1):
    return json.loads(diff(scene, new_rules, "--json", *arguments, code=code)[0])


ONLY_PRO = RULES.replace("== 'plan'", "== 'plan' and to == 'pro'")


def test_the_calls_and_contacts_that_would_change_are_counted(scene):
    produce_some(scene)
    before = {group.group_id for group in scene.kafka.admin.list_consumer_groups().result(30).valid}
    found = diff_json(scene, ONLY_PRO, "--last", "100")
    assert found["events"] == 11 and found["events_that_differ"] == 2
    assert found["calls"] == {"same": 9, "added": 0, "removed": 2, "changed": 0, "contacts": 2}
    assert [rule["removed"] for rule in found["rules"]] == [2, 0]
    assert found["tags"] == [{"tag": "plan max", "added_more": 0, "added_fewer": 2, "removed_more": 0,
                              "removed_fewer": 0, "contacts": 2}]
    assert [sample["source"] for sample in found["samples"]] == [f"{scene.topic('users')}:{n}:3" for n in (0, 1)]
    assert {group.group_id for group in scene.kafka.admin.list_consumer_groups().result(30).valid} == before
    assert all(offset is None or offset < 0 for offset in scene.committed("users").values())


def test_since_and_topic_choose_the_events(scene):
    produce_some(scene)
    found = diff_json(scene, ONLY_PRO, "--since", "2026-01-01T00:00:07Z")
    assert found["events"] == 1 and found["calls"]["removed"] == 1
    found = diff_json(scene, ONLY_PRO, "--topic", scene.topic("orders"), "--since", "2026-01-01", code=0)
    assert found["events"] == 3 and found["calls"]["same"] == 3


def test_a_pipeline_is_told_by_the_exit_status(scene):
    produce_some(scene)
    diff(scene, RULES, "--last", "100", code=0)
    said, _ = diff(scene, ONLY_PRO, "--last", "100", code=1)
    assert "2 of 11 events would become something else: 2 differences." in said
    assert "u***@example.com" in said and "User2" not in said and "user2" not in said
    diff(scene, ONLY_PRO, "--last", "100", "--fail-over", "2", code=0)
    diff(scene, ONLY_PRO, "--last", "100", "--fail-over", "1", code=1)
    _, said = diff(scene, ONLY_PRO, "--topic", "no-such-topic", "--last", "1", code=2)
    assert 'there is no topic "no-such-topic"' in said
