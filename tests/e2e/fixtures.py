"""Fixtures of the end to end and of the acceptance tests."""

import re
import time

import pytest

from harness import BUILD, Process
from kafka import Kafka
from scene import Scene, logs_of_test
from tls import Authority


def pytest_report_header():
    return f"programs under test: {BUILD}"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory):
    """The real Kafka, one for the session; topics and groups have the names of their tests."""
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "sendx-worker test authority")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other-authority"), "another authority")


@pytest.fixture
def scene(request, tmp_path, kafka):
    """The test's own world; all that it started is ended afterwards."""
    Process.started.clear()
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    # Unique, too, where one test runs twice against one Kafka.
    yield Scene(kafka, tmp_path, f"{name}-{time.time_ns() // 1000 % 10**9}")
    for process in reversed(Process.started):
        process.end(patience=3)
    Process.started.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and report.failed:
        for title, text in logs_of_test():
            report.sections.append((title, text))
    return report
