"""drivers.contract.printer on this repository's drivers; the rigs are in conftest.py."""

from drivers.contract.printer import *  # noqa: F403 - the tests themselves
