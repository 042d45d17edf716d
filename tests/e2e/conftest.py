from fixtures import (authority, kafka, other_authority, pytest_report_header,  # noqa: F401
                      pytest_runtest_makereport, scene)
