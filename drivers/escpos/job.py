"""One job on its way into the printer, watched while it runs, and what its end may be called (D13).

All bytes accepted is `sent`; also idle for the estimated printing time with a clean status before and after is
`sent_clean`; an answer asked for behind the last byte is `processed` or `confirmed` (`drivers.escpos.proof`). Anything
that happened inside makes the job `unknown`, whatever was answered.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from drivers.escpos.link import PrinterLink
from drivers.escpos.profile import Profile, Tier
from drivers.escpos.proof import Ladder
from drivers.escpos.status_watch import StatusWatch
from drivers.escpos.timing import estimate_print_s
from pos_agent.devices.interfaces import PrinterStatus, PrintReport
from pos_agent.domain.slip import PrintOutcome
from pos_agent.errors import CoverOpenError, OfflineError, PaperEndError, PrinterError

_LOG = logging.getLogger(__name__)
#: How often a printer is looked at while it prints, waits for paper, or takes no bytes.
WATCH_S = 0.25
#: Without any byte accepted and without a known cause for this long, a person is told.
STALL_S = 3.0
#: How long an answer may take beyond the estimated printing time, and how far the estimate may be wrong.
ANSWER_GRACE_S = 1.0
ANSWER_SHARE = 1.5
#: Nothing more said for this long: what was owed has come. Source: devices.md section 9, "probe timeout 300 ms".
QUIET_MS = 300
_DEVICE = "printer"


def raise_unless_ready(status: PrinterStatus) -> None:
    """Refuse a job that could not begin.

    Raises:
        PaperEndError, CoverOpenError, OfflineError, PrinterError: Why not.
    """
    if status.is_online:
        return
    if status.rec_empty:
        raise PaperEndError(_DEVICE, "no paper")
    if status.cover_open:
        raise CoverOpenError(_DEVICE, "cover open")
    if status.code == "E_NOHARDWARE":
        raise OfflineError(_DEVICE, "not open")
    raise PrinterError(_DEVICE, status.code)


class _Before(NamedTuple):
    """What had been heard when the job began."""

    unknown_count: int
    owed: int
    paper_answers: int


class Job:
    """One job; `run` it once."""

    def __init__(
        self,
        link: PrinterLink,
        watch: StatusWatch,
        profile: Profile,
        ladder: Ladder,
        *,
        on_paused: Callable[[str], None],
        watch_s: float,
    ) -> None:
        self._link = link
        self._watch = watch
        self._profile = profile
        self._ladder = ladder
        self._on_paused = on_paused
        self._watch_s = watch_s
        self._accepted = 0
        self._stop_count = watch.stop_count
        self._was_interrupted = False
        self._told = ""

    async def run(self, data: bytes) -> PrintReport:
        """Send the job and find out how it ended.

        Raises:
            PaperEndError, CoverOpenError, PrinterError, OfflineError: Before a byte was accepted.
        """
        proved = Tier.SENT
        try:
            proved = await self._print(data)
        except OfflineError:
            if not self._accepted:
                raise
            _LOG.info("printer lost inside a job accepted=%d total=%d", self._accepted, len(data))
            self._was_interrupted = True
        return PrintReport(
            outcome=PrintOutcome.UNKNOWN if self._was_interrupted else PrintOutcome(proved.value),
            accepted_bytes=min(self._accepted, len(data)),
            was_interrupted=self._was_interrupted,
        )

    async def _print(self, data: bytes) -> Tier:
        """Send the job with the question of the highest tier behind it; go down the ladder while nothing is answered.

        The question goes out in one stream with the job: half a command would swallow the beginning of the next slip.
        """
        share = min(1.0, self._profile.buffer_bytes / max(len(data), 1))
        print_s = estimate_print_s(data, self._profile) * share
        before = _Before(self._watch.unknown_count, self._ladder.owed, self._ladder.paper_answers)
        tier = self._ladder.tier
        await self._send(data + self._ladder.request())
        accepted_at_s = self._now_s()
        while tier.rank >= Tier.PROCESSED.rank:
            left_s = accepted_at_s + print_s * ANSWER_SHARE + ANSWER_GRACE_S - self._now_s()
            if await self._is_answered(tier, before.paper_answers, max(left_s, ANSWER_GRACE_S)):
                return tier if await self._is_proof(tier, before) else Tier.SENT_CLEAN
            if self._was_interrupted:
                return Tier.SENT
            self._ladder.fell_silent(tier)
            tier = self._ladder.tier
            await self._send(self._ladder.request())
        await self._await_rest(accepted_at_s + print_s)
        return tier

    async def _send(self, data: bytes) -> None:
        """Hand over all bytes; after a stop inside too, so that the printer's parser stays in step."""
        sent, last_progress_s = 0, self._now_s()
        while sent < len(data):
            count = await self._write(data[sent : sent + self._profile.chunk_bytes])
            sent += count
            if count:
                last_progress_s = self._now_s()
                self._told = ""
                if sent == len(data):
                    break
            await self._look(may_wait=not count, since_s=last_progress_s)
        await self._hand_over()

    async def _hand_over(self) -> None:
        """Wait for what the link took and the printer did not yet: "accepted" is a word about the printer."""
        waiting, last_progress_s = self._link.unsent_bytes, self._now_s()
        while waiting:
            await self._look(may_wait=True, since_s=last_progress_s)
            left = self._link.unsent_bytes
            if left < waiting:
                last_progress_s = self._now_s()
                self._told = ""
            elif left and self._watch.status.is_online:
                await asyncio.sleep(min(self._watch_s, 0.01))
            waiting = left

    async def _look(self, *, may_wait: bool, since_s: float) -> None:
        status = await self._watch.poll()
        self._note(status)
        if not status.is_online:
            await asyncio.sleep(self._watch_s)
        elif may_wait and self._now_s() - since_s > STALL_S:
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

    async def _is_answered(self, tier: Tier, answers: int, timeout_s: float) -> bool:
        """Return whether the question was answered in time, and nothing stopped the printer before."""
        deadline_s = self._now_s() + timeout_s
        while True:
            self._note(await self._watch.poll(max(1, round(self._watch_s * 1000))))
            if self._was_interrupted:
                return False
            if self._ladder.is_confirmed if tier is Tier.CONFIRMED else self._ladder.paper_answers > answers:
                return True
            if self._now_s() >= deadline_s:
                return False

    async def _is_proof(self, tier: Tier, before: "_Before") -> bool:
        """An answer without an id is a proof only if it can be to nothing else, and was not found in noise."""
        if tier is Tier.CONFIRMED:
            return True
        if before.owed:
            self._note(await self._watch.poll(QUIET_MS))
        self._ladder.settle()
        return not before.owed and self._watch.unknown_count == before.unknown_count

    async def _await_rest(self, deadline_s: float) -> None:
        """Watch the printer for as long as it may still print what was accepted."""
        while not self._was_interrupted:
            self._note(await self._watch.poll())
            left_s = deadline_s - self._now_s()
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
            raise_unless_ready(status)
        self._was_interrupted = True
        self._tell(status.code)

    def _tell(self, code: str) -> None:
        if code != self._told:
            self._told = code
            self._on_paused(code)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
