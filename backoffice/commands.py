"""What the commands of `backoffice.cli` do."""

import argparse
import asyncio
import contextlib
import getpass
import sys
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

import msgspec

from backoffice import (
    backup,
    chains,
    coupon_tool,
    deeds,
    demo,
    enrolment,
    inviting,
    listing,
    sales,
    shop_setup,
    slips,
    upkeep,
)
from backoffice.clock import system_now
from backoffice.config import Config, load_config
from backoffice.deeds import Deed
from backoffice.desired import commands as desired
from backoffice.profiles import add_profiles, load_profiles
from backoffice.signing import make_key_file, public_key_of
from backoffice.store.database import open_database, upgrade
from backoffice.store.schema import Terminal
from pos_agent.errors import ConfigFileError


def run(arguments: argparse.Namespace) -> int:
    """Run a parsed command."""
    name = arguments.command + (f" {arguments.action}" if hasattr(arguments, "action") else "")
    config = load_config(arguments.config)
    add_profiles(config, load_profiles())
    return _COMMANDS[name](arguments, config)


def _say(arguments: argparse.Namespace, words: str, data: object) -> int:
    is_json = getattr(arguments, "json", False)
    sys.stdout.write((msgspec.json.encode(data).decode() if is_json else words) + "\n")
    return 0


def _serve(_arguments: argparse.Namespace, config: Config) -> int:
    from backoffice.serve import serve  # noqa: PLC0415 - the web stack is for this command only

    with contextlib.ExitStack() as stack:
        if config.database.url.startswith("sqlite"):
            stack.enter_context(backup.in_use(backup.sqlite_file(config)))
        upgrade(config.database.url)
        asyncio.run(serve(config))
    return 0


def _upkeep(work: Callable[[argparse.Namespace, Config], tuple[str, object]]) -> "_Command":
    def command(arguments: argparse.Namespace, config: Config) -> int:
        words, data = work(arguments, config)
        return _say(arguments, words, data)

    return command


def _init(arguments: argparse.Namespace, config: Config) -> int:
    upgrade(config.database.url)
    return _say(arguments, "database ready", {"ok": True})


def _keys(arguments: argparse.Namespace, config: Config) -> int:
    path = Path(config.signing.key_file)
    public = public_key_of(path).base64 if arguments.show else make_key_file(path)
    words = f'{path}\npin it at the tills:\n[trust.back_office_keys]\n"{config.signing.kid}" = "{public}"'
    return _say(arguments, words, {"kid": config.signing.kid, "public_key": public, "key_file": str(path)})


def _person_add(arguments: argparse.Namespace, config: Config) -> int:
    password = _read_password()
    with open_database(config.database.url) as database, database.writing() as session:
        person_id = enrolment.add_person(
            session,
            login=arguments.login,
            name=arguments.name or arguments.login,
            role=arguments.role,
            password=password,
            person_id=arguments.person,
        )
    return _say(arguments, f"person {person_id}", {"person_id": person_id})


def _person_password(arguments: argparse.Namespace, config: Config) -> int:
    password = _read_password()
    with open_database(config.database.url) as database, database.writing() as session:
        enrolment.set_password(session, login=arguments.login, password=password)
    return _say(arguments, f"sign-in {arguments.login} has another password", {"login": arguments.login})


def _read_password() -> str:
    return getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _person_mark(arguments: argparse.Namespace, config: Config) -> int:
    is_active = arguments.action == "allow"
    with open_database(config.database.url) as database, database.writing() as session:
        enrolment.mark_person(session, arguments.person, is_active=is_active)
    return _say(arguments, f"person {arguments.person} active={is_active}", {"person_id": arguments.person})


def _terminal_add(arguments: argparse.Namespace, config: Config) -> int:
    with open_database(config.database.url) as database, database.writing() as session:
        is_new = session.get(Terminal, arguments.id) is None
        enrolment.add_terminal(
            session,
            terminal_id=arguments.id,
            merchant_id=arguments.merchant,
            merchant_name=arguments.merchant_name,
            device_kid=arguments.device_kid,
            device_key=arguments.device_key,
        )
        if is_new:
            deeds.note(
                session, Deed.TILL_ADDED, by="", detail=f"{arguments.id} of {arguments.merchant}", now=system_now
            )
    return _say(arguments, f"terminal {arguments.id}", {"terminal_id": arguments.id})


