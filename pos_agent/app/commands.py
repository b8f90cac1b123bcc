"""The commands of `pos-agent` besides `run`: each prints and returns an exit code."""

import argparse
import asyncio
import getpass
import sys
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pos_agent import __version__
from pos_agent.app.clock import SystemClock
from pos_agent.app.identity import load_device_key, read_boot_id
from pos_agent.app.pins import hash_pin
from pos_agent.app.release import release
from pos_agent.control.server import read_status
from pos_agent.domain.badges import make_badge
from pos_agent.domain.config import Config
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.money import format_amount
from pos_agent.domain.pins import WeakPinError, is_operator_no
from pos_agent.errors import ConfigError, JournalCorruptError
from pos_agent.journal.records import PrintJobRecord
from pos_agent.journal.store import Journal
from pos_agent.settings import DataFinder, LoadedConfig, explain, load_config

if TYPE_CHECKING:
    from pos_agent.workflow.replay import Played


def perform(options: argparse.Namespace) -> int:
    """Dispatch to the command that was parsed.

    Raises:
        PosAgentError: As the command says; the caller prints it.
    """
    name = options.command if not hasattr(options, "action") else f"{options.command} {options.action}"
    return _COMMANDS[name](options)


def _load(options: argparse.Namespace) -> LoadedConfig:
    return load_config(options.config, policy_path=DataFinder(options.data_dir).find("policy.toml"))


def _print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _version(options: argparse.Namespace) -> int:
    if options.json:
        _print_json({"version": __version__})
    else:
        print(f"pos-agent {__version__}")
    return 0


def _check_config(options: argparse.Namespace) -> int:
    from pos_agent.app.device_check import check_devices  # noqa: PLC0415 - drivers, for this command only

    loaded = _load(options)
    check_devices(loaded, DataFinder(options.data_dir))
    if options.json:
        _print_json({"valid": True, "terminal_id": loaded.config.terminal.terminal_id})
    else:
        print(f"{options.config}: valid (terminal {loaded.config.terminal.terminal_id})")
    return 0


def _load_in_effect(options: argparse.Namespace) -> LoadedConfig:
    """Load what the daemon runs: the file, and what the fleet pushed over it."""
    local = _load(options)
    if not local.config.fleet.keys:
        return local
    from pos_agent.app.fleet import layer_in_effect  # noqa: PLC0415 - only where fleet keys are pinned

    layer = layer_in_effect(Path(local.config.terminal.data_dir))
    return load_config(options.config, policy_path=DataFinder(options.data_dir).find("policy.toml"), layer=layer)


def _show_config(options: argparse.Namespace) -> int:
    values = list(explain(_load_in_effect(options)))
    if options.json:
        _print_json(values)
        return 0
    width = max(len(value.key) for value in values)
    for value in values:
        print(f"{value.key:{width}}  {value.value!r}  # {value.origin}")
    return 0


def _status(options: argparse.Namespace) -> int:
    loaded = _load(options)
    status = read_status(Path(loaded.config.terminal.runtime_dir))
    if options.json:
        _print_json(status)
        return 0
    back_office = "present" if status.is_back_office_present else "away"
    print(f"{status.terminal_id}  {status.workflow_state}  pid {status.pid}  up {status.uptime_s:.0f} s")
    print(f"broker {'connected' if status.is_broker_connected else 'away'}, back office {back_office}")
    if status.config_version or status.config_note:
        print(f"configuration: fleet version {status.config_version} {status.config_note}".rstrip())
    print(f"outbox: {status.outbox.queued} queued, {status.outbox.sent} sent, {status.outbox.held} held")
    for device in status.devices:
        print(f"  {device.name:17} {'online' if device.is_online else 'OFFLINE'} {device.code}")
        if "SlipsLeftCount" in device.counters:
            print(f"    paper for about {device.counters['SlipsLeftCount']} slips")
    return 0


async def _open(loaded: LoadedConfig) -> Journal:
    """Open the journal beside a daemon that may be running: no recovery."""
    terminal = loaded.config.terminal
    return await Journal.open(
        Path(terminal.data_dir),
        terminal_id=terminal.terminal_id,
        boot_id=read_boot_id(production=terminal.production),
        clock=SystemClock(),
        is_owner=False,
    )


def _with_journal(options: argparse.Namespace, work: Callable[[Journal], Any]) -> Any:
    async def run() -> Any:
        journal = await _open(_load(options))
        try:
            return await work(journal)
        finally:
            await journal.close()

    return asyncio.run(run())


