"""Commands on pushed configurations: plan, push, release, pause, resume, undo, status."""

import argparse
from collections.abc import Callable

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.desired import bundle as bundles
from backoffice.desired import progress, rollouts, waiting
from backoffice.desired.bundle import Bundle, BundleError
from backoffice.listing import both
from backoffice.store.database import open_database
from backoffice.store.schema import Terminal
from pos_agent.domain.desired import ConfigState
from pos_agent.protocol.ed25519 import PublicKey


def run(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Run ``config …``; returns words for people and data for machines.

    Raises:
        ValueError: What a person must change.
        RemoteProtocolError: A bundle that is damaged or signed by nobody whom the tills trust.
    """
    return _COMMANDS[arguments.action](arguments, config)


def pins(config: Config) -> dict[str, PublicKey]:
    """Return the public fleet keys.

    Raises:
        BundleError: None are configured, or one is no key.
    """
    if not config.fleet.keys:
        raise BundleError("no [fleet.keys] in the configuration: nothing can be verified")
    try:
        return {kid: PublicKey.from_base64(text) for kid, text in config.fleet.keys.items()}
    except ValueError as error:
        raise BundleError(f"[fleet.keys]: {error}") from error


def _plan(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    with open_database(config.database.url) as database, database.reading() as session:
        wanted = arguments.terminal or list(
            session.scalars(select(Terminal.terminal_id).order_by(Terminal.terminal_id))
        )
        made, skipped = rollouts.plan(session, wanted, system_now)
    if not made.tills:
        raise BundleError("\n".join(["no till can be configured now", *_skipped(skipped)]))
    bundles.write(arguments.out, made)
    numbers = {till.terminal_id: till.version for till in made.tills}
    lines = [f"{terminal_id}  next free version {number}" for terminal_id, number in numbers.items()]
    words = "\n".join([*lines, *_skipped(skipped), f"written: {arguments.out}; sign it: pos-backoffice config sign"])
    return words, {"file": str(arguments.out), "next_versions": numbers, "skipped": skipped}


def _skipped(skipped: list[rollouts.Skipped]) -> list[str]:
    return [f"{each.terminal_id}  LEFT OUT: {each.why}" for each in skipped]


def _push(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    bundle = bundles.read(arguments.bundle, Bundle)
    with open_database(config.database.url) as database, database.writing() as session:
        count = rollouts.push(
            session,
            bundle,
            pins(config),
            now=system_now,
            by=f"cli:{arguments.by}" if arguments.by else "",
            is_again=arguments.again,
        )
    words = f"{bundle.rollout}: {count} tills, nothing is out yet; next: pos-backoffice config release {bundle.rollout}"
    return words, {"rollout": bundle.rollout, "tills": count}


def _release(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    with open_database(config.database.url) as database, database.writing() as session:
        if arguments.if_success is not None:
            _gate(session, arguments)
        count, skipped = rollouts.release(
            session,
            arguments.rollout,
            now=system_now,
            share=_share(arguments.wave) if not arguments.terminal else 0,
            terminal_ids=arguments.terminal or None,
        )
    words = "\n".join([f"{arguments.rollout}: released to {count} more tills", *_skipped(skipped)])
    return words, {"rollout": arguments.rollout, "released": count, "skipped": skipped}


def _gate(session: Session, arguments: argparse.Namespace) -> None:
    """Refuse the next wave unless enough of those that answered have confirmed; who is offline holds nobody up."""
    found = progress.of(session, arguments.rollout)
    confirmed = found.counts.get(ConfigState.CONFIRMED, 0)
    if found.answered < arguments.if_answered or confirmed * 100 < arguments.if_success * found.answered:
        raise BundleError(
            f"{arguments.rollout}: {confirmed} of {found.answered} that answered have confirmed; "
            f"wanted {arguments.if_success:g} % of at least {arguments.if_answered}"
        )


def _share(wave: str) -> int:
    try:
        share = round(float(wave.removesuffix("%")) * 100)
    except ValueError:
        share = 0
    if not 1 <= share <= rollouts.ALL:
        raise BundleError(f"--wave {wave}: a share such as 1% or 100%")
    return share


def _undo(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    with open_database(config.database.url) as database, database.writing() as session:
        count = rollouts.undo(session, arguments.rollout, now=system_now)
    return f"{arguments.rollout}: undone at {count} tills", {"rollout": arguments.rollout, "undone": count}


def _turn(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    work, words = {
        "pause": (rollouts.pause, "paused: nothing more goes out; what is out stays (undo takes it back)"),
        "resume": (rollouts.resume, "goes on"),
    }[arguments.action]
    with open_database(config.database.url) as database, database.writing() as session:
        work(session, arguments.rollout, now=system_now)
    return f"{arguments.rollout} {words}", {"rollout": arguments.rollout, "action": arguments.action}


def _status(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    with open_database(config.database.url) as database, database.reading() as session:
        names = [arguments.rollout] if arguments.rollout else progress.rollouts(session)
        found = [progress.of(session, name) for name in names]
    if not arguments.rollout:
        data = [{key: value for key, value in msgspec.to_builtins(each).items() if key != "tills"} for each in found]
        return "\n".join(_line(each, config) for each in found) or "no rollouts", data
    one = found[0]
    lines = [_line(one, config)]
    for till in one.tills:
        at = f"  {both(till.at, config)}" if till.at else ""
        undo = " (undo)" if till.is_undo else ""
        lines.append(f"  {till.terminal_id:<40} v{till.version}{undo}  {till.state} {till.reason}".rstrip() + at)
    return "\n".join(lines), one


def _line(one: progress.RolloutProgress, config: Config) -> str:
    counts = ", ".join(f"{state} {count}" for state, count in sorted(one.counts.items()))
    return (
        f"{one.rollout}  {one.state}  {one.share / 100:g}%  pushed {both(one.pushed_at, config)}  "
        f"signed by {', '.join(one.signers)}  {counts}  {one.title}".rstrip()
    )


def terminal_show(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Show what a till runs, was given and said.

    Raises:
        ValueError: No such till.
    """
    with open_database(config.database.url) as database, database.reading() as session:
        if session.get(Terminal, arguments.id) is None:
            raise ValueError(f"no till {arguments.id}")
        found = progress.tills(session, [arguments.id])[arguments.id]
        next_version = waiting.highest_numbers(session, [arguments.id])[arguments.id] + 1
    running = "has never said what it runs" if found.running is None else f"runs version {found.running}"
    if found.running == 0:
        running = "runs its own file alone"
    lines = [f"{arguments.id}  {running}; last word {both(found.reported_at, config)}"]
    if found.desired:
        lines.append(f"  given version {found.desired} ({found.rollout}): {found.state} {found.reason}".rstrip())
    if found.detail:
        lines.append(f"  {found.detail}")
    lines.append(f"  next free version {next_version}")
    return "\n".join(lines), {"terminal_id": arguments.id, "next_version": next_version, "config": found}


_COMMANDS: dict[str, Callable[[argparse.Namespace, Config], tuple[str, object]]] = {
    "plan": _plan,
    "push": _push,
    "release": _release,
    "undo": _undo,
    "pause": _turn,
    "resume": _turn,
    "status": _status,
}
ACTIONS = tuple(_COMMANDS)
