"""What every commissioning shares: its result, and that nobody else has the device."""

from pathlib import Path

import msgspec

from drivers.inventory import Inventory
from drivers.links.holders import Holder
from pos_agent.app.attached import Report, holders_of
from pos_agent.errors import ClaimedError, NoHardwareError, PosAgentError


class NothingFoundError(PosAgentError):
    """The device did not show what it is; what to try is in the text."""

    code = "E-COMMISSION"


class Commissioned(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: the section to write, and why."""

    toml: str
    why: str


def refuse_if_held(device: str, path: str, report: Report, inventory: Inventory, root: Path) -> None:
    """Raise if the port is absent, or if anybody has it.

    Raises:
        NoHardwareError: There is no such node.
        ClaimedError: The daemon, or another process, has it open; or the daemon is configured to.
    """
    if not (root / path.lstrip("/")).exists():
        raise NoHardwareError(device, f"{path} does not exist; pos-agent devices lists the ports")
    node = inventory.node(path)
    names = {path, *((node.path, *node.links) if node is not None else ())}
    holders = node.holders if node is not None else holders_of(path, root)
    refuse_held(device, path, holders, report)
    if report.daemon_pid:
        for wanted in report.configured:
            if names & {wanted.where, _real(wanted.where, root)} or _real(path, root) == _real(wanted.where, root):
                message = f"{path} is the {wanted.role} of the running pos-agent (pid {report.daemon_pid})"
                raise ClaimedError(device, f"{message}: systemctl stop pos-agent first")


def refuse_held(device: str, what: str, holders: tuple[Holder, ...], report: Report) -> None:
    """Raise if anybody has it.

    Raises:
        ClaimedError: The daemon, or another process.
    """
    if any(holder.pid == report.daemon_pid for holder in holders):
        message = f"{what} is in use by the running pos-agent (pid {report.daemon_pid}): systemctl stop pos-agent first"
        raise ClaimedError(device, message)
    if holders:
        raise ClaimedError(device, f"{what} is held by {holders[0].name} (pid {holders[0].pid}): end that first")


def _real(path: str, root: Path) -> str:
    return str((root / path.lstrip("/")).resolve()) if path.startswith("/") else path
