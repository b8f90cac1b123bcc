"""`pos-agent devices`: prints the report, in words or as JSON."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from drivers.inventory import Node
from drivers.links.holders import Holder
from pos_agent.app.attached import Found, Report, Wanted, is_trouble, make_report
from pos_agent.settings import DataFinder


def list_devices(options: argparse.Namespace) -> int:
    """Print the report; 0 = what is configured is there, 1 = something is missing or held, 2 = bad configuration."""
    report = make_report(options.config, data=DataFinder(options.data_dir), root=options.root)
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        print("\n".join(lines(report, options.config)))
    if report.problem and options.config.exists():
        return 2
    return int(any(is_trouble(wanted, report.daemon_pid) for wanted in report.configured))


def lines(report: Report, config_path: Path) -> Iterator[str]:
    """Yield the lines."""
    yield "attached to USB" if report.units else "attached to USB: nothing"
    for unit in report.units:
        yield from _unit(unit, report)
    if report.ports:
        yield "other ports"
        for node in report.ports:
            yield f"  {_node(node, report)}"
    yield ""
    if report.problem:
        yield f"configuration: cannot be used: {report.problem}"
    if report.configured or not report.problem:
        yield from _configured(report, config_path)
    if not report.sees_all_holders:
        yield "(not every process could be looked into: as root, nobody who holds a port stays unseen)"


def _unit(unit: Found, report: Report) -> Iterator[str]:
    serial = f"  serial {unit.serial}" if unit.serial else "  no serial number"
    yield f"  {unit.port:8} {unit.usb}  {unit.name or '(no name)'}{serial}{_held(unit.holders, report)}"
    known = unit.recognised
    if known is None:
        yield "      nothing that a till knows"
    else:
        yield f"      {known.role}: {known.profile or 'no profile'} ({known.why})"
        yield from (f"      {words}" for words in (known.zh, known.en) if words)
    for node in unit.nodes:
        yield f"      {_node(node, report)}"
    if known is not None and known.role == "keypad":
        yield f"      to use it: pos-agent devices commission keypad --unit {unit.usb}"


def _node(node: Node, report: Report) -> str:
    links = f"  = {'  = '.join(node.links)}" if node.links else ""
    name = f"  {node.name}" if node.name else ""
    return f"{node.path}{name}{links}{_held(node.holders, report)}"


def _configured(report: Report, config_path: Path) -> Iterator[str]:
    yield f"configured in {config_path}" if report.configured else f"{config_path} names no device"
    for wanted in report.configured:
        yield f"  {wanted.role:17} {wanted.where}  ({wanted.driver})  {_verdict(wanted, report)}"
        yield from (f"      {words}" for words in wanted.known)
    yield f"daemon: pid {report.daemon_pid}" if report.daemon_pid else "daemon: not running"


def _verdict(wanted: Wanted, report: Report) -> str:
    there = {True: "there", False: "ABSENT", None: "on the network, not asked"}[wanted.is_there]
    words = f"{there}{_held(wanted.holders, report)}"
    if wanted.is_online is None:
        return words
    return f"{words}; the daemon says {'online' if wanted.is_online else 'OFFLINE'} {wanted.code}".rstrip()


def _held(holders: Iterable[Holder], report: Report) -> str:
    names = [
        "pos-agent itself" if holder.pid == report.daemon_pid else f"{holder.name} (pid {holder.pid})"
        for holder in holders
    ]
    return f"  HELD by {', '.join(names)}" if names else ""
