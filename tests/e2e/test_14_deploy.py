"""docker/ and deploy/: the configurations in them pass `check`, the numbers and names in them fit one another, and
the containers' configuration makes contacts of the containers' sample events."""

import re
import shutil
import subprocess

from harness import HANG_GUARD_S, ROOT
from worker import Worker, run_command

DOCKER, KUBERNETES, SYSTEMD = ROOT / "docker", ROOT / "deploy/kubernetes", ROOT / "deploy/systemd"


def check(path):
    done = run_command("check", "-c", path, "--strict")
    assert done.returncode == 0, f"{path}:\n{done.stdout}{done.stderr}"


def block_texts(path):
    """[(name, text)] of the texts that stand as `name: |`, or in a list as `- |`, in a YAML file."""
    found, lines = [], path.read_text().splitlines()
    for at, line in enumerate(lines):
        opened = re.match(r"( *)(?:([\w.-]+):|-) \|$", line)
        if not opened:
            continue
        body = []
        for inner in lines[at + 1:]:
            if inner.strip() and len(inner) - len(inner.lstrip()) <= len(opened[1]):
                break
            body.append(inner)
        indent = min(len(inner) - len(inner.lstrip()) for inner in body if inner.strip())
        found.append((opened[2], "\n".join(inner[indent:] for inner in body) + "\n"))
    return found


