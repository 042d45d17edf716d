"""What must not be seen: keys and whole e-mail addresses in logs, argument lists and printed settings."""

import json
import signal

from harness import wait_until
from sandbox import API_KEY
from tls import TlsProxy
from worker import ANY_PORT, run_command

SECRET = "hunter-2-secret-4711"


def test_no_key_and_no_whole_address_in_log_or_argument_list(scene):
    """At the chattiest level, with failures whose replies repeat the key and the address."""
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=40, contacts=8, partitions=2)
    scene.produce(records)
    scene.produce([(0, b"user1@example.com", b'{"email": "user1@example.com", nonsense'),
                   (1, b"k", b'{"email": "user2@example.com extra"}')])
    for n, status in enumerate((500, 503)):
        scene.sandbox.fault(share=0.2, seed=n + 1, count=20, status=status,
                            body=f'{{"message": "user3@example.com may not with {API_KEY}"}}')
    scene.sandbox.fault(email="user5@example.com", status=422, body=f'{{"message": "user5@example.com, {API_KEY}"}}')
    worker = scene.start_worker(log={"level": "debug"}, dead_letter={"topic": ""})
    wait_until("the others' calls and both holds",
               lambda: worker.check_running() or (
                   sum(email != "user5@example.com" and ids == expected[email] for email, ids in scene.delivered().items()) == 7
                   and len(worker.lines("event.held")) >= 2), show=worker.log_text)
    with open(f"/proc/{worker.pid}/cmdline") as cmdline:
        arguments = cmdline.read()
    worker.stop()
    log = worker.log_text() + worker.out_path.read_text()
    for text, where in ((arguments, "the argument list"), (log, "the log")):
        assert API_KEY not in text, f"the key stands in {where}"
        for email in [*expected, "user2@example.com extra"]:
            assert email not in text, f"{email} stands in {where}: {line_with(text, email)}"
            assert email.replace("@", "%40") not in text, f"{email}, encoded, stands in {where}"
    assert worker.lines("http.log"), "libcurl's texts are expected in it"
    assert "@example.com" in log, "masked addresses are expected to help, not to be absent"


def line_with(text, part):
    return next(line for line in text.splitlines() if part in line)


def test_what_libcurl_says_shows_no_key_and_no_address_over_http_2_either(scene, authority):
    """There libcurl tells each header, the key's and the path with the address among them, as a text of its own.
    The level comes and goes by reloads."""
    scene.create_topics(events=1)
    nginx = TlsProxy(scene.folder, scene.sandbox.address, authority.certificate("api", "IP:127.0.0.1"))
    settings = {"base_url": scene.sandbox.base_url(address=nginx.address, scheme="https"),
                "account": {"ca_file": str(authority.ca_file)},
                "rules": f'email = "${{email}}"; rules: ( {{ name = "one"; topics = [ "{scene.topic()}" ];'
                         ' track: { addTags = [ "${id}" ]; }; } );'}
    worker = scene.start_worker(**settings)

    def call(first):
        scene.produce([(0, b"k", json.dumps({"email": f"user{n}@example.com", "id": f"e{n}"}).encode())
                       for n in range(first, first + 20)])
        scene.wait_until_finished(worker)

    def reload(level, generation):
        worker.config_path.write_text(scene.config(log={"level": level}, **settings))
        worker.send(signal.SIGHUP)
        worker.wait_for("config.reloaded", generation=generation)
    call(0)
    assert not worker.lines("http.log")
    reload("debug", 2)
    call(20)
    assert worker.lines("http.log", account="main")
    reload("info", 3)
    before = len(worker.lines("http.log"))
    call(40)
    assert len(worker.lines("http.log")) == before
    worker.stop()
    assert set(nginx.protocols()) == {"HTTP/2.0"}
    log = worker.log_text()
    assert API_KEY not in log
    for n in range(60):
        assert f"user{n}@" not in log and f"user{n}%40" not in log, line_with(log, f"user{n}")


