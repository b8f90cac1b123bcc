"""Runs an incident file again on the pure machine and says where it goes another way. Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec

from pos_agent.errors import IllegalTriggerError, IncidentFileError, RemoteProtocolError
from pos_agent.protocol.limits import refuse_unusable
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.recorder import FORMAT, PIN_STATES, Header, Note, Step
from pos_agent.workflow.states import Trigger

_TRIGGERS: Final = {trigger.value: trigger for trigger in Trigger}


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One record, played.

    Attributes:
        found: State that the machine is in now; empty for what is not replayed (notes, and steps before the first
            clean state).
        difference: What went another way than recorded; empty = the same.
    """

    record: Step | Note
    found: str = ""
    difference: str = ""


def read_incident(data: bytes) -> tuple[Header, list[Step | Note]]:
    """Read an incident file.

    Raises:
        IncidentFileError: It is none, is damaged, or has a newer format.
    """
    lines = data.splitlines()
    try:
        header = msgspec.json.decode(lines[0] if lines else b"", type=Header)
        records = [msgspec.json.decode(line, type=Step | Note) for line in lines[1:]]
        for struct in (header, *records):
            refuse_unusable(struct)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RemoteProtocolError) as error:
        raise IncidentFileError(f"no incident file: {error}") from error
    if header.format != FORMAT:
        raise IncidentFileError(f"format {header.format}, this version reads {FORMAT}")
    return header, records


def replay(header: Header, records: list[Step | Note]) -> Iterator[Played]:
    """Yield every record with what the machine of this version makes of it."""
    machine: RefundMachine | None = None
    for record in records:
        if isinstance(record, Note):
            yield Played(record=record)
            continue
        if machine is None and record.context is not None:
            machine = RefundMachine(header.rules, initial=record.before, context=record.context)
        yield Played(record=record) if machine is None else _play(machine, record)


def _play(machine: RefundMachine, step: Step) -> Played:
    trigger = _TRIGGERS.get(step.trigger)
    if trigger is None:
        return Played(record=step, found=machine.state.value, difference=f"no trigger {step.trigger} any more")
    try:
        effects = tuple(type(effect).__name__ for effect in machine.fire(trigger, step.data))
    except IllegalTriggerError:
        effects = ()
    except Exception as error:  # noqa: BLE001 - the crash that the file is about, or a state that no till was ever in
        return Played(record=step, found=machine.state.value, difference=f"raises {type(error).__name__}")
    found, difference = machine.state, ""
    if found is not step.after:
        difference = f"recorded {step.after.value}"
    elif effects != step.effects and step.before not in PIN_STATES:
        difference = f"asks for {', '.join(effects) or 'nothing'}, recorded {', '.join(step.effects) or 'nothing'}"
    return Played(record=step, found=found.value, difference=difference)
