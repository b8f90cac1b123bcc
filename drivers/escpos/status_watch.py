"""Keeps what is known about the printer up to date and says so when it changes."""

import asyncio
import logging
from collections.abc import Callable

from drivers.escpos.link import PrinterLink
from drivers.escpos.profile import Profile, Tier
from drivers.escpos.proof import Ladder
from drivers.escpos.status import (
    DLE_EOT_REQUESTS,
    ENABLE_ASB,
    Answer,
    Facts,
    PaperStatus,
    ProcessId,
    StatusReader,
    parse_dle_eot,
    parse_port_status,
)
from pos_agent.devices.interfaces import EventSink, PrinterStatus
from pos_agent.domain.events import DeviceName, DeviceStatusChanged

_LOG = logging.getLogger(__name__)
#: How long an answer to DLE EOT may take. Source: devices.md section 9, "probe timeout 300 ms".
REPLY_TIMEOUT_S = 0.3
#: Long enough for bytes that have arrived; 0 would mean "for ever" to libusb.
READ_MS = 1
REPLY_READ_MS = 20


class StatusWatch:
    """Collects facts from every source that the profile trusts.

    `notice` says what else a person should know; "" = nothing.

    Attributes:
        changed: Set at each change of the status, and when the printer comes or goes.
        stop_count: How often the printer stopped. Between two looks it may stop and go on again (a cover that is
            knocked open and shut, both reports read at once): whoever claims a clean slip must know.
        stop_code: Why it stopped last.
        roll_changes: How often paper came back.
        cover_openings: How often the cover was opened.
    """

    def __init__(
        self, profile: Profile, link: PrinterLink, sink: EventSink, ladder: Ladder, *, notice: Callable[[], str]
    ) -> None:
        self._full_profile = profile
        self._link = link
        self._sink = sink
        self._ladder = ladder
        self._unknown_count = 0
        self._use_profile(profile)
        self._facts = Facts()
        self._told = ""
        self._is_open = False
        self._needs_asb = False
        self._polled_at_s = float("-inf")
        self.changed = asyncio.Event()
        self.stop_count = 0
        self.stop_code = ""
        self.roll_changes = 0
        self.cover_openings = 0
        self._notice = notice

    def _use_profile(self, profile: Profile) -> None:
        self._profile = profile
        self._reader = StatusReader(
            has_process_id=profile.has_process_id, has_transmit_status=profile.has_transmit_status
        )
        self._is_heard = profile.has_asb or profile.tier.rank >= Tier.PROCESSED.rank

    def trust(self, *, is_trusted: bool) -> None:
        """Ask what the profile says, or nothing: another printer would print the questions (field.md 18)."""
        self._unknown_count += self._reader.unknown_count
        self._use_profile(self._full_profile if is_trusted else self._full_profile.asking_nothing())
        self._needs_asb = self._profile.has_asb
        self._facts = Facts()

    @property
    def facts(self) -> Facts:
        """Return what has been heard."""
        return self._facts

    @property
    def status(self) -> PrinterStatus:
        """Return the newest status, without I/O."""
        sensor = self._full_profile.drawer_sensor
        return self._facts.status(is_open=self.is_open, notice=self._notice(), drawer_sensor=sensor)

    @property
    def unknown_count(self) -> int:
        """Return how many received bytes were of no known class."""
        return self._unknown_count + self._reader.unknown_count

    @property
    def is_open(self) -> bool:
        """Return True from the end of `opened` to `closed` or the link's loss."""
        return self._is_open and self._link.is_open

    def age_s(self) -> float:
        """Return how long ago the printer was asked."""
        return asyncio.get_running_loop().time() - self._polled_at_s

    async def opened(self) -> None:
        """Start afresh with a printer that was just opened.

        Raises:
            OfflineError: It is gone again.
        """
        self._reader.reset()
        self._facts = Facts()
        self._told = ""
        self._needs_asb = self._profile.has_asb
        await self.refresh()
        self._is_open = True
        self.changed.set()
        # Told after whoever opened the printer has told that it is there, not before.
        asyncio.get_running_loop().call_soon(self.tell)

    def closed(self) -> None:
        """Forget everything; nothing is known about a printer that is away."""
        self._is_open = False
        self.changed.set()

    async def refresh(self) -> PrinterStatus:
        """Ask every trusted source and return the status.

        Raises:
            OfflineError: The printer is gone.
        """
        if self._needs_asb:  # refused while off line by some printers: tried again
            self._needs_asb = await self._link.write(ENABLE_ASB) < len(ENABLE_ASB)
        await self.poll()
        # ASB tells changes only: what stops a job is asked again in real time, lest a garbled report stop it for ever.
        if self._profile.has_dle_eot and not (self._profile.has_asb and self._is_fine()):
            await self._ask_dle_eot()
        return self.status

    async def poll(self, wait_ms: int = READ_MS) -> PrinterStatus:
        """Read GET_PORT_STATUS and what the printer has sent, without asking it by commands: safe inside a job.

        Args:
            wait_ms: How long to wait for something to be said.
        Raises:
            OfflineError: The printer is gone.
        """
        port_status = await self._link.port_status()
        data = await self._link.read(wait_ms) if self._is_heard else b""
        self._polled_at_s = asyncio.get_running_loop().time()
        self.take(port_status, data)
        return self.status

    def take(self, port_status: int | None, data: bytes) -> None:
        """Use what a poll found: GET_PORT_STATUS (None = not answered) and received bytes."""
        if port_status is not None and self._profile.has_port_status:
            self._merge(self._port_facts(port_status))
        for answer in self._reader.feed(data):
            self._use(answer)
        self.tell()

    def _use(self, answer: Answer) -> None:
        match answer:
            case Facts() if self._profile.has_asb:
                self._merge(answer)
            case ProcessId(identifier=identifier):
                self._ladder.take_process_id(identifier)
            case PaperStatus(facts=facts):
                self._ladder.take_paper_status()
                self._merge(facts)
            case _:  # an answer to DLE EOT belongs to whoever asked
                pass

    def _port_facts(self, port_status: int) -> Facts:
        """Where ASB tells paper, cover and error apart, the port's one byte must not overrule it."""
        facts = parse_port_status(port_status)
        return Facts() if self._profile.has_asb and self._facts.is_offline is not None else facts

    async def _ask_dle_eot(self) -> None:
        for n, request in enumerate(DLE_EOT_REQUESTS, 1):
            if await self._link.write(request) < len(request):
                return  # refused while off line: the port status has said so
            answer = await self._await_reply()
            if answer is None:
                _LOG.debug("no answer to DLE EOT n=%d", n)
                return
            self._merge(parse_dle_eot(n, answer))
        self.tell()

    async def _await_reply(self) -> int | None:
        deadline_s = asyncio.get_running_loop().time() + REPLY_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline_s:
            found = list(self._reader.feed(await self._link.read(REPLY_READ_MS)))
            for answer in found:
                self._use(answer)
            replies = [answer for answer in found if isinstance(answer, int)]
            if replies:
                return replies[0]
        return None

    def _is_fine(self) -> bool:
        return not self._facts.status(is_open=True).code

    def _merge(self, facts: Facts) -> None:
        was_fine, was_empty, was_open = self._is_fine(), self._facts.rec_empty, self._facts.cover_open
        self._facts = self._facts.merged(facts)
        if self._facts.cover_open and not was_open:
            self.cover_openings += 1
        if was_empty and self._facts.rec_empty is False:
            self.roll_changes += 1
        if was_fine and not self._is_fine():
            self.stop_count += 1
            self.stop_code = self._facts.status(is_open=True).code

    def tell(self) -> None:
        """Say what has changed for a person."""
        if not self.is_open:
            return
        code = self.status.shown_code
        if code == self._told:
            return
        _LOG.info("printer status code=%s", code or "ready")
        self._told = code
        self.changed.set()
        self._sink(DeviceStatusChanged(DeviceName.PRINTER, is_online=True, code=code))
