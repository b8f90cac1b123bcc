"""Waiting for a condition in tests, with a time-out; never a fixed sleep."""

from drivers.contract.rig import until

__all__ = ["until"]
