"""What is attached, what it is taken for, what the configuration names, and who holds it.

Works without a daemon and beside one: it reads sysfs, /proc and the status socket, and opens no device.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from drivers.inventory import Inventory, Node, take_inventory
from drivers.links.holders import Holder
from drivers.recognise import Knowledge, Recognised, load_knowledge, recognise
from pos_agent.app.device_check import check_devices
from pos_agent.control.server import read_status
from pos_agent.domain.config import Config, DisplayConfig, PrinterConfig
from pos_agent.errors import ConfigError
from pos_agent.protocol.control import Status
from pos_agent.settings import DataFinder, load_config

#: Links of a printer that is named by its USB id.
_BY_USB_ID: Final = ("usb", "libusb")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A USB unit; `recognised` None = nothing that a till knows."""

    port: str
    usb: str
    name: str
    serial: str
    nodes: tuple[Node, ...]
    holders: tuple[Holder, ...]
    recognised: Recognised | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A device that the configuration names.

    Attributes:
        where: Its path, or its USB id.
        is_there: None = cannot be seen from here (a network printer).
        code: What the running daemon says about it; empty = in use, or no daemon.
        known: What this till has found out about it, in words.
    """

    role: str
    driver: str
    where: str
    is_there: bool | None
    holders: tuple[Holder, ...] = ()
    is_online: bool | None = None
    code: str = ""
    known: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `daemon_pid` 0 = none answers; `problem`: why the configuration cannot be used."""

    units: tuple[Found, ...]
    ports: tuple[Node, ...]
    configured: tuple[Wanted, ...]
    daemon_pid: int
    sees_all_holders: bool
    problem: str = ""


def is_trouble(wanted: Wanted, daemon_pid: int) -> bool:
    """Return whether a person has to do something: it is absent, or somebody else than the daemon holds it."""
    others = [holder for holder in wanted.holders if holder.pid != daemon_pid]
    return wanted.is_there is False or bool(others)


def make_report(config_path: Path, *, data: DataFinder, root: Path) -> Report:
    """Look at everything.

    Args:
        config_path: The till's configuration; may be missing or broken.
        data: Finds config/devices.
        root: ``/``, or a tree made by a test.
    Raises:
        ConfigError: The shipped data is broken.
    """
    inventory = take_inventory(root)
    knowledge = load_knowledge(data.find)
    config, problem = _config(config_path, data)
    status = _status(config)
    return Report(
        units=tuple(_found(inventory, knowledge)),
        ports=inventory.other_nodes,
        configured=tuple(_wanted(config, inventory, status, root)) if config is not None else (),
        daemon_pid=0 if status is None else status.pid,
        sees_all_holders=inventory.is_complete,
        problem=problem,
    )


def _config(path: Path, data: DataFinder) -> tuple[Config | None, str]:
    """Return the configuration, if it could be read, and what is wrong with it."""
    config = None
    try:
        loaded = load_config(path, policy_path=data.find("policy.toml"))
        config = loaded.config
        check_devices(loaded, data)
    except ConfigError as error:
        return config, f"{error.code}: {error}"
    return config, ""


def _status(config: Config | None) -> Status | None:
    """Ask the daemon; None = none is running."""
    if config is None:
        return None
    try:
        return read_status(Path(config.terminal.runtime_dir))
    except (OSError, msgspec.DecodeError):
        return None


def _found(inventory: Inventory, knowledge: Knowledge) -> Iterator[Found]:
    for unit in inventory.units:
        yield Found(
            port=unit.usb.port,
            usb=f"{unit.usb.vendor}:{unit.usb.product}",
            name=unit.usb.name,
            serial=unit.usb.serial,
            nodes=unit.nodes,
            holders=unit.holders,
            recognised=recognise(unit.usb, knowledge),
        )


