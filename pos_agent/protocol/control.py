"""What the daemon tells about itself over its local status socket: one JSON line, read only.

A client connects to the Unix socket, optionally sends one line (ignored today), and gets one `Status` line.
"""

import msgspec


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One device as the supervisor sees it. `code` as in `pos_agent.domain.events.DeviceStatusChanged`."""

    name: str
    is_online: bool
    code: str = ""
    counters: dict[str, int] = {}


class OutboxCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the outbox by state."""

    queued: int = 0
    sent: int = 0
    held: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole status.

    Attributes:
        workflow_state: Name of the state of the refund menu, such as ``MENU``; ``SAFE`` in the SAFE state.
        last_request_id: Newest request in the journal, empty if none.
        printer_jobs: Print jobs that are not finished.
        config_version: Version of the pushed configuration in effect; 0 = the till's own file alone.
        config_note: What is under way with it, for people; empty = nothing, or nothing is pushed to this till.
    """

    terminal_id: str
    version: str
    pid: int
    boot_id: str
    uptime_s: float
    workflow_state: str
    view: str
    locale: str
    is_training: bool
    is_broker_connected: bool
    is_back_office_present: bool
    is_clock_trusted: bool
    outbox: OutboxCounts
    printer_jobs: int
    devices: tuple[DeviceStatus, ...]
    last_request_id: str = ""
    safe_code: str = ""
    config_version: int = 0
    config_note: str = ""
