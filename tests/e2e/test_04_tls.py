"""The API over TLS with an authority of our own: verified, and refused where it is not trusted."""

import pytest

from harness import wait_until
from relay import Relay
from tls import TlsProxy
from worker import run_command


def test_a_trusted_certificate_is_accepted_and_http_2_spoken(scene, authority):
    scene.create_topics(events=2)
    records, expected = scene.one_call_history(events=100, contacts=20, partitions=2)
    scene.produce(records)
    nginx = TlsProxy(scene.folder, scene.sandbox.address, authority.certificate("api", "IP:127.0.0.1"))
    worker = scene.start_worker(base_url=scene.sandbox.base_url(address=nginx.address, scheme="https"),
                                account={"ca_file": str(authority.ca_file)})
    scene.wait_until_finished(worker)
    worker.stop()
    scene.check_delivered(expected)
    assert set(nginx.protocols()) == {"HTTP/2.0"}


@pytest.mark.parametrize("why", ["unknown authority", "another host's name", "no ca_file"])
def test_an_untrusted_certificate_is_refused_and_nothing_is_lost(scene, authority, other_authority, why):
    scene.create_topics(events=1)
    records, expected = scene.one_call_history(events=20, contacts=5, partitions=1)
    scene.produce(records)
    name = "DNS:elsewhere.example.com" if why == "another host's name" else "IP:127.0.0.1"
    nginx = TlsProxy(scene.folder, scene.sandbox.address, authority.certificate("refused", name))
    relay = Relay(nginx.address)  # counts the attempts
    ca_file = {"unknown authority": other_authority.ca_file, "no ca_file": ""}.get(why, authority.ca_file)
    worker = scene.start_worker(base_url=scene.sandbox.base_url(address=relay.address, scheme="https"),
                                account={"ca_file": str(ca_file)}, delivery={"drain_timeout": "2s"})
    wait_until("four attempts", lambda: worker.check_running() or relay.connections >= 4, show=worker.log_text)
    assert scene.committed() in ({0: None}, {0: 0})
    # No call can be finished, so the drain may also end at its deadline.
    worker.stop(codes=(0, 1))
    assert scene.sandbox.requests() == []

    trusting = scene.start_worker("trusting")  # the same group, straight to the sandbox
    scene.wait_until_finished(trusting)
    trusting.stop()
    scene.check_delivered(expected)


def test_plain_http_to_another_host_is_refused_at_start(scene):
    scene.topics = {"events": "never-used"}
    path = scene.config_file(base_url="http://api.example.com/api/v1")
    done = run_command("run", "-c", path)
    assert done.returncode == 2, done.stderr
    assert "base_url" in done.stderr and "allow_plaintext" in done.stderr and f"{path.name}:" in done.stderr, done.stderr
