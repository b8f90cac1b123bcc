"""`pos-agent devices commission`: find out about one device that a person named, and print what to configure.

Bytes are sent to the named port only, and to none that somebody holds: a refund may be under way there (field.md 23).
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from drivers.inventory import Inventory, take_inventory
from drivers.links.holders import Holder
from drivers.recognise import recognise
from drivers.scanner.baud import BaudFound
from pos_agent.app.attached import holders_of, make_report, units_holders
from pos_agent.app.commissioning import Commissioned, NothingFoundError, refuse_held, refuse_if_held
from pos_agent.errors import NoHardwareError
from pos_agent.settings import DataFinder

_LISTEN_S = 8.0


def commission(options: argparse.Namespace) -> int:
    """Run one commissioning; 0 = printed, 1 = held, absent, or nothing found."""
    found = {"scanner": _scanner, "keypad": _keypad, "printer": _printer}[options.target](options)
    if options.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        print(f"# {found.why}\n# Put this into the configuration, then: systemctl restart pos-agent")
        print(found.toml, end="")
    return 0


def _printer(options: argparse.Namespace) -> Commissioned:
    from pos_agent.app.commission_printer import commission_printer  # noqa: PLC0415 - only for printers

    return commission_printer(options)


def _scanner(options: argparse.Namespace) -> Commissioned:
    report = make_report(options.config, data=DataFinder(options.data_dir), root=options.root)
    inventory = take_inventory(options.root)
    path: str = options.port
    refuse_if_held("scanner", path, report, inventory, options.root)
    found = _search(options, DataFinder(options.data_dir), path)
    protocol = found.protocol
    toml = f'[devices.scanner]\npath = "{lasting_name(path, inventory)}"\nbaud = {found.baud.baud}\n'
    toml += f'protocol = "{protocol}"\n' if protocol != "plain" else ""
    toml += f'family = "{found.baud.family}"\n' if found.baud.family else ""
    heard = f"{found.baud.family} answered" if found.baud.family else "a scan was readable"
    return Commissioned(toml=toml, why=f"{heard} on {path} at {found.baud.baud} baud")


class _Answer(msgspec.Struct, frozen=True):
    baud: BaudFound
    protocol: str


def _search(options: argparse.Namespace, data: DataFinder, path: str) -> _Answer:
    from drivers.links.faults import open_error  # noqa: PLC0415 - see drivers.scanner.baud
    from drivers.scanner.baud import BAUDS, listen_baud, search_baud  # noqa: PLC0415 - only here serial ports are opened
    from drivers.scanner.table import TABLE_PATH, load_table  # noqa: PLC0415 - as above

    table = load_table(data.find(TABLE_PATH))
    bauds = tuple(options.baud or BAUDS)
    real = str(options.root / path.lstrip("/"))
    say = _say if not options.json else _quiet
    try:
        say(f"asking {path} who it is; nothing is sent to any other port")
        found = search_baud(real, rows=table.scanner, bauds=bauds)
        if found is not None:
            return _Answer(found, table.row(found.family).protocol)
        if options.listen:
            say(f"nobody answered. Scan a code of goods again and again now ({_LISTEN_S:g} s for each speed)")
            found = listen_baud(real, bauds=bauds, listen_s=_LISTEN_S)
    except OSError as error:
        raise open_error("scanner", path, error) from error
    if found is None:
        raise NothingFoundError(
            f"{path}: nobody answered. Many scanners never answer: run it again with --listen and scan codes. A "
            "scanner in keyboard mode is on no port at all: see pos-agent devices"
        )
    return _Answer(found, "plain")


def _say(words: str) -> None:
    print(words, file=sys.stderr)


def _quiet(_: str) -> None:
    """Say nothing."""


def lasting_name(path: str, inventory: Inventory) -> str:
    """Return the name to configure: by-id for a unit with a serial number of its own, else by-path (the port)."""
    node = inventory.node(path)
    if node is None or not node.links:
        return path
    serial = next((unit.usb.serial for unit in inventory.units if unit.usb.port == node.usb_port), "")
    wanted = "by-id" if len(serial) >= 6 else "by-path"  # 0001 and the like are on every unit of a batch
    return next((link for link in node.links if f"/{wanted}/" in link), node.links[0])


def _keypad(options: argparse.Namespace) -> Commissioned:
    data = DataFinder(options.data_dir)
    report = make_report(options.config, data=data, root=options.root)
    inventory = take_inventory(options.root)
    find = _find_unit if options.unit else _find_port
    path, nodes, holders = find(options, inventory)
    refuse_held("keypad", path, holders, report)
    _refuse_scanner(nodes, inventory, data)
    toml = f'[devices.keypad]\ndriver = "evdev"\npath = "{path}"\n'
    return Commissioned(toml=toml, why=f"{path} is {' and '.join(nodes)}; all of it will be the till's alone")


_FoundKeypad = tuple[str, tuple[str, ...], tuple[Holder, ...]]


def _find_unit(options: argparse.Namespace, inventory: Inventory) -> _FoundKeypad:
    path = f"usb:{options.unit.lower()}"
    nodes = _nodes(path, options.root)
    holders, _ = units_holders(path, inventory)
    return path, nodes, holders


def _find_port(options: argparse.Namespace, inventory: Inventory) -> _FoundKeypad:
    path: str = options.port
    if not (options.root / path.lstrip("/")).exists():
        raise NoHardwareError("keypad", f"{path} does not exist; pos-agent devices lists the ports")
    node = inventory.node(path)
    by_path = next((link for link in (node.links if node else ()) if "/by-path/" in link), path)
    nodes = tuple(
        one.path for one in inventory.nodes if node and one.usb_port == node.usb_port and one.kind == node.kind
    )
    return by_path, nodes or (path,), node.holders if node is not None else holders_of(path, options.root)


def _nodes(path: str, root: Path) -> tuple[str, ...]:
    from drivers.keypad.nodes import find_nodes  # noqa: PLC0415 - only for keypads

    find: Callable[..., tuple[str, ...]] = find_nodes
    try:
        found = find(path, system=root / "sys/class/input", devices=Path("/dev/input"))
    except OSError as error:
        raise NoHardwareError("keypad", f"{path}: {error.strerror}") from error
    return found


def _refuse_scanner(nodes: tuple[str, ...], inventory: Inventory, data: DataFinder) -> None:
    """Raise if this keyboard is a scanner that types: it would enter amounts (field.md 10)."""
    from drivers.recognise import load_knowledge  # noqa: PLC0415 - as above

    knowledge = load_knowledge(data.find)
    for unit in inventory.units:
        if {node.path for node in unit.nodes} & set(nodes):
            known = recognise(unit.usb, knowledge)
            if known is not None and known.role == "scanner":
                raise NothingFoundError(f"that is a scanner, not a keypad. {known.zh} {known.en}")
