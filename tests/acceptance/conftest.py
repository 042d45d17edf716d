from fixtures import kafka, pytest_report_header, pytest_runtest_makereport, scene  # noqa: F401
