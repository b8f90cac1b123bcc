"""drivers.contract.device on this repository's drivers; the rigs are in conftest.py."""

from drivers.contract.device import *  # noqa: F403 - the tests themselves
