"""What the commands that only look print: requests, tills, operators."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.orm import Session

from backoffice import history
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.ingest.context import Context
from backoffice.review import Actor
from backoffice.states import State
from backoffice.store.database import open_database
from backoffice.web import facts, fleet, lists
from pos_agent.domain.money import format_amount
from pos_agent.i18n.backoffice import text

_T = TypeVar("_T")
#: Who looks from the command line: may see all, decide nothing.
_NOBODY = Actor("", "", "viewer")


def requests(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """List requests.

    Raises:
        ValueError: No such view.
    """
    states = _states(arguments.view) if not arguments.find else ()
    context = Context(config, system_now, lambda: "")
    found = _read(
        config,
        lambda session: lists.list_requests(
            session, context, states, number=arguments.page, words="".join(arguments.find.split())
        ),
    )
    words = [_request_line(row, config) for row in found.rows]
    return "\n".join([*words, f"page {found.number} of {found.pages}, {found.total} in all"]), found


def _states(view: str) -> tuple[State, ...]:
    if view == "all":
        return ()
    if view == "pending":
        return lists.PENDING
    try:
        return (State(view),)
    except ValueError:
        raise ValueError(f"no view {view}; there are: pending, all, {', '.join(State)}") from None


def _request_line(row: lists.Summary, config: Config) -> str:
    late = f"  {text(f'queue.{row.lateness}', 'en').upper()}" if row.lateness else ""
    received = both(datetime.fromisoformat(row.received_at), config)
    return (
        f"{row.refund_request_id}  {format_amount(row.amount_minor):>10}  {row.state:<10} money: {row.money_moved:<7}  "
        f"{received}  {row.terminal_id}  {','.join(row.flags)}{late}"
    ).rstrip()


def request(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Show one request.

    Raises:
        ValueError: There is none.
    """
    context, request_id = Context(config, system_now, lambda: ""), "".join(arguments.id.split())
    found = _read(config, lambda session: facts.detail(session, context, _NOBODY, request_id))
    if found is None:
        raise ValueError(f"no request {request_id}")
    lines = [_request_line(found.summary, config)]
    if found.unknown_since or found.asked_at:
        asked = both(datetime.fromisoformat(found.asked_at), config) if found.asked_at else "no answer yet"
        lines.append(f"  result: last asked {asked}; do not ask for this refund again")
    lines += [f"  {each.rule}: {text(f'suspicion.{each.code}', 'en', **each.parameters)}" for each in found.suspicions]
    for line in found.trail:
        at = both(datetime.fromisoformat(str(line["at"])), config)
        lines.append(
            f"  {line['number']}. {at}  {line['before'] or '-'} -> {line['after']}  {line['actor']}  {line['detail']}"
        )
    lines.append("  chain whole" if found.is_trail_whole else "  CHAIN NOT WHOLE: pos-backoffice audit verify")
    return "\n".join(lines), found


def terminals(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """List tills."""
    found = _read(
        config,
        lambda session: fleet.fleet(
            session,
            view=arguments.view,
            words=arguments.find,
            version=arguments.agent_version,
            sort=arguments.sort,
            number=arguments.page,
        ),
    )
    words = [
        f"{row.terminal_id:<40} {'online' if row.is_online else 'offline':<7}  {row.agent_version or '-':<10}  "
        f"seen {both(row.last_seen_at, config)}  missing {row.missing}  undelivered {row.undelivered}  "
        f"{','.join(row.problems)}".rstrip()
        for row in found.rows
    ]
    counts = ", ".join(f"{name} {count}" for name, count in found.counts.items())
    return "\n".join([*words, f"page {found.number} of {found.pages}, {found.total} found; {counts}"]), found


def operators(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Print the report F14."""
    found = _read(config, lambda session: history.operator_report(session, system_now(), days=arguments.days))
    words = [
        f"{line.merchant_id}  {line.operator_no:<6} sold {format_amount(line.sold_minor):>12}  "
        f"refunded {format_amount(line.refunded_minor):>12} in {line.refunds:>4}  "
        f"{'-' if line.ratio is None else f'{line.ratio:.1%}':>7}{'  NOTICEABLE' if line.is_noticeable else ''}"
        for line in found
    ]
    if not any(line.sold_minor for line in found):
        words.append("The sale ledger names no operators: import sales with operator_no.")
    return "\n".join(words), msgspec.to_builtins(found)


def both(moment: datetime | None, config: Config) -> str:
    """Return a time in the shop's zone with its offset, and UTC."""
    if moment is None:
        return "-"
    local = moment.astimezone(ZoneInfo(config.server.time_zone))
    return f"{local:%Y-%m-%d %H:%M:%S} ({moment:%m-%d %H:%M} UTC)"


def _read(config: Config, work: Callable[[Session], _T]) -> _T:
    with open_database(config.database.url) as database, database.reading() as session:
        return work(session)
