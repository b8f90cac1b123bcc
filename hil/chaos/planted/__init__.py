"""Twelve bugs that the checker must catch (trust.md 20), planted into child processes from outside.

``PYTHONPATH`` leads a child to `sitecustomize` here, which Python imports by itself at start; ``POS_AGENT_PLANT`` names
the bug. Nothing of this is known to the product, and nothing of it is in the wheel.
"""

from pathlib import Path

VARIABLE = "POS_AGENT_PLANT"
_ROOT = Path(__file__).resolve().parents[3]


def environment(bug: str) -> dict[str, str]:
    """Return the variables that plant a bug into a child.

    Raises:
        KeyError: No such bug.
    """
    from hil.chaos.planted.bugs import BUGS  # noqa: PLC0415 - children import this package before anything else

    if bug not in BUGS:
        raise KeyError(bug)
    return {VARIABLE: bug, "PYTHONPATH": f"{Path(__file__).parent}:{_ROOT}"}
