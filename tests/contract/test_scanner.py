"""drivers.contract.scanner on this repository's drivers; the rigs are in conftest.py."""

from drivers.contract.scanner import *  # noqa: F403 - the tests themselves
