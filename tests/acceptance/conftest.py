import pathlib

import pytest

from fixtures import kafka, pytest_report_header, pytest_runtest_makereport, scene  # noqa: F401
from report import FOLDER, Results
from test_21_outages import hanging_resolver  # noqa: F401


def pytest_addoption(parser):
    parser.addoption("--keep", metavar="FOLDER", default=FOLDER, help="where results.md and plots go")


def pytest_configure(config):
    config.pluginmanager.register(Results(pathlib.Path(config.getoption("keep")).resolve()), "results")


@pytest.fixture
def results_folder(pytestconfig):
    return pytestconfig.pluginmanager.get_plugin("results").folder


@pytest.fixture
def tell(record_property):
    """tell(text) prints figures, and results.md has them."""
    def told(text):
        print(f"\n{text}")
        record_property("figures", text)
    return told
