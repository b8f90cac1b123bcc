"""The receipt printer of the till: `pos_agent.devices.interfaces.POSPrinter` over ESC/POS.

One job at a time (`drivers.escpos.job`); what its end is called is what was proved (D13).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from drivers.escpos import extras
from drivers.escpos.encoder import encode
from drivers.escpos.job import WATCH_S, Job, raise_unless_ready
from drivers.escpos.link import PrinterLink
from drivers.escpos.memory import Keeper
from drivers.escpos.profile import Profile
from drivers.escpos.proof import Ladder
from drivers.escpos.raster import LineRasterizer, can_draw_qr
from drivers.escpos.status_watch import StatusWatch
from drivers.escpos.timing import measure
from drivers.escpos.wear import Forecast, Wear, forecast
from drivers.links.opener import Opener
from pos_agent.devices.interfaces import EventSink, PrinterStatus, PrintReport
from pos_agent.domain.events import DeviceName
from pos_agent.domain.slip import SlipDocument
from pos_agent.errors import DeviceError, OfflineError, PrinterError

_LOG = logging.getLogger(__name__)
#: How often a printer that waits for a person is asked again.
READY_POLL_S = 1.0
#: A status this young need not be asked for again before the first byte.
FRESH_S = 0.05


class EscposPrinter:
    """An ESC/POS printer on a link.

    Args:
        profile: What the model can do.
        link: Made by the caller; opened and closed here. Its idle polls go to `take_idle`.
        sink: Gets `DeviceStatusChanged`.
        watch_s: Time between looks; tests shorten it.
        keeper: What is remembered over restarts; None = nothing.
    """

    def __init__(
        self,
        profile: Profile,
        link: PrinterLink,
        *,
        sink: EventSink,
        watch_s: float = WATCH_S,
        keeper: Keeper | None = None,
    ) -> None:
        self._profile = profile
        self._link = link
        self._ladder = Ladder(profile)
        self._watch = StatusWatch(profile, link, sink, self._ladder, notice=self._notice)
        self._watch_s = watch_s
        self._counters: Counter[str] = Counter()
        self._keeper = keeper or Keeper(None, profile_id=profile.profile_id, opener=Opener())
        self._in_use = asyncio.Lock()
        self._wear = Wear()
        self._is_own = True
        self._roll_changes = 0
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
        return {
            **self._counters,
            **self._forecast().statistics(sees_paper=self._sees_paper),
            "PaperFedMm": round(self._wear.total_mm),
            "PaperCutCount": self._wear.cuts,
            "ReceiptCoverOpenCount": self._watch.cover_openings,
            "UnknownStatusByteCount": self._watch.unknown_count,
        }

    def _forecast(self) -> Forecast:
        return forecast(self._wear, self._profile.life, is_near_end=self._watch.facts.rec_near_end)

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
            await self._identify()
            await self._watch.opened()
        except BaseException:
            await self.close()
            raise

    async def _identify(self) -> None:
        """Notice that another printer hangs on the cable: what the first one could prove says nothing about it."""
        identity = self._link.identity
        is_own = self._keeper.is_accepted(identity)
        if is_own and identity:  # a link that cannot tell says nothing about the printer that is remembered
            await self._keeper.accept(identity)
        elif not is_own:
            _LOG.warning("another printer, lowest tier until somebody says that it is ours now=%s", identity)
            self._counters["PrinterSwapCount"] += 1
        self._take_for(is_own=is_own)
        self._wear = self._keeper.wear_of(identity)
        self._roll_changes = self._watch.roll_changes

    def _take_for(self, *, is_own: bool) -> None:
        self._is_own = is_own
        self._watch.trust(is_trusted=is_own)
        self._ladder.trust(is_trusted=is_own)

    def _notice(self) -> str:
        if not self._is_own:
            return "printer_swapped"
        self._note_roll()
        return "paper_low" if self._sees_paper and self._forecast().is_low else ""

    @property
    def _sees_paper(self) -> bool:
        """Without a paper sensor nobody sees the new roll, and the count would warn for ever."""
        return self._watch.facts.rec_empty is not None

    async def accept(self) -> bool:
        """Take the printer that is there for the till's own; see `pos_agent.devices.interfaces.ReplaceablePrinter`."""
        if self._is_own or not self._watch.is_open:
            return False
        async with self._in_use:
            await self._keeper.accept(self._link.identity)
            self._take_for(is_own=True)
            await self._watch.refresh()
            self._watch.tell()
        return True

    async def close(self) -> None:
        """Release the printer; idempotent."""
        self._watch.closed()
        await self._keeper.flush()
        await self._link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when the printer was unplugged or switched off."""
        error = await self._link.wait_lost()
        self._watch.closed()
        return error

    def take_idle(self, port_status: int | None, data: bytes) -> None:
        """Use what the link's idle poll found."""
        self._watch.take(port_status, data)

    def _note_roll(self) -> None:
        """Begin to count anew when paper has come back."""
        if self._watch.roll_changes != self._roll_changes:
            self._roll_changes = self._watch.roll_changes
            self._wear = self._wear.after_roll_change()

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
            with suppress(TimeoutError):  # not wait_for(): Python 3.11's loses a cancellation that meets the event
                async with asyncio.timeout(READY_POLL_S):
                    await self._watch.changed.wait()

    async def print_job(self, data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        """Send one job; see `pos_agent.devices.interfaces.POSPrinter.print_job`.

        Raises:
            PaperEndError, CoverOpenError, PrinterError: Not ready; nothing was sent.
            OfflineError: Gone before a byte was sent.
        """
        async with self._in_use:
            raise_unless_ready(self.status if self._watch.age_s() < FRESH_S else await self._watch.poll())
            job = Job(self._link, self._watch, self._profile, self._ladder, on_paused=on_paused, watch_s=self._watch_s)
            report = await job.run(data)
        await self._count(data, report)
        return report

    async def _count(self, data: bytes, report: PrintReport) -> None:
        usage = measure(data[: report.accepted_bytes], self._profile)
        self._note_roll()
        self._wear = self._wear.after_slip(usage, usage.duration_s(self._profile))
        self._counters["ReceiptJobCount"] += 1
        self._counters["ReceiptBytesAccepted"] += report.accepted_bytes
        if report.was_interrupted:
            self._counters["ReceiptJobInterruptedCount"] += 1
        self._watch.tell()
        await self._keeper.note(self._wear)

    @property
    def wear(self) -> Wear:
        """Return what this printer has done; `drivers.escpos.memory` keeps it over restarts."""
        return self._wear

    async def open_drawer(self) -> bool:
        """Open the cash drawer; False = the profile knows of none. Waits for a slip under way.

        Raises:
            DeviceError: Not ready, or gone.
        """
        return await self._command(extras.open_drawer(self._profile))

    async def sound(self) -> bool:
        """Sound the buzzer once; False = the profile knows of none, or a slip is under way: late is worse than never.

        Raises:
            DeviceError: Not ready, or gone.
        """
        return not self._in_use.locked() and await self._command(extras.beep(self._profile))

    async def _command(self, command: bytes) -> bool:
        """Send a few bytes between two slips, whole or not at all."""
        if not command:
            return False
        async with self._in_use:
            raise_unless_ready(await self._watch.poll())
            if await self._link.write(command) < len(command):
                raise PrinterError(self.name, "E_BUSY")
        return True
