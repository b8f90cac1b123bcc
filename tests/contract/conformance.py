"""`-p tests.contract.conformance`: the plugin of `drivers.contract.conformance`, by its name in this repository."""

from drivers.contract.conformance import pytest_addoption, pytest_runtest_makereport, pytest_sessionfinish, rule

__all__ = ["pytest_addoption", "pytest_runtest_makereport", "pytest_sessionfinish", "rule"]
