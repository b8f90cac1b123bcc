"""The flight recorder: the last inputs of the menu and what they did, for a technician to run again.

A bounded ring in memory; nothing is written before somebody asks for it. What it holds is redacted when it is taken:
a scan comes here only after it was classified, so that of a payment code nothing but its kind and length exists here
(D14); digits typed where a PIN or a number is typed are stand-ins of the same length (field.md 9).
"""

from collections import deque
from copy import copy
from typing import Final

import msgspec

from pos_agent.domain import events as ev
from pos_agent.workflow.effects import Effect
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Context, Input, Rules
from pos_agent.workflow.states import State, Trigger

FORMAT: Final = 1
#: Inputs that are remembered: half an hour of a busy till, some hundred kilobytes once written.
RING: Final = 400
PIN_STATES: Final = frozenset({State.LOGIN, State.SUPERVISOR})
NUMBER_STATES: Final = frozenset({State.SCAN, State.FIND, State.ANSWER_DIGITS})
#: Digits of an amount beyond these are stand-ins too: no piece of a payment code is kept that could be one.
_AMOUNT_DIGITS: Final = 8
#: States in which nothing is under way: a replay can begin there.
CLEAN: Final = frozenset({State.LOGIN, State.MENU, State.NO_OPERATORS, State.SAFE})


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header"):
    """First line of an incident file.

    Attributes:
        cause: ``key`` or ``crash``.
        version: Of the agent that wrote it.
        rules: What the machine asks: policy, reasons, phrases.
    """

    format: int
    cause: str
    version: str
    rules: Rules


class Step(msgspec.Struct, kw_only=True, tag="step", omit_defaults=True):
    """One trigger.

    Attributes:
        at_s: Monotonic.
        after: State behind it; the same as `before` where a trigger was refused.
        effects: Names of what the machine asked for.
        data: The input, redacted.
        context: With a clean `before`: what the machine remembered, so that a replay can begin here.
    """

    at_s: float
    trigger: str
    before: State
    after: State
    effects: tuple[str, ...] = ()
    data: Input
    context: Context | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, tag="note"):
    """A device, the link or a slip: told for people, not replayed."""

    at_s: float
    what: str
    detail: str


_NOTED: Final = (
    ev.DeviceStatusChanged,
    ev.LinkChanged,
    ev.PrintJobEnded,
    ev.PrintJobPaused,
    ev.RequestHeld,
    ev.ScanGarbled,
)


class Recorder:
    """Remembers the last `RING` inputs of one machine."""

    def __init__(self, machine: RefundMachine) -> None:
        self._machine = machine
        self._ring: deque[Step | Note] = deque(maxlen=RING)

    def note(self, event: ev.Event, at_s: float) -> None:
        """Remember what a device, the link or a slip said; other events come as triggers or not at all."""
        if isinstance(event, _NOTED):
            self._ring.append(Note(at_s=at_s, what=type(event).__name__, detail=repr(event)))

    def before(self, trigger: Trigger, data: Input, at_s: float) -> Step:
        """Remember a trigger that is about to fire; give the step to `after`."""
        state, context = self._machine.state, self._machine.context
        kept = copy(data)
        kept.pin = _without_number(data.pin)
        kept.facts, kept.draft = copy(data.facts), copy(data.draft)
        kept.key = _redacted(state, context, data.key) if trigger is Trigger.DIGIT else data.key
        step = Step(
            at_s=at_s,
            trigger=trigger.value,
            before=state,
            after=state,
            data=kept,
            context=_clean(context) if state in CLEAN else None,
        )
        self._ring.append(step)
        return step

    def after(self, step: Step, effects: list[Effect]) -> None:
        """Remember what the trigger did."""
        step.after = self._machine.state
        step.effects = tuple(type(effect).__name__ for effect in effects)

    def encoded(self, cause: str, *, max_bytes: int) -> bytes:
        """Return an incident file: JSON, one line a record, the oldest left out beyond `max_bytes`."""
        rules = self._machine.rules
        encoder = msgspec.json.Encoder()
        header = encoder.encode(Header(format=FORMAT, cause=cause, version=rules.version, rules=rules)) + b"\n"
        room, lines = max_bytes - len(header), list[bytes]()
        for record in reversed(self._ring):
            line = encoder.encode(record) + b"\n"
            if len(line) > room:
                break
            room -= len(line)
            lines.append(line)
        return header + b"".join(reversed(lines))


def _redacted(state: State, context: Context, key: str) -> str:
    if state in PIN_STATES:
        return "*"
    if state in NUMBER_STATES or len(context.typed) >= _AMOUNT_DIGITS:
        return "0"
    return key


def _without_number(pin: ev.PinChecked | None) -> ev.PinChecked | None:
    """Hide the number of a wrong sign-in: somebody may have typed the PIN in its place."""
    if pin is None or pin.is_right:
        return pin
    return msgspec.structs.replace(pin, operator_no="*" * len(pin.operator_no))


def _clean(context: Context) -> Context:
    """Return who is signed in and how; what is typed at LOGIN only as long as it is."""
    return Context(
        locale=context.locale,
        operator_no=context.operator_no,
        operator_role=context.operator_role,
        operator_person=context.operator_person,
        auth_no="*" * len(context.auth_no),
        typed="*" * len(context.typed),
        pin="*" * len(context.pin),
        is_checking=context.is_checking,
        is_training=context.is_training,
    )
