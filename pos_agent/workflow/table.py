"""The refund menu as a table of data (D2, D3). Pure.

Every state has a row for TIMEOUT, CANCEL, CLEAR, SCAN, DEVICE and UPDATE; `ignore` with a reason is a legal row,
silence is not. The diagram in docs/workflow-diagram.md is generated from here.
"""

from typing import Final

from pos_agent.workflow import table_codes, table_menus, table_refund
from pos_agent.workflow.rows import Row
from pos_agent.workflow.states import State, Trigger

TABLE: Final[tuple[Row, ...]] = (*table_menus.rows(), *table_codes.rows(), *table_refund.rows())


def rows_of(state: State, trigger: Trigger) -> tuple[Row, ...]:
    """Return the rows of one cell, in the order in which they are tried."""
    return tuple(row for row in TABLE if row.state is state and row.trigger is trigger)
