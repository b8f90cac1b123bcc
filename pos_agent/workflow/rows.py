"""What a row of the transition table is, and short words to write one. Pure."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

from pos_agent.workflow.actions import Action, copy_newest, in_order, open_newest, pop, push, toggle_locale
from pos_agent.workflow.guards import Guard
from pos_agent.workflow.states import State, Trigger


class Next(Enum):
    """Destinations that are not one state."""

    STAY = "stay"
    #: The state on top of the stack, below an overlay.
    BACK = "back"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One transition: in `state`, on `trigger`, if `guard`, do `action` and go to `next`.

    Rows of one (state, trigger) are tried in order; the first whose guard holds wins. A row with `ignored` does
    nothing at all and says why.
    """

    state: State
    trigger: Trigger
    next: State | Next = Next.STAY
    guard: Guard | None = None
    action: Action | None = None
    ignored: str = ""


#: Reasons of `ignore` rows.
FINISH_FIRST: Final = "dropped with an error beep: finish or cancel first"
NO_MEANING: Final = "the key means nothing here"
NOT_SHOWN: Final = "nothing of it is on the screen"
STALE: Final = "an answer to a question that nobody waits for any more"


def go(
    state: State, trigger: Trigger, target: State | Next, action: Action | None = None, *, when: Guard | None = None
) -> Row:
    """Return a row that leaves the state."""
    return Row(state=state, trigger=trigger, next=target, guard=when, action=action)


def stay(state: State, trigger: Trigger, action: Action | None = None, *, when: Guard | None = None) -> Row:
    """Return a row that does something and stays; without an action it draws the screen again."""
    return Row(state=state, trigger=trigger, guard=when, action=action)


def ignore(state: State, triggers: Iterable[Trigger], reason: str) -> list[Row]:
    """Return rows that do nothing, with the reason."""
    return [Row(state=state, trigger=trigger, ignored=reason) for trigger in triggers]


def redraw(state: State) -> list[Row]:
    """Return rows for a state that shows devices and facts."""
    return [stay(state, Trigger.DEVICE), stay(state, Trigger.UPDATE)]


def functions(state: State) -> list[Row]:
    """Return the rows of FN and F1–F4 over `state`."""
    return [
        go(state, Trigger.FN, State.FUNCTION, push(state)),
        go(state, Trigger.F1, State.HELP, push(state)),
        go(state, Trigger.F2, State.LAST, in_order(push(state), open_newest)),
        stay(state, Trigger.F3, copy_newest),
        stay(state, Trigger.F4, toggle_locale),
    ]


def closes(state: State, *triggers: Trigger) -> list[Row]:
    """Return rows that close an overlay."""
    return [go(state, trigger, Next.BACK, pop) for trigger in triggers]
