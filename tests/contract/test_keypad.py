"""drivers.contract.keypad on this repository's drivers; the rigs are in conftest.py."""

from drivers.contract.keypad import *  # noqa: F403 - the tests themselves
