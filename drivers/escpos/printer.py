"""The receipt printer of the till: `pos_agent.devices.interfaces.POSPrinter` over ESC/POS.

One job at a time, watched while it runs. What a job's end is called is what was proved (D13): all bytes accepted is
`sent`; also idle for the estimated printing time with a clean status before and after is `sent_clean`; anything that
happened inside makes it `unknown`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from drivers.escpos.encoder import encode
from drivers.escpos.link import PrinterLink
from drivers.escpos.profile import Profile, Tier, parse_profile
from drivers.escpos.raster import LineRasterizer, can_draw_qr
from drivers.escpos.status_watch import StatusWatch
from drivers.escpos.timing import estimate_print_s
from drivers.links.usb_bulk import UsbBulkLink
from drivers.links.usb_device import parse_usb_address
from pos_agent.devices.interfaces import EventSink, PrinterStatus, PrintReport
from pos_agent.domain.config import PrinterConfig
from pos_agent.domain.events import DeviceName
from pos_agent.domain.slip import PrintOutcome, SlipDocument
from pos_agent.errors import (
    ConfigFileError,
    CoverOpenError,
    DeviceError,
    OfflineError,
    PaperEndError,
    PrinterError,
)

_LOG = logging.getLogger(__name__)
#: How often a printer is looked at while it prints, waits for paper, or takes no bytes.
WATCH_S = 0.25
#: Without any byte accepted and without a known cause for this long, a person is told.
STALL_S = 3.0
#: How often a printer that waits for a person is asked again.
READY_POLL_S = 1.0
#: A status this young need not be asked for again before the first byte.
FRESH_S = 0.05
_DEVICE = "printer"


class EscposPrinter:
    """An ESC/POS printer on a link.

    Args:
        profile: What the model can do.
        link: Made by the caller; opened and closed here. Its idle polls go to `take_idle`.
        sink: Gets `DeviceStatusChanged`.
        watch_s: Time between looks; tests shorten it.
    """

    def __init__(self, profile: Profile, link: PrinterLink, *, sink: EventSink, watch_s: float = WATCH_S) -> None:
        self._profile = profile
        self._link = link
        self._watch = StatusWatch(profile, link, sink)
        self._watch_s = watch_s
        self._counters: Counter[str] = Counter()
        rasterizer = LineRasterizer(profile)
        self._rasterize = rasterizer.line
        self._rasterize_qr = rasterizer.qr if can_draw_qr() else None

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.PRINTER

    @property
    def counters(self) -> Mapping[str, int]:
        """Return UnifiedPOS statistics."""
        return {**self._counters, "UnknownStatusByteCount": self._watch.unknown_count}

    @property
    def profile_id(self) -> str:
        """Return what rendered bytes depend on."""
        return self._profile.identity

    @property
    def status(self) -> PrinterStatus:
        """Return the newest status, without I/O."""
        return self._watch.status

    async def open(self) -> None:
        """Claim the printer and read its status.

        Raises:
            DeviceError: See `pos_agent.devices.interfaces.Device.open`.
        """
        await self._link.open()
        try:
            await self._watch.opened()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release the printer; idempotent."""
        self._watch.closed()
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the printer was unplugged or switched off."""
        error = await self._link.wait_lost()
        self._watch.closed()
        return error

    def take_idle(self, port_status: int | None, data: bytes) -> None:
        """Use what the link's idle poll found."""
        self._watch.take(port_status, data)

    def render(self, document: SlipDocument) -> bytes:
        """Return the job's bytes. Pure, but for reading the font at the first drawn line.

        Raises:
            UnencodableError: A critical line cannot be shown.
        """
        return encode(document, self._profile, rasterize=self._rasterize, rasterize_qr=self._rasterize_qr)

    async def wait_ready(self) -> None:
        """Return when the printer is open, on line and has paper, by a status read now."""
        while True:
            self._watch.changed.clear()
            if not self._watch.is_open:
                await self._watch.changed.wait()
                continue
            try:
                if (await self._watch.refresh()).is_online:
                    return
            except OfflineError as error:
                _LOG.debug("printer lost while waiting cause=%s", error)
            # An unlit paper sensor does not report itself on every model: look again now and then while waiting.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch.changed.wait(), READY_POLL_S)

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        """Send one job; see `pos_agent.devices.interfaces.POSPrinter.print_job`.

        Raises:
            PaperEndError, CoverOpenError, PrinterError: Not ready; nothing was sent.
            OfflineError: Gone before a byte was sent.
        """
        _raise_unless_ready(self.status if self._watch.age_s() < FRESH_S else await self._watch.poll())
        job = _Job(self._link, self._watch, self._profile, on_paused=on_paused, watch_s=self._watch_s)
        report = await job.run(data)
        self._counters["ReceiptJobCount"] += 1
        self._counters["ReceiptBytesAccepted"] += report.accepted_bytes
        if report.was_interrupted:
            self._counters["ReceiptJobInterruptedCount"] += 1
        return report


