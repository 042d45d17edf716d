"""`capture`: rule tests of the events that are in Kafka, or come, without leaving a trace there."""

import json
import signal
import subprocess

from harness import HANG_GUARD_S, wait_until
from worker import WORKER, run_command, worker_env

RULES = """
email = "${email | trim | lower}";
rules: (
  { name = "signup"; topics = [ "@USERS@" ]; when = "@headers.kind == 'signup' and not (email ends_with '@corp.example.com')";
    identify: { firstName = "${name}"; tags = [ "plan ${plan}" ]; }; },
  { name = "order"; topics = [ "^@PREFIX@[.]ord" ]; track: { addTags = [ "bought ${sku}" ]; }; }
);
"""
T0 = 1767225600000


def config_file(scene):
    return scene.config_file(rules=RULES.replace("@USERS@", scene.topic("users")).replace("@PREFIX@", scene.name))


def user(n, kind=b"signup", **more):
    event = {"email": f"Ada.{n}@home.example.com", "name": f"Ada{n}", "plan": "pro", "note": "ask +49 151 1234567", **more}
    return (n % 2, b"k%d" % n, json.dumps(event), T0 + 1000 * n, [("kind", kind), ("secret", b"x")])


def order(n):
    return (0, None, json.dumps({"email": f"Ada.{n}@home.example.com", "sku": f"S-{n}"}), T0 + 1000 * n)


def produce_some(scene):
    scene.create_topics(users=2, orders=1)
    scene.produce([user(n) for n in range(8)] + [user(n, b"other") for n in range(8, 12)], topic="users")
    scene.produce([order(n) for n in range(3)], topic="orders")


def groups(scene):
    return {group.group_id for group in scene.kafka.admin.list_consumer_groups().result(30).valid}


def capture(scene, *arguments, code=0):
    done = run_command("capture", "-c", config_file(scene), *arguments)
    assert done.returncode == code, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout else None, done.stderr


def start(scene, *arguments):
    """A capture that waits for events by now, and the file of what it says."""
    said = scene.folder / "capture.err"
    with said.open("w") as err:
        process = subprocess.Popen([WORKER, "capture", "-c", config_file(scene), *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=err, text=True, env=worker_env(None))
    wait_until("capture to wait for events", lambda: "waiting for events" in said.read_text(), said.read_text)
    return process, said


def end(process):
    try:
        return process.communicate(timeout=HANG_GUARD_S)[0]
    finally:
        process.kill()


def check_tests(scene, path):
    done = run_command("test", "-c", config_file(scene), path)
    assert done.returncode == 0, done.stdout + done.stderr


def names(tests):
    return [test["name"] for test in tests]


def test_captured_tests_pass_and_hold_no_address(scene):
    produce_some(scene)
    path = scene.folder / "captured.json"
    before = groups(scene)
    _, said = capture(scene, "--last", "100", "--per-rule", "3", "--output", path)
    check_tests(scene, path)
    assert names(json.loads(path.read_text())) == [
        "signup, 1", "signup, 2", "signup, 3", "order, 1", "order, 2", "order, 3",
        "no rule matches, 1", "no rule matches, 2", "no rule matches, 3"]
    for original in ("Ada", "home.example.com", "1234567", "secret"):
        assert original not in path.read_text()
    assert "15 events read, 9 tests written" in said
    assert groups(scene) == before
    assert scene.group not in before
    assert all(offset is None or offset < 0 for offset in scene.committed("users").values())
    done = run_command("capture", "-c", config_file(scene), "--last", "1", "--output", path)
    assert done.returncode == 2 and "is there already" in done.stderr


def test_the_same_contact_is_the_same_in_all_tests_and_another_key_makes_another(scene):
    produce_some(scene)
    key = scene.folder / "key"
    key.write_text("sixteen bytes at least\n")
    tests, said = capture(scene, "--last", "100", "--key", key)
    again, _ = capture(scene, "--last", "100", "--key", key)
    other, random_said = capture(scene, "--last", "100")
    assert tests == again != other
    assert "random" not in said and "random" in random_said
    by_sku = {test["event"]["sku"]: test["event"]["email"] for test in tests if "sku" in test["event"]}
    ada0 = [test["event"] for test in tests if test["event"]["email"] == by_sku["S-0"] and "plan" in test["event"]]
    assert len(ada0) == 1 and ada0[0]["plan"] == "pro"


def test_since_takes_what_came_later(scene):
    produce_some(scene)
    tests, said = capture(scene, "--topic", scene.topic("orders"), "--since", "2026-01-01T00:00:02Z", "--raw")
    assert [test["event"]["sku"] for test in tests] == ["S-2"]
    assert tests[0]["event"]["email"] == "Ada.2@home.example.com"
    assert "Nothing was replaced" in said


def test_live_events_are_taken_until_there_are_enough(scene):
    produce_some(scene)
    process, said = start(scene, "--topic", scene.topic("users"), "--per-rule", "2", "--wait", "10m")
    scene.produce([user(n) for n in range(20, 26)], topic="users")
    tests = json.loads(end(process))
    assert process.returncode == 0
    assert names(tests) == ["signup, 1", "signup, 2"]
    assert "Interrupted" not in said.read_text()


def test_an_interrupt_writes_what_there_is(scene):
    produce_some(scene)
    process, said = start(scene, "--since", "2026-01-01T00:00:00Z", "--wait", "10m", "--per-rule", "100")
    process.send_signal(signal.SIGINT)
    tests = json.loads(end(process))
    assert process.returncode == 0
    assert len(tests) == 15
    assert "Interrupted. 15 events read, 15 tests written" in said.read_text()


def test_what_is_not_there_is_named(scene):
    scene.create_topics(users=1, orders=1)
    _, said = capture(scene, "--topic", "no-such-topic", "--last", "1", code=1)
    assert 'there is no topic "no-such-topic"' in said
    _, said = capture(scene, "--last", "5", code=1)
    assert "0 events read, 0 tests written" in said
