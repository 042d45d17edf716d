"""probe and top, which ask a running worker."""

from harness import wait_until
from terminal import Terminal
from worker import ANY_PORT, run_command

TOKEN = "top-token-55120"


def events(scene, count):
    records, _ = scene.one_call_history(events=count, contacts=20, partitions=2)
    scene.produce(records)


def test_probe_says_by_its_exit_status_whether_the_worker_is_ready(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker(admin=ANY_PORT)
    url = f"http://{worker.admin.address}"
    wait_until("ready", lambda: run_command("probe", "--url", url).returncode == 0)
    done = run_command("probe", "--url", url)
    assert done.stdout == "2 partitions are assigned\n" and not done.stderr
    assert run_command("probe", "--live", "--url", url).returncode == 0
    # Proxies are for the way to SendX.
    assert run_command("probe", "--url", url, env={"http_proxy": "http://127.0.0.1:1"}).returncode == 0
    worker.stop()
    done = run_command("probe", "--url", url)
    assert done.returncode == 1 and worker.admin.address in done.stderr, done.stderr


def test_the_configuration_says_where_to_ask_and_with_which_token(scene):
    scene.create_topics(events=1)
    worker = scene.start_worker(admin={"listen": "127.0.0.1:0", "token": TOKEN})
    worker.wait_assigned(scene.partitions)
    path = scene.config_file("asking", admin={"listen": worker.admin.address, "token": TOKEN})
    assert run_command("probe", "-c", path).returncode == 0
    everywhere = scene.config_file("everywhere", admin={
        "listen": f"0.0.0.0:{worker.admin.address.split(':')[1]}", "token": TOKEN})
    assert run_command("probe", "-c", everywhere).returncode == 0
    url = f"http://{worker.admin.address}/"
    done = run_command("probe", "--url", url)
    assert done.returncode == 1 and "SENDX_WORKER_TOKEN" in done.stderr and TOKEN not in done.stderr
    assert run_command("top", "--once", "--url", url).returncode == 1
    assert run_command("probe", "--url", url, env={"SENDX_WORKER_TOKEN": TOKEN}).returncode == 0
    for arguments in ((), ("-c", path, "--url", url), ("-c", scene.config_file("none", admin={"listen": ""})),
                      ("-c", scene.config_file("any", admin=ANY_PORT)), ("--url", url, "more")):
        assert run_command("probe", *arguments).returncode == 2, arguments
    worker.stop()


def test_top_prints_what_the_status_says(scene):
    scene.create_topics(events=2)
    scene.sandbox.fault(email="user3@example.com", status=503, body='{"message": "late\\u001b[2J"}')
    events(scene, 200)
    worker = scene.start_worker(admin=ANY_PORT)
    url = f"http://{worker.admin.address}"
    wait_until("a wait", lambda: worker.admin.status()["retrying"] and worker.admin.status()["events"]["delivered"] == 190)

    def printed():
        done = run_command("top", "--once", "--url", url)
        assert done.returncode == 0, done.stderr
        return done.stdout if "not known" not in done.stdout else None
    text = wait_until("the ends", printed)
    lines = text.splitlines()
    assert lines[0].startswith("sendx-worker ") and scene.group in lines[0] and "running" in lines[0]
    assert "behind 10" in lines[1]
    assert "consumed 200  pending 10  delivered 190" in text
    assert any(line.startswith("one call ") and " 200 " in line for line in lines)
    assert sum(line.startswith(f"{scene.topic()}/") for line in lines) == 2
    assert "u***@example.com" in text and "user3" not in text and "\x1b" not in text
    scene.sandbox.end_faults()
    scene.wait_until_finished(worker)
    worker.stop()


def test_top_in_a_terminal_is_redrawn_until_it_is_interrupted(scene):
    scene.create_topics(events=2)
    worker = scene.start_worker(admin=ANY_PORT)
    worker.wait_assigned(scene.partitions)
    with Terminal("top", "--url", f"http://{worker.admin.address}") as terminal:
        def has_drawn(count):
            return terminal.read().count(b"\x1b[H") >= count
        wait_until("two pictures", lambda: has_drawn(2))
        worker.stop()
        wait_until("it to say so", lambda: b"No answer" in terminal.read())
        terminal.interrupt()
        assert terminal.wait() == 0
    assert terminal.seen.endswith(b"\x1b[?25h\x1b[?1049l"), terminal.seen[-80:]


def test_top_of_something_else_says_so(scene):
    done = run_command("top", "--once", "--url", scene.sandbox.base_url())
    assert done.returncode == 1 and "no status of a worker" in done.stderr, done.stderr
