"""The facts on the screen, kept up to date from events and the journal."""

from datetime import datetime

from pos_agent.domain.clock import Clock
from pos_agent.domain.events import (
    PRINTING_PAUSED,
    CertificateChanged,
    DeviceName,
    DeviceStatusChanged,
    KeysWanted,
    LinkChanged,
    PrintJobEnded,
    PrintJobPaused,
    RefundChanged,
    StorageChanged,
)
from pos_agent.domain.refund import FINAL_STATES, RefundState
from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.journal.records import RefundRecord
from pos_agent.journal.store import Journal
from pos_agent.workflow.model import Facts, SlipFacts

#: News of so many requests are remembered for the notice line; older ones are found by enquiry.
MAX_NOTICES = 50
#: Printer codes that only warn: the printer still prints.
PAPER_LOW = frozenset({"EPTR_REC_NEAR_END", "paper_low"})
SWAPPED = "printer_swapped"
WARNINGS = PAPER_LOW | {SWAPPED}

#: Outcomes of a slip that a person can hold (D13); SENT is a printer that never says anything.
_CAME_OUT = frozenset({PrintOutcome.CONFIRMED, PrintOutcome.PROCESSED, PrintOutcome.SENT_CLEAN})
_HOUR_S = 3600.0


class Situation:
    """Keeps `Facts`.

    Attributes:
        facts: What views and guards read.
    """

    def __init__(self, journal: Journal | None, clock: Clock, *, safe_code: str) -> None:
        self._source = journal
        self._clock = clock
        self._recent: list[tuple[str, float]] = []
        self._practice: list[RefundRecord] | None = None
        self.facts = Facts(now=self._now(), safe_code=safe_code)
        self.touch()

    @property
    def _journal(self) -> Journal:
        assert self._source is not None, "there are no requests in the SAFE state"
        return self._source

    def _now(self) -> datetime:
        return self._clock.now().astimezone()

    def touch(self) -> None:
        """Read the clock."""
        self.facts.now = self._now()
        self.facts.is_clock_trusted = self._clock.is_trusted()

    def count_recent(self, operator_no: str) -> None:
        """Count the requests of this operator within the last hour of powered-on time (F4): no clock step hides one."""
        since = self._clock.boottime_s() - _HOUR_S
        self._recent = [(number, at) for number, at in self._recent if at >= since]
        self.facts.recent_requests = sum(number == operator_no for number, _ in self._recent)

    def note_request(self, operator_no: str) -> None:
        """Remember that a request was committed now."""
        self._recent.append((operator_no, self._clock.boottime_s()))

    def on_device(self, event: DeviceStatusChanged) -> None:
        """Keep what is wrong with a device; empty = fine."""
        is_fine = event.is_online and event.code in WARNINGS
        code = "" if is_fine else event.code or ("" if event.is_online else "E_OFFLINE")
        self.facts.devices = {**self.facts.devices, event.device: code}
        if event.device is DeviceName.PRINTER:
            self._set_paused(self._waits_for())
            self.facts.is_paper_low = event.is_online and event.code in PAPER_LOW
            self.facts.is_printer_swapped = event.is_online and event.code == SWAPPED

    def on_standing(self, event: StorageChanged | CertificateChanged | KeysWanted) -> None:
        """Keep what stands on the notice line until it is over."""
        match event:
            case StorageChanged():
                self.facts.storage_code = event.code
            case CertificateChanged():
                self.facts.certificate_code = event.code
            case KeysWanted():
                self.facts.keys_wanted = event.keys

    def on_link(self, event: LinkChanged) -> None:
        """Keep whether the back office can be reached."""
        self.facts.is_broker_connected = event.is_broker_connected
        self.facts.is_back_office_present = event.is_back_office_present
        self.facts.link_code = event.code

    def on_paused(self, event: PrintJobPaused) -> None:
        """Keep why the printer waits, if it is about the shown request."""
        if self._is_shown(event.refund_request_id):
            self._set_paused(event.code)

    def pause_printing(self, *, is_paused: bool) -> None:
        """Keep whether an operator has stopped printing."""
        self.facts.is_printing_paused = is_paused
        self._set_paused(self._waits_for())

    def _waits_for(self) -> str:
        """Return why slips wait, empty = they do not."""
        return PRINTING_PAUSED if self.facts.is_printing_paused else self.facts.devices.get(DeviceName.PRINTER, "")

    def _set_paused(self, code: str) -> None:
        slips = self.facts.slips
        self.facts.slips = SlipFacts(outcomes=slips.outcomes, waiting=slips.waiting, paused_code=code)

    def on_changed(self, event: RefundChanged, *, is_record_visible: bool) -> None:
        """Remember news that nobody has on the screen; `is_record_visible`: the state shows a request at all."""
        update = event.update
        is_news = update.state in FINAL_STATES or update.state in (RefundState.NEED_INFO, RefundState.ABNORMAL)
        if not is_news or (is_record_visible and self._is_shown(update.refund_request_id)):
            return
        others = tuple(number for number in self.facts.notices if number != update.refund_request_id)
        self.facts.notices = (*others, update.refund_request_id)[-MAX_NOTICES:]

    def mark_read(self, refund_request_id: str) -> None:
        """Forget the notice of a request that is shown."""
        self.facts.notices = tuple(number for number in self.facts.notices if number != refund_request_id)

    def on_printed(self, event: PrintJobEnded) -> None:
        """Forget the notice of a result whose slip came out: the paper says it. Without proof the notice stays."""
        if event.kind in (SlipKind.RESULT, SlipKind.REJECT) and event.outcome in _CAME_OUT:
            self.mark_read(event.refund_request_id)

    def _is_shown(self, refund_request_id: str) -> bool:
        record = self.facts.record
        return record is not None and record.request.refund_request_id == refund_request_id

    def practise(self, records: list[RefundRecord] | None) -> None:
        """Show only what was practised, from this list; None = the journal again."""
        self._practice = records
        self.show(None)

    def show(self, record: RefundRecord | None) -> None:
        """Make a request the shown one, with nothing known about its slips."""
        self.facts.record = record
        self.facts.slips = SlipFacts()

    async def open(self, record: RefundRecord | None) -> None:
        """Make a request the shown one."""
        self.show(record)
        if record is not None:
            self.mark_read(record.request.refund_request_id)
            await self._read_slips(record.request.refund_request_id)

    async def _read_slips(self, refund_request_id: str) -> None:
        jobs = await self._journal.slips(refund_request_id)
        self.facts.slips = SlipFacts(
            outcomes=tuple(job.outcome for job in jobs if job.outcome is not None),
            waiting=sum(job.outcome is None for job in jobs),
            paused_code=self._waits_for(),
        )

    async def refresh(self) -> None:
        """Read the shown request and the counts again."""
        self.touch()
        facts = self.facts
        facts.outbox = await self._journal.outbox_counts()
        practice = self._practice
        newest = await self._journal.newest_refunds(1) if practice is None else practice[:1]
        facts.newest = newest[0] if newest else None
        if facts.record is not None:
            number = facts.record.request.refund_request_id
            if practice is None:
                facts.record = await self._journal.refund(number)
            await self._read_slips(number)

    async def load_start(self) -> None:
        """Read what is needed before the first screen."""
        facts = self.facts
        facts.has_operators = bool(await self._journal.operators())
        await self._load_recent()
        await self.refresh()

    async def _load_recent(self) -> None:
        """Count requests of before the restart by wall time, which is all that is left of it.

        A clock that is not trusted may stand anywhere: then the age is reckoned from the newest request, as if no time
        had passed since. That asks for a supervisor too often, never too seldom; the back office counts again (F4).
        """
        boottime_s = self._clock.boottime_s()
        records = await self._journal.newest_refunds(50)
        newest = max((record.request.created_at for record in records), default=self.facts.now)
        now = max(self.facts.now, newest) if self.facts.is_clock_trusted else newest
        for record in records:
            age_s = (now - record.request.created_at).total_seconds()
            if age_s < _HOUR_S:
                self._recent.append((record.request.operator_no, boottime_s - age_s))