def _read_pin() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    pin = getpass.getpass("PIN (4 to 8 digits): ")
    return pin if pin == getpass.getpass("again: ") else ""


def _operator_add(options: argparse.Namespace) -> int:
    loaded = _load(options)
    if not is_operator_no(options.no):
        print("pos-agent: an operator number has two digits, such as 01", file=sys.stderr)
        return 2
    try:
        pin_hash = hash_pin(_read_pin())
    except WeakPinError as error:
        print(f"pos-agent: {error}", file=sys.stderr)
        return 2
    person = options.person or f"{loaded.config.terminal.terminal_id}/{options.no}"

    async def work(journal: Journal) -> None:
        await journal.put_operator(
            operator_no=options.no, person_id=person, name=options.name, role=options.role, pin_hash=pin_hash
        )

    _with_journal(options, work)
    if options.json:
        _print_json({"operator_no": options.no, "person_id": person, "role": options.role})
    else:
        print(f"operator {options.no} ({options.role}) can sign in now")
    return 0


def _operator_list(options: argparse.Namespace) -> int:
    async def work(journal: Journal) -> list[dict[str, Any]]:
        return [
            {
                "operator_no": operator.operator_no,
                "name": operator.name,
                "role": operator.role,
                "person_id": operator.person_id,
                "locked_s": operator.locked_s,
            }
            for operator in await journal.operators()
        ]

    rows = _with_journal(options, work)
    if options.json:
        _print_json(rows)
    for row in [] if options.json else rows:
        locked = f"  locked for {row['locked_s']} s" if row["locked_s"] else ""
        print(f"{row['operator_no']}  {row['role']:10}  {row['name']}{locked}")
    return 0


def _operator_badge(options: argparse.Namespace) -> int:
    try:
        badge = make_badge(options.no)
    except ValueError as error:
        print(f"pos-agent: {error}", file=sys.stderr)
        return 2
    if options.json:
        _print_json({"operator_no": options.no, "badge": badge, "symbology": "CODE128"})
    else:
        print(badge)
    return 0


def _outbox_list(options: argparse.Namespace) -> int:
    rows = _with_journal(options, lambda journal: journal.money_rows(with_acked=options.all))
    if options.json:
        _print_json(rows)
        return 0
    if not rows:
        print("nothing waits to be sent")
    for row in rows:
        print(
            f"{row.refund_request_id}  {format_amount(row.amount_minor):>11}  {row.status:6}  {row.state:10}  "
            f"money: {row.money}  tries: {row.attempts}  {row.cause}".rstrip()
        )
    return 0


def _outbox_show(options: argparse.Namespace) -> int:
    async def work(journal: Journal) -> Any:
        found = await journal.refunds_by_tail(options.request)
        rows = await journal.money_rows(with_acked=True)
        by_id = {row.refund_request_id: row for row in rows}
        ids = [record.request.refund_request_id for record in found]
        return [(record, by_id.get(one), await journal.slips(one)) for record, one in zip(found, ids, strict=True)]

    found = _with_journal(options, work)
    if options.json:
        _print_json([{"record": record, "outbox": row, "slips": _proofs(jobs)} for record, row, jobs in found])
    for record, row, jobs in [] if options.json else found:
        request = record.request
        print(f"request   {grouped(request.refund_request_id)}")
        print(f"amount    {format_amount(request.amount_minor)} {request.currency} ({request.refund_type})")
        print(f"state     {record.state}   money: {row.money if row else 'unknown'}")
        print(f"operator  {request.operator_no}   at {request.created_at.isoformat()}")
        print(
            f"outbox    {row.status if row else '-'}   tries {row.attempts if row else 0}   {row.cause if row else ''}"
        )
        for proof in _proofs(jobs):
            print(f"slip      {proof['kind']}   copy {proof['copy_no']}   {proof['outcome']}")
    if not found:
        print(f"pos-agent: no request ends with {options.request}", file=sys.stderr)
        return 1
    return 0


def _proofs(jobs: Sequence[PrintJobRecord]) -> list[dict[str, Any]]:
    """Return each slip with the tier that proved it (D13)."""
    return [{"kind": job.kind, "copy_no": job.copy_no, "outcome": job.outcome or "waiting"} for job in jobs]