def _wanted(config: Config, inventory: Inventory, status: Status | None, root: Path) -> Iterator[Wanted]:
    devices = config.devices
    yield from _at_path("scanner", devices.scanner.driver, devices.scanner.path, inventory, status, root)
    folder = root / config.terminal.data_dir.lstrip("/")
    for wanted in _printer(devices.printer, inventory, status, root):
        yield msgspec.structs.replace(wanted, known=tuple(_known_of_printer(devices.printer, status, folder)))
    yield from _at_path("keypad", devices.keypad.driver, devices.keypad.path, inventory, status, root)
    displays: dict[str, DisplayConfig] = {
        "operator_display": devices.operator_display,
        "customer_display": devices.customer_display,
    }
    for role, display in displays.items():
        if display.driver != "none":
            yield from _at_path(role, display.driver, display.path, inventory, status, root)


def _printer(config: PrinterConfig, inventory: Inventory, status: Status | None, root: Path) -> Iterator[Wanted]:
    driver = f"{config.driver}, {config.link}"
    if config.link in _BY_USB_ID:
        yield from _at_path("printer", driver, f"usb:{config.usb}" if config.usb else "", inventory, status, root)
    elif config.link == "tcp" and config.path:
        yield _with_status(Wanted(role="printer", driver=driver, where=config.path, is_there=None), status)
    else:
        yield from _at_path("printer", driver, config.path, inventory, status, root)


def _known_of_printer(config: PrinterConfig, status: Status | None, folder: Path) -> Iterator[str]:
    """Say what commissioning found out, and how long the paper will last."""
    from drivers.escpos.build import read_overlay  # noqa: PLC0415 - only for tills with a printer

    overlay = read_overlay(folder)
    if overlay is None:
        yield f"not commissioned, as {config.profile} says: pos-agent devices commission printer"
    elif overlay.base != config.profile:
        yield f"commissioned as {overlay.base}, configured is {config.profile}: commission it again"
    else:
        name = " ".join(overlay.models) or "a model that says no name"
        yield f"commissioned {overlay.commissioned_at}: {name}, tier {overlay.facts.tier or 'as the profile says'}"
    slips = paper_left(status)
    if slips is not None:
        yield f"paper for about {slips} slips"


def paper_left(status: Status | None) -> int | None:
    """Return for how many slips the paper lasts, None = nobody can tell."""
    devices = status.devices if status is not None else ()
    return next((one.counters.get("SlipsLeftCount") for one in devices if one.name == "printer"), None)


def _at_path(
    role: str, driver: str, where: str, inventory: Inventory, status: Status | None, root: Path
) -> Iterator[Wanted]:
    """Give the device with this path or USB id; nothing for an empty one."""
    if not where:
        return
    if where.startswith("usb:"):
        holders, is_there = units_holders(where, inventory)
    else:
        node = inventory.node(where)
        is_there = node is not None or (root / where.lstrip("/")).exists()
        holders = node.holders if node is not None else holders_of(where, root)
    yield _with_status(Wanted(role=role, driver=driver, where=where, is_there=is_there, holders=holders), status)


def units_holders(where: str, inventory: Inventory) -> tuple[tuple[Holder, ...], bool]:
    """Return who holds the units of ``usb:VID:PID[:SERIAL]`` or their nodes, and whether there is one."""
    wanted = where.removeprefix("usb:").lower().split(":", 2)
    units = [
        unit
        for unit in inventory.units
        if [unit.usb.vendor, unit.usb.product, unit.usb.serial.lower()][: len(wanted)] == wanted
    ]
    found = {
        holder.pid: holder
        for unit in units
        for holder in (*unit.holders, *(holder for node in unit.nodes for holder in node.holders))
    }
    return tuple(found.values()), bool(units)


def holders_of(where: str, root: Path) -> tuple[Holder, ...]:
    """Return who has a node open that sysfs does not list: a pty, a link elsewhere."""
    from drivers.links.holders import open_files  # noqa: PLC0415 - only for what is not in the inventory

    target = (root / where.lstrip("/")).resolve()
    real = str(target) if root == Path("/") else f"/{target.relative_to(root.resolve())}"
    return open_files(root / "proc").by_path.get(real, ())


def _with_status(wanted: Wanted, status: Status | None) -> Wanted:
    if status is None:
        return wanted
    device = next((device for device in status.devices if device.name == wanted.role), None)
    if device is None:
        return wanted
    return msgspec.structs.replace(wanted, is_online=device.is_online, code=device.code)
