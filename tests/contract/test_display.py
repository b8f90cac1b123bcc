"""drivers.contract.display on this repository's drivers; the rigs are in conftest.py."""

from drivers.contract.display import *  # noqa: F403 - the tests themselves