def _terminal_mark(arguments: argparse.Namespace, config: Config) -> int:
    is_denied = arguments.action == "deny"
    with open_database(config.database.url) as database, database.writing() as session:
        enrolment.mark_terminal(session, arguments.id, is_denied=is_denied)
    return _say(arguments, f"terminal {arguments.id} denied={is_denied}", {"terminal_id": arguments.id})


def _operator_map(arguments: argparse.Namespace, config: Config) -> int:
    with open_database(config.database.url) as database, database.writing() as session:
        enrolment.map_operator(
            session,
            merchant_id=arguments.merchant,
            operator_no=arguments.no,
            person_id=arguments.person,
            name=arguments.name,
        )
    return _say(arguments, f"operator {arguments.no} is {arguments.person}", {"person_id": arguments.person})


def _sales_import(arguments: argparse.Namespace, config: Config) -> int:
    rows = sales.read_file(arguments.file)
    with open_database(config.database.url) as database, database.writing() as session:
        count = sales.store(session, rows, lookup_key=lookup_key(config))
    return _say(arguments, f"{count} sales", {"sales": count})


def _demo_data(arguments: argparse.Namespace, config: Config) -> int:
    now = system_now()
    if arguments.today:
        now = datetime.combine(date.fromisoformat(arguments.today), time(12), UTC)
    with open_database(config.database.url) as database, database.writing() as session:
        merchant_id = arguments.merchant or enrolment.only_merchant(session)
        rows = demo.demo_sales(
            now, merchant_id=merchant_id, acquirer_id=arguments.acquirer, terminal_id=arguments.terminal
        )
        sales.store(session, rows, lookup_key=lookup_key(config))
    words = "\n".join(f"{row.order_no:34} {row.channel:9} {row.paid_minor / 100:>9.2f}  {row.label}" for row in rows)
    return _say(arguments, words, msgspec.to_builtins(rows))


def lookup_key(config: Config) -> bytes:
    """Return the key of order-number hashes; empty if none is configured.

    Raises:
        ConfigFileError: Named but unreadable.
    """
    if not config.lookup_key_file:
        return b""
    try:
        return b64decode(Path(config.lookup_key_file).read_text("ascii").strip(), validate=True)
    except (OSError, ValueError) as error:
        raise ConfigFileError(f"{config.lookup_key_file}: {error}") from error


def _rescue(arguments: argparse.Namespace, config: Config) -> int:
    words, facts, is_all_here = slips.rescue_slips(arguments, config)
    _say(arguments, words, facts)
    return 0 if is_all_here else 1


def _coupon(arguments: argparse.Namespace, config: Config) -> int:
    words, facts, is_done = coupon_tool.run(arguments, config)
    _say(arguments, words, facts)
    return 0 if is_done else 1


_Command = Callable[[argparse.Namespace, Config], int]
_COMMANDS: dict[str, _Command] = {
    "backup": _upkeep(upkeep.back_up),
    "restore": _upkeep(upkeep.restore),
    "resume": _upkeep(upkeep.resume),
    "audit verify": _upkeep(chains.verify),
    "audit anchor": _upkeep(chains.anchor),
    "audit compare": _upkeep(chains.compare),
    "requests list": _upkeep(listing.requests),
    "requests show": _upkeep(listing.request),
    "terminal list": _upkeep(listing.terminals),
    "terminal show": _upkeep(desired.terminal_show),
    **{f"config {action}": _upkeep(desired.run) for action in desired.ACTIONS},
    "report operators": _upkeep(listing.operators),
    "reconcile": _upkeep(upkeep.reconcile),
    "rescue": _rescue,
    **{f"coupon {action}": _coupon for action in ("issue", "approve", "redeem", "list")},
    "serve": _serve,
    "init": _init,
    "setup": _upkeep(shop_setup.run),
    "keys": _keys,
    "demo-data": _demo_data,
    "person add": _person_add,
    "person password": _person_password,
    "person deny": _person_mark,
    "person allow": _person_mark,
    "terminal add": _terminal_add,
    "terminal deny": _terminal_mark,
    "terminal clear": _terminal_mark,
    "terminal invite": _upkeep(inviting.invite),
    "terminal waiting": _upkeep(inviting.waiting),
    "terminal accept": _upkeep(inviting.accept),
    "terminal refuse": _upkeep(inviting.refuse),
    "terminal revoke": _upkeep(inviting.revoke),
    "ca make": _upkeep(inviting.make_ca),
    "ca crl": _upkeep(inviting.write_list),
    "operator map": _operator_map,
    "sales import": _sales_import,
}