def _own_signature(config: Config) -> Callable[[bytes, str], bool] | None:
    """Return what tells whether a signature is this terminal's; None if its key cannot be read here."""
    try:
        key = load_device_key(config.trust).public_key()
    except ConfigError as error:
        print(f"pos-agent: signatures of purges are not checked: {error}", file=sys.stderr)
        return None

    def is_own(statement: bytes, signature: str) -> bool:
        try:
            key.verify(b64decode(signature), statement)
        except ValueError:
            return False
        return True

    return is_own


def _audit_verify(options: argparse.Namespace) -> int:
    """Check the chain; a difference is a finding, told on standard output with exit code 1."""
    config = _load(options).config
    terminal_id = config.terminal.terminal_id

    async def work(journal: Journal) -> tuple[int, str, list[str]]:
        heads = await journal.audit_heads() if options.heads else []
        return *await journal.audit_verify(_own_signature(config)), heads

    try:
        lines, head, heads = _with_journal(options, work)
    except JournalCorruptError as error:
        if options.json:
            _print_json({"terminal_id": terminal_id, "is_whole": False, "difference": str(error)})
        else:
            print(f"NOT WHOLE: {error}")
        return 1
    if options.heads:
        options.heads.write_bytes(msgspec.json.encode({"terminal_id": terminal_id, "heads": heads}))
    if options.json:
        _print_json({"terminal_id": terminal_id, "is_whole": True, "lines": lines, "head": head})
    else:
        print(f"whole: {lines} lines, head {head}")
    return 0


def _outbox_release(options: argparse.Namespace) -> int:
    return release(options, _load(options).config)


def _replay(options: argparse.Namespace) -> int:
    from pos_agent.workflow.replay import read_incident, replay  # noqa: PLC0415 - the state machine takes 30 ms

    header, records = read_incident(options.file.read_bytes())
    played = list(replay(header, records))
    differing = [one for one in played if one.difference]
    replayed = sum(bool(one.found) for one in played)
    if options.json:
        _print_json({"version": header.version, "cause": header.cause, "replayed": replayed, "played": played})
        return int(bool(differing))
    start_s = records[0].at_s if records else 0.0
    for one in differing if options.quiet else played:
        print(describe_step(one, start_s))
    print(f"{header.cause} of version {header.version}: {replayed} steps replayed, {len(differing)} differ")
    return int(bool(differing))


def describe_step(one: "Played", start_s: float) -> str:
    """Return one line about a played record."""
    from pos_agent.workflow.recorder import Note  # noqa: PLC0415 - as above

    record = one.record
    at = f"{record.at_s - start_s:9.3f} s"
    if isinstance(record, Note):
        return f"{at}  {record.what}: {record.detail}"
    key = f" {record.data.key}" if record.data.key else ""
    mark = (
        f"  DIFFERS: now {one.found}, {one.difference}" if one.difference else "" if one.found else "  (not replayed)"
    )
    return f"{at}  {record.before.value} --{record.trigger}{key}--> {record.after.value}{mark}"


def _devices(options: argparse.Namespace) -> int:
    from pos_agent.app.list_devices import list_devices  # noqa: PLC0415 - drivers are read for this command only

    return list_devices(options)


def _commission(options: argparse.Namespace) -> int:
    from pos_agent.app.commission import commission  # noqa: PLC0415 - as above

    return commission(options)


def _enrol(options: argparse.Namespace) -> int:
    from pos_agent.app.enrol import enrol  # noqa: PLC0415 - HTTP and TLS are read for this command only

    return enrol(options)


def _renew(options: argparse.Namespace) -> int:
    from pos_agent.app.enrol import renew_now  # noqa: PLC0415 - as above

    return renew_now(options)


def _outbox_export(options: argparse.Namespace) -> int:
    from pos_agent.app.export import export  # noqa: PLC0415 - for this command only

    return export(options, lambda given: _load(given).config)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "version": _version,
    "check-config": _check_config,
    "show-config": _show_config,
    "status": _status,
    "enrol": _enrol,
    "renew": _renew,
    "operator add": _operator_add,
    "operator list": _operator_list,
    "operator badge": _operator_badge,
    "audit verify": _audit_verify,
    "replay": _replay,
    "devices list": _devices,
    "devices commission": _commission,
    "outbox list": _outbox_list,
    "outbox show": _outbox_show,
    "outbox release": _outbox_release,
    "outbox export": _outbox_export,
}
