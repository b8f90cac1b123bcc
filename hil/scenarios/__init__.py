"""Scripts that play a whole story over the bench API, and nothing else."""

from hil.scenarios.play import SCENARIOS, play

__all__ = ["SCENARIOS", "play"]
