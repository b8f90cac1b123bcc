"""The state diagram of the refund menu, drawn from the table: `python -m pos_agent.workflow.diagram`.

Writes Mermaid to standard output; docs/workflow-diagram.md is this text, and drift fails a test. Pure but for `main`.
"""

import sys
from collections import defaultdict

from pos_agent.workflow.rows import Next, Row
from pos_agent.workflow.states import TIMEOUTS_S, State, Trigger
from pos_agent.workflow.table import TABLE

_HEAD = """# Refund menu: states and transitions

Generated from `pos_agent/workflow/table.py` by `python -m pos_agent.workflow.diagram`; do not edit.
`back` is the state below an overlay. Left out: rows that stay in their state, ignored rows, and FN, F1 and F2, which
open FUNCTION, HELP and LAST over nearly every state before SAVING.
"""

_OVERLAYS = frozenset({Trigger.FN, Trigger.F1, Trigger.F2})


def diagram() -> str:
    """Return the page: a Mermaid diagram of all moves, and the time-outs."""
    lines = [_HEAD, "```mermaid", "stateDiagram-v2", "    [*] --> LOGIN"]
    for (source, target), labels in sorted(_moves().items()):
        lines.append(f"    {source} --> {target}: {', '.join(dict.fromkeys(labels))}")
    lines += ["```", "", "| state | time-out, s |", "|---|---|"]
    lines += [f"| {state.value} | {_timeout(state)} |" for state in State]
    return "\n".join(lines) + "\n"


def _timeout(state: State) -> str:
    timeout_s = TIMEOUTS_S.get(state)
    return "none" if timeout_s is None else f"{timeout_s:g}"


def _moves() -> dict[tuple[str, str], list[str]]:
    moves: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in TABLE:
        if (
            row.ignored
            or row.next in (Next.STAY, row.state)
            or (row.trigger in _OVERLAYS and row.next is not Next.BACK)
        ):
            continue
        moves[(row.state.value, str(row.next.value))].append(_label(row))
    return moves


def _label(row: Row) -> str:
    words = row.trigger.value
    return words if row.guard is None else f"{words} [{row.guard.__name__.replace('_', ' ')}]"


def main() -> None:
    """Print the page."""
    sys.stdout.write(diagram())


if __name__ == "__main__":
    main()