def config_map(folder):
    """The files of the ConfigMap, written to FOLDER."""
    texts = dict(block_texts(KUBERNETES / "configmap.yaml"))
    assert set(texts) == {"sendx-worker.conf", "rules.conf"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder / "sendx-worker.conf"


def drain_timeout_s(path):
    """drain_timeout as `config` prints it, defaults included."""
    done = run_command("config", "-c", path, env={"KAFKA": "x:9092", "SENDX_BASE_URL": "https://sandbox.example.com"})
    assert done.returncode == 0, done.stderr
    return int(re.search(r'drain_timeout = "(\d+)s"', done.stdout)[1])


def only_number(pattern, path):
    (number,) = re.findall(pattern, path.read_text(), re.MULTILINE)
    return int(number)


# --- Kubernetes --------------------------------------------------------------------------------------

def test_the_config_map_passes_check(tmp_path):
    check(config_map(tmp_path))


def test_kubernetes_waits_longer_than_the_worker_drains(tmp_path):
    grace = only_number(r"^ *terminationGracePeriodSeconds: (\d+)", KUBERNETES / "deployment.yaml")
    assert grace > drain_timeout_s(config_map(tmp_path))


def test_every_secret_of_the_config_map_comes_from_the_example_secret():
    conf = dict(block_texts(KUBERNETES / "configmap.yaml"))["sendx-worker.conf"]
    deployment = (KUBERNETES / "deployment.yaml").read_text()
    wanted = set(re.findall(r"\$\{env:(\w+)\}", conf))
    given = dict(re.findall(r"- name: (\w+)\n +valueFrom:\n +secretKeyRef:\n +name: sendx-worker\n +key: ([\w-]+)",
                            deployment))
    held = set(re.findall(r"^  ([\w-]+): REPLACE-", (KUBERNETES / "secret.example.yaml").read_text(), re.MULTILINE))
    assert wanted == set(given)
    assert held == set(given.values())


def test_the_image_is_named_by_the_version():
    version = (ROOT / "VERSION").read_text().strip()
    assert f"image: sendx-worker:{version}\n" in (KUBERNETES / "deployment.yaml").read_text()


def test_yaml_files_are_regular():
    """What can be said without a YAML library: no tabs, even indents, every line a key, an item or a comment."""
    for path in [*KUBERNETES.glob("*.yaml"), DOCKER / "compose.yaml"]:
        inside = {line.strip() for _, text in block_texts(path) for line in text.splitlines()}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = line.strip()
            if not text or text in inside or text.startswith("#"):
                continue
            regular = re.match(r"(  )*(- .|(- )?[\w./-]+:( \S|$))", line)
            assert regular and "\t" not in line, f"{path}:{number}: {line}"


# --- systemd -----------------------------------------------------------------------------------------

def test_systemd_waits_longer_than_the_worker_drains():
    unit = SYSTEMD / "sendx-worker.service"
    assert only_number(r"^TimeoutStopSec=(\d+)s", unit) > drain_timeout_s(ROOT / "conf/sendx-worker.conf")


def test_the_unit_is_understood_by_systemd(tmp_path):
    """Where systemd is there to ask. It looks for the program, too, which is not installed here."""
    text = (SYSTEMD / "sendx-worker.service").read_text()
    assert re.search(r"^ExecStart=/usr/local/bin/sendx-worker run -c (\S+)$", text, re.MULTILINE)
    assert "RestartPreventExitStatus=2\n" in text
    if not shutil.which("systemd-analyze"):
        return
    unit = tmp_path / "sendx-worker.service"
    unit.write_text(text.replace("/usr/local/bin/sendx-worker", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True,
                          timeout=HANG_GUARD_S)
    assert "sendx-worker.service" not in done.stderr, done.stderr


# --- containers --------------------------------------------------------------------------------------

def compose_environment():
    """The worker's environment in compose.yaml."""
    worker = re.search(r"^  worker:\n(.*?)^  \w", (DOCKER / "compose.yaml").read_text(), re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^      ([A-Z_]+): (\S+)$", worker, re.MULTILINE))


def test_the_containers_wait_longer_than_the_worker_drains(tmp_path):
    shutil.copy(DOCKER / "sendx-worker.conf", tmp_path)
    shutil.copy(ROOT / "conf/rules.conf", tmp_path)
    grace = only_number(r"^ *stop_grace_period: (\d+)s", DOCKER / "compose.yaml")
    assert grace > drain_timeout_s(tmp_path / "sendx-worker.conf")


def test_the_containers_make_contacts_of_their_sample_events(scene):
    """docker/sendx-worker.conf with conf/rules.conf and docker/events, by the environment of compose.yaml; only the
    addresses and the names of topics are this test's."""
    topics = [path.name for path in sorted((DOCKER / "events").iterdir())]
    scene.create_topics(**{name.replace(".", "_"): 2 for name in topics})
    text = (ROOT / "conf/rules.conf").read_text()
    for name in topics:
        assert f'"{name}"' in text
        text = text.replace(f'"{name}"', f'"{scene.topic(name.replace(".", "_"))}"')
    (scene.folder / "rules.conf").write_text(text)
    conf = (DOCKER / "sendx-worker.conf").read_text().replace('group_id = "sendx-worker"', f'group_id = "{scene.group}"')
    env = compose_environment()
    assert set(env) == set(re.findall(r"\$\{env:(\w+)\}", conf))
    # The sandbox of the tests has another key.
    env = {"KAFKA": scene.kafka.address, "SENDX_BASE_URL": scene.sandbox.base_url()}
    worker = Worker(conf, scene.folder, env=env)
    for name in reversed(topics):  # registrations first, as they happen
        lines = (DOCKER / "events" / name).read_text().splitlines()
        pairs = [line.split("|", 1) for line in lines]
        scene.produce([(0, key.encode(), value.encode()) for key, value in pairs], name.replace(".", "_"))
        scene.kafka.wait_until_finished(scene.group, [scene.topic(name.replace(".", "_"))], worker)
    worker.stop()
    contacts = scene.sandbox.contacts()
    assert set(contacts) == {"ada@example.com", "grace@example.com"}
    assert contacts["ada@example.com"]["tags"] == [
        "registered", "source: search", "beta", "likes music", "likes chess", "paid user"]
    assert contacts["grace@example.com"]["tags"] == ["registered", "trial user"]


def test_the_dockerfile_copies_what_there_is():
    text = (DOCKER / "Dockerfile").read_text()
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}\n" in (DOCKER / "Dockerfile.dockerignore").read_text()
    packages = set(re.search(r"^PKGS +:= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    assert packages == {"rdkafka", "libcurl", "jansson", "libconfig", "libpcre2-8", "libmicrohttpd"}, \
        "docker/Dockerfile installs these libraries: adapt it, and this line"
    for stage in ("build", "sandbox", "worker"):
        assert f" AS {stage}\n" in text
    assert text.count("\nUSER ") == 2 and "\nHEALTHCHECK" not in text
