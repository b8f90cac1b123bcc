"""The state diagram of the refund menu, drawn from the table: `python -m pos_agent.workflow.diagram`.

Writes Mermaid to standard output; docs/workflow-diagram.md is this text, and drift fails a test. Pure but for `main`.
"""

import sys
from collections import defaultdict

from pos_agent.workflow.rows import Next, Row
from pos_agent.workflow.states import TIMEOUTS_S, State
from pos_agent.workflow.table import TABLE

_HEAD = """# Refund menu: states and transitions

Generated from `pos_agent/workflow/table.py` by `python -m pos_agent.workflow.diagram`; do not edit.
`(back)` is the state below an overlay. Rows that stay in their state and ignored rows are left out.
"""


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
        if row.ignored or row.next in (Next.STAY, row.state):
            continue
        target = "(back)" if row.next is Next.BACK else str(row.next.value)
        moves[(row.state.value, "back" if target == "(back)" else target)].append(_label(row))
    return moves


def _label(row: Row) -> str:
    words = row.trigger.value
    return words if row.guard is None else f"{words} [{row.guard.__name__.replace('_', ' ')}]"


def main() -> None:
    """Print the page."""
    sys.stdout.write(diagram())


if __name__ == "__main__":
    main()