class _Job:
    """One job on its way into the printer."""

    def __init__(
        self,
        link: PrinterLink,
        watch: StatusWatch,
        profile: Profile,
        *,
        on_paused: Callable[[str], None],
        watch_s: float,
    ) -> None:
        self._link = link
        self._watch = watch
        self._profile = profile
        self._on_paused = on_paused
        self._watch_s = watch_s
        self._accepted = 0
        self._stop_count = watch.stop_count
        self._was_interrupted = False
        self._told = ""

    async def run(self, data: bytes) -> PrintReport:
        try:
            await self._send(data)
            await self._await_end(data)
        except OfflineError:
            if not self._accepted:
                raise
            _LOG.info("printer lost inside a job accepted=%d total=%d", self._accepted, len(data))
            self._was_interrupted = True
        return PrintReport(
            outcome=self._outcome(), accepted_bytes=self._accepted, was_interrupted=self._was_interrupted
        )

    def _outcome(self) -> PrintOutcome:
        if self._was_interrupted:
            return PrintOutcome.UNKNOWN
        return PrintOutcome.SENT_CLEAN if self._profile.tier is Tier.SENT_CLEAN else PrintOutcome.SENT

    async def _send(self, data: bytes) -> None:
        """Hand over all bytes; after a stop inside too, so that the printer's parser stays in step."""
        loop = asyncio.get_running_loop()
        last_progress_s = loop.time()
        while self._accepted < len(data):
            count = await self._write(data[self._accepted : self._accepted + self._profile.chunk_bytes])
            if count:
                last_progress_s = loop.time()
                self._told = ""
                if self._accepted == len(data):
                    return
            status = await self._watch.poll()
            self._note(status)
            if not status.is_online:
                await asyncio.sleep(self._watch_s)
            elif not count and loop.time() - last_progress_s > STALL_S:
                self._tell("E_BUSY")

    async def _write(self, chunk: bytes) -> int:
        try:
            count = await self._link.write(chunk)
        except OfflineError:
            # The printer answered a moment ago, so this transfer was on the wire when it broke, and its count is lost:
            # at least one byte must be assumed, or the slip might come out twice without a mark.
            self._accepted = max(self._accepted, 1)
            raise
        self._accepted += count
        return count

    async def _await_end(self, data: bytes) -> None:
        """Watch the printer for as long as it may still print what was accepted."""
        loop = asyncio.get_running_loop()
        share = min(1.0, self._profile.buffer_bytes / max(len(data), 1))
        deadline_s = loop.time() + estimate_print_s(data, self._profile) * share
        while not self._was_interrupted:
            self._note(await self._watch.poll())
            left_s = deadline_s - loop.time()
            if left_s <= 0:
                self._note(await self._watch.refresh())
                return
            await asyncio.sleep(min(self._watch_s, left_s))

    def _note(self, status: PrinterStatus) -> None:
        has_stopped, self._stop_count = self._watch.stop_count != self._stop_count, self._watch.stop_count
        if status.is_online:
            if has_stopped and self._accepted:  # between two looks, and it goes on already
                self._was_interrupted = True
                self._tell(self._watch.stop_code)
            if self._told != "E_BUSY":
                self._told = ""
            return
        if not self._accepted:
            _raise_unless_ready(status)
        self._was_interrupted = True
        self._tell(status.code)

    def _tell(self, code: str) -> None:
        if code != self._told:
            self._told = code
            self._on_paused(code)


def _raise_unless_ready(status: PrinterStatus) -> None:
    if status.is_online:
        return
    if status.rec_empty:
        raise PaperEndError(_DEVICE, "no paper")
    if status.cover_open:
        raise CoverOpenError(_DEVICE, "cover open")
    if status.code == "E_NOHARDWARE":
        raise OfflineError(_DEVICE, "not open")
    raise PrinterError(_DEVICE, status.code)


def build(config: PrinterConfig, *, sink: EventSink, profile_path: Path, allow_backend_override: bool) -> EscposPrinter:
    """Make the printer that the config names; nothing is opened.

    Args:
        config: With `usb` set.
        sink: Gets the printer's events.
        profile_path: The profile's file in config/devices.
        allow_backend_override: False in production.
    Raises:
        ConfigError: The profile is missing or wrong; the USB id is
            malformed; a backend is named in production.
    """
    try:
        text = profile_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"printer profile {profile_path}: {error}") from error
    profile = parse_profile(text, profile_id=profile_path.stem, text_mode=config.text_mode, tier=config.tier)
    printer: EscposPrinter

    def on_idle(port_status: int | None, data: bytes) -> None:
        printer.take_idle(port_status, data)

    link = UsbBulkLink(
        parse_usb_address(config.usb, interface=profile.interface),
        on_idle=on_idle,
        allow_backend_override=allow_backend_override,
    )
    printer = EscposPrinter(profile, link, sink=sink)
    return printer