ODD = "carol.odd@example.com"
ODD_RULES = """
email = "${{email}}";
rules: (
  {{ name = "one"; topics = [ "{topic}" ]; when = "kind != 'bad'";
    identify: {{ firstName = "${{id}}"; tags = [ "tag {odd}", "${{email}}", "${{email | upper}}" ];
                customFields = ( ("Field {odd}", "${{email}}") ); }}; }},
  {{ name = "two"; topics = [ "{topic}" ]; when = "kind == '{odd}'";
    track: {{ addTags = [ "${{['{odd}']}}", "${{user['{odd}'] ?? @headers['{odd}']}}" ]; }}; }},
  {{ name = "broken"; topics = [ "{topic}" ]; when = "kind == 'bad'"; email = "no address: ${{email}}"; identify: {{ }}; }}
);
"""


def test_no_address_comes_out_whatever_it_hides_in(scene):
    """In the name of a field, of a tag, of a header, in the configuration (names of rules and accounts with one are refused), in a key, a trace, a reply, a
    path that is asked for, a bearer token: every answer, the log, and what the commands print."""
    scene.create_topics(events=1)
    headers = [("traceparent", f"00-{ODD}".encode()), ("x-user", ODD.encode()), (ODD, ODD.encode())]
    records = [(0, ODD.encode(), json.dumps({"email": ODD, "id": f"e{n}", "kind": kind, ODD: ODD}).encode(), None, headers)
               for n, kind in enumerate(["plain", ODD, "bad", "plain"])]
    scene.kafka.produce(scene.topic(), records + [(0, ODD.encode(), f'{{"email": "{ODD}", nonsense {ODD}'.encode())])
    scene.sandbox.fault(email=ODD, status=422, count=1, body=json.dumps({"message": f"{ODD} and {ODD.replace('@', '%40')}"}))
    scene.sandbox.fault(email=ODD, status=500, count=3, body=json.dumps({"message": ODD}))
    worker = scene.start_worker(rules=ODD_RULES.format(odd=ODD, topic=scene.topic()), admin=ANY_PORT, log={"level": "debug"})
    scene.wait_until_finished(worker)
    url = f"http://{worker.admin.address}"
    seen = {path: "\n".join([str(headers), body]) for path in (
        "/metrics", "/status.json", "/livez", "/readyz", "/", f"/{ODD}", f"/metrics?email={ODD}")
        for _, headers, body in [worker.admin.get(path, token=ODD)]}
    for name, arguments in {"top": ("top", "--once", "--url", url), "probe": ("probe", "--url", url)}.items():
        done = run_command(*arguments)
        seen[name] = done.stdout + done.stderr
    worker.stop()
    seen["the log"] = worker.log_text() + worker.out_path.read_text()
    assert "dead_lettered=3" in seen["the log"], "a part of it did not happen"
    found = {where: line_with(text.lower(), shape) for where, text in seen.items()
             for shape in (ODD, ODD.replace("@", "%40")) if shape in text.lower()}
    assert not found, found
    assert "c***@example.com" in seen["/status.json"] and "c***@example.com" in seen["/metrics"]


def test_printed_settings_mask_secrets(scene):
    scene.topics = {"events": "never-used"}
    path = scene.config_file(kafka={"sasl_password": SECRET, "ssl_key_password": SECRET})
    done = run_command("config", "-c", path)
    assert done.returncode == 0, done.stderr
    assert API_KEY not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    for name in ("bootstrap_servers", "group_id", "base_url", "max_in_flight", "commit_interval", "retry_max"):
        assert name in done.stdout, f"{name} is not printed:\n{done.stdout}"


def test_a_key_from_a_file_loses_its_newline_and_stays_secret(scene):
    scene.create_topics(events=1)
    (scene.folder / "key").write_text(API_KEY + "\n")
    records, expected = scene.one_call_history(events=5, contacts=5, partitions=1)
    scene.produce(records)
    worker = scene.start_worker(account={"api_key": "${file:" + str(scene.folder / "key") + "}"}, env={"SENDX_API_KEY": ""})
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected)
    assert API_KEY not in worker.log_text()
