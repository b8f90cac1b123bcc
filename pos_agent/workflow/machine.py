"""The refund menu as a pure machine: a trigger changes state and context and returns effects (D2).

Engine: the synchronous `transitions.Machine`, without automatic transitions; its callbacks only run the table's guards
and collect the actions' effects. No I/O, no clock, no randomness: it can be replayed and searched.
"""

from collections import defaultdict
from functools import cache
from typing import Any, cast

from transitions import EventData, Machine, MachineError

from pos_agent.errors import IllegalTriggerError
from pos_agent.workflow.effects import CancelLookUp, DropDraft, Effect, SaveDraft, Show, StartTimer
from pos_agent.workflow.guards import below
from pos_agent.workflow.model import Context, Input, Rules
from pos_agent.workflow.rows import Next, Row
from pos_agent.workflow.states import KEYS, RESUME_POINTS, TIMEOUTS_S, State, Trigger
from pos_agent.workflow.table import TABLE


class _Model:
    """What the engine moves; it adds `trigger` and `state`. Guards and actions find their machine through it."""

    state: State

    def __init__(self, machine: "RefundMachine") -> None:
        self.machine = machine


class RefundMachine:
    """The refund menu.

    Attributes:
        context: What was entered; data, read by views.
        rules: What the shop configured; read by guards and actions.
        effects: Collected by the actions of the trigger that is running.
    """

    def __init__(self, rules: Rules, *, initial: State, context: Context | None = None) -> None:
        self.context = context or Context()
        self.rules = rules
        self.effects: list[Effect] = []
        self._model = _Model(self)
        _engine().add_model(self._model, initial=initial)

    @property
    def state(self) -> State:
        """Return where the cashier is."""
        return self._model.state

    @property
    def timeout_s(self) -> float | None:
        """Return the state's time-out; None = it waits for ever."""
        return TIMEOUTS_S.get(self.state)

    def fire(self, trigger: Trigger, data: Input) -> list[Effect]:
        """Run one trigger.

        Returns:
            What is to be done, in order; empty for an ignored trigger.
        Raises:
            IllegalTriggerError: No row, or all guards refuse; nothing was changed.
        """
        before = self.state
        if (before, trigger) in _IGNORED:
            return []
        self.effects = []
        message, self.context.message = self.context.message, ""
        if not self._fire(trigger, data):
            self.context.message = message
            raise IllegalTriggerError(before.value, trigger.value)
        if trigger in (Trigger.DEVICE, Trigger.UPDATE) and before is self.state:
            self.context.message = message
        return [*self.effects, *self._following(before, trigger), Show()]

    def _fire(self, trigger: Trigger, data: Input) -> bool:
        """Return False if there is no row or all guards refuse; the engine tells the two apart, callers need not."""
        try:
            return bool(self._model.trigger(trigger.value, data=data))  # type: ignore[attr-defined]
        except MachineError:
            return False

    def _following(self, before: State, trigger: Trigger) -> list[Effect]:
        """Return the effects that follow from the change of state alone."""
        after, effects = self.state, list[Effect]()
        if after is not before or trigger in KEYS or trigger is Trigger.TIMEOUT:
            effects.append(StartTimer(TIMEOUTS_S.get(after)))
        if after is before:
            return effects
        if after in RESUME_POINTS:
            effects.append(SaveDraft())
        elif after is State.SCAN and before in RESUME_POINTS:
            effects.append(DropDraft("rescanned"))
        if before is State.LOOKUP and trigger in (Trigger.TIMEOUT,):
            effects.append(CancelLookUp())
        return effects


@cache
def _engine() -> Machine:
    """Return the engine, built once: a thousand rows take longer to set up than a whole refund to run."""
    return Machine(
        model=None,
        states=State,
        initial=State.LOGIN,
        transitions=[transition for row in TABLE if not row.ignored for transition in _expand(row)],
        auto_transitions=False,
        send_event=True,
    )


def _expand(row: Row) -> list[dict[str, Any]]:
    """Return the engine's form of a row; BACK becomes one transition for each state that can lie below."""
    if row.next is Next.BACK:
        return [_engine_row(row, state, is_back=True) for state in _PUSHED[row.state]]
    target = None if row.next is Next.STAY else row.next
    return [_engine_row(row, target, is_back=False)]


def _engine_row(row: Row, target: "State | Next | None", *, is_back: bool) -> dict[str, Any]:
    lies_over = below(target) if is_back and isinstance(target, State) else None

    def holds(event: EventData) -> bool:
        machine = cast("_Model", event.model).machine
        data = event.kwargs["data"]
        checks = (row.guard, lies_over)
        return all(check is None or check(machine.context, data, machine.rules) for check in checks)

    def act(event: EventData) -> None:
        machine = cast("_Model", event.model).machine
        if row.action is not None:
            machine.effects.extend(row.action(machine.context, event.kwargs["data"], machine.rules))

    return {
        "trigger": row.trigger.value,
        "source": row.state,
        "dest": target,
        "conditions": holds,
        "before": act,
    }


def _pushed() -> dict[State, list[State]]:
    """Return, for each overlay, the states that can lie right below it."""
    found: dict[State, list[State]] = defaultdict(list)
    for row in TABLE:
        if row.action is None or not isinstance(row.next, State):
            continue
        if f"over {row.state.value}" in row.action.__name__.split(", "):
            found[row.next].append(row.state)
    over_function = list(dict.fromkeys(found[State.FUNCTION]))
    for overlay in (State.HELP, State.LAST, State.QUEUE, State.POLICY, State.SERVICE, State.SHIFT):
        found[overlay] = list(dict.fromkeys([*found[overlay], *over_function]))
    return {overlay: list(dict.fromkeys(states)) for overlay, states in found.items()}


_PUSHED = _pushed()
_IGNORED = frozenset((row.state, row.trigger) for row in TABLE if row.ignored)
