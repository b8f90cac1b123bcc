"""Performs effects: the journal directly, the rest through ports. Decides nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.events import CommitFailed, Event, RefundCommitted
from pos_agent.domain.identifiers import REQUEST_ID_LENGTH, make_refund_request_id
from pos_agent.domain.refund import RefundRequest, RefundState
from pos_agent.domain.slip import SlipKind
from pos_agent.errors import JournalError, PosAgentError, RemoteProtocolError, SignatureError
from pos_agent.journal.records import PrintJobRecord
from pos_agent.journal.store import Journal
from pos_agent.workflow import effects as fx
from pos_agent.workflow.assemble import Origin, assemble
from pos_agent.workflow.drafts import Moment, make_draft, offered
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Fresh, RefundEntry
from pos_agent.workflow.ports import (
    ApprovalPort,
    IncidentPort,
    KeyedHashPort,
    LookUpPort,
    PinPort,
    RandomPort,
    SlipPort,
    SpoolerPort,
)
from pos_agent.workflow.recorder import Recorder
from pos_agent.workflow.situation import Situation
from pos_agent.workflow.states import State
from pos_agent.workflow.training import Training

_logger = logging.getLogger(__name__)
#: Rows of FN 5: more are counted, nobody pages through 100,000.
_QUEUE_ROWS = 500
#: What a copy is made of, the first that exists: the customer wants the newest word.
_COPY_ORDER = (SlipKind.RESULT, SlipKind.REJECT, SlipKind.REQUEST_CUSTOMER, SlipKind.REQUEST_MERCHANT)


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The rooms beside the workflow, as it sees them."""

    lookup: LookUpPort
    pins: PinPort
    slips: SlipPort
    spooler: SpoolerPort
    random: RandomPort
    keyed_hash: KeyedHashPort
    approvals: ApprovalPort
    incidents: IncidentPort | None = None


class Performer:
    """Does what the machine asks for, except drawing and timers.

    Attributes:
        lookup_id: The look-up whose answer is awaited; answers to others are dropped.
        attempt_id: The PIN check whose answer is awaited.
        recorder: What happened lately.
    """

    def __init__(
        self,
        *,
        journal: Journal | None,
        ports: Ports,
        clock: Clock,
        terminal: TerminalConfig,
        boot_id: str,
        machine: RefundMachine,
        situation: Situation,
        policy_version: str,
        put: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._source = journal
        self._ports = ports
        self._clock = clock
        self._terminal = terminal
        self._boot_id = boot_id
        self._machine = machine
        self._situation = situation
        self._policy_version = policy_version
        self._put = put
        self._operator_no = ""
        self._training: Training | None = None
        self.recorder = Recorder(machine)
        self._chain: asyncio.Task[None] | None = None
        self.lookup_id = ""
        self.attempt_id = 0

    @property
    def _journal(self) -> Journal:
        assert self._source is not None, "there are no requests in the SAFE state"
        return self._source

    def moment(self) -> Moment:
        """Return now, for drafts."""
        return Moment(now=self._clock.now(), boottime_s=self._clock.boottime_s(), boot_id=self._boot_id)

    async def offer(self, operator_no: str) -> tuple[tuple[RefundEntry, State] | None, bool]:
        """Return what may be offered to who has just signed in, and whether there is a draft that may not.

        A draft that cannot be read keeps nobody from signing in: nothing was promised with it.
        """
        try:
            draft = await self._source.load_draft() if self._source is not None else None
        except JournalError as error:
            _logger.error("draft not read code=%s error=%s", error.code, error)
            draft = None
        found = None if draft is None else offered(draft, operator_no, self.moment())
        return found, draft is not None and found is None

    async def close(self) -> None:
        """Let what was begun become durable."""
        if self._chain is not None:
            await asyncio.gather(self._chain, return_exceptions=True)

    async def perform(self, effect: fx.Effect) -> None:
        """Perform one effect."""
        training = self._training if self._machine.context.is_training else None
        if training is None or not self._practise(training, effect):
            await self._perform(effect)

    async def _perform(self, effect: fx.Effect) -> None:  # noqa: C901 - one arm an effect: a table in words
        match effect:
            case fx.LookUp(reference):
                self.lookup_id = self._ports.random.token()
                operator_no = self._machine.context.operator_no
                self._ports.lookup.look_up(self.lookup_id, reference, operator_no)
            case fx.CancelLookUp():
                self._cancel_look_up()
            case fx.CheckPin(operator_no, pin):
                self.attempt_id += 1
                self._ports.pins.check(self.attempt_id, operator_no, pin)
            case fx.Commit():
                self._later(self._commit_request(self._assemble(effect)))
            case fx.Refresh(number):
                self._ports.lookup.refresh(number)
            case fx.OpenRequest(number, index):
                await self._open(number, index)
            case fx.FindRequest(digits):
                await self._find(digits)
            case fx.LoadQueue():
                self._situation.facts.queue = tuple(await self._journal.money_rows(with_acked=False, limit=_QUEUE_ROWS))
            case fx.Withdraw(number):
                await self._journal.request_withdraw(number, self._machine.context.operator_no)
                await self._situation.refresh()
            case fx.AnswerQuestion(number, text):
                await self._journal.answer_question(number, text, self._machine.context.operator_no)
                await self._situation.refresh()
            case fx.SetTraining(is_on):
                self._training = Training(self._situation) if is_on else None
                self._situation.practise(None if self._training is None else self._training.records)
                self._later(self._audit("training.started" if is_on else "training.ended", {}))
                await self._situation.refresh()
            case _:
                self._perform_later(effect)

    def _perform_later(self, effect: fx.Effect) -> None:
        """Perform what nothing on the screen waits for, in order, behind the screen: a slow disk freezes no key."""
        match effect:
            case fx.SaveDraft():
                draft = make_draft(self._machine.state, self._machine.context, self.moment())
                if draft is not None:
                    self._later(self._journal.save_draft(draft))
            case fx.DropDraft(cause):
                self._later(self._journal.drop_draft(cause))
            case fx.PrintCopy() | fx.PrintQuestion() | fx.PrintPolicy() | fx.CloseShift():
                self._later(self._print(effect))
            case fx.PausePrinting(is_paused):
                self._ports.spooler.set_paused(is_paused)
                self._situation.pause_printing(is_paused=self._ports.spooler.is_paused)
            case fx.AcceptPrinter():
                self._ports.spooler.accept_printer()
            case fx.SaveIncident():
                saved = self.save_incident("key")
                self._machine.context.message = "incident.saved" if saved else "incident.failed"
                self._machine.context.message_parameters = {"name": saved.split("-")[-1].partition(".")[0]}
            case fx.SignedIn():
                self._operator_no = self._machine.context.operator_no
                self._situation.count_recent(self._operator_no)
                self._later(self._audit("operator.signed_in", {}))
            case fx.SignedOut(cause):
                self._later(self._audit("operator.signed_out", {"cause": cause}))
            case _:
                raise TypeError(f"no performer for {type(effect).__name__}")

    def save_incident(self, cause: str) -> str:
        """Write the recorder's ring; return the file's name, empty if that failed."""
        incidents = self._ports.incidents
        if incidents is None:
            return ""
        try:
            name = incidents.save(self.recorder.encoded(cause, max_bytes=incidents.max_bytes))
        except OSError as error:
            _logger.error("incident not saved cause=%s error=%s", cause, error)
            return ""
        _logger.warning("incident saved cause=%s file=%s", cause, name)
        return name

    def _later(self, work: Coroutine[Any, Any, object]) -> None:
        self._chain = asyncio.create_task(self._after(self._chain, work), name="workflow.journal")

    async def _after(self, earlier: "asyncio.Task[None] | None", work: Coroutine[Any, Any, object]) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        try:
            await work
        except JournalError as error:
            _logger.error("journal work failed code=%s error=%s", error.code, error)
        except Exception:  # supervisor: nobody waits for this task, and what is queued behind it must run
            _logger.exception("journal work failed")

    def _practise(self, training: Training, effect: fx.Effect) -> bool:
        """Perform an effect of the training mode; return False for one that is the same in both modes."""
        match effect:
            case fx.LookUp(reference):
                self.lookup_id = self._ports.random.token()
                limit_minor = self._machine.rules.policy.operator_limit_minor
                answer = training.look_up(self.lookup_id, reference, self._clock.now(), limit_minor)
                self._later(self._put_now(answer))
            case fx.Commit():
                request = training.keep(self._assemble(effect))
                self._later(self._print_training_slips(request))
            case fx.SaveDraft() | fx.DropDraft() | fx.Refresh():
                pass
            case _:
                return training.perform(effect)
        return True

    async def _put_now(self, event: Event) -> None:
        await self._put(event)

    async def _print_training_slips(self, request: RefundRequest) -> None:
        for slip in self._ports.slips.request_slips(request):
            await self._journal.add_print_job(slip)
        await self._put(RefundCommitted(request.refund_request_id))

    # -- look-up and commit ---------------------------------------------------------------------------------------

    def _cancel_look_up(self) -> None:
        if self.lookup_id:
            self._ports.lookup.cancel(self.lookup_id)
            self.lookup_id = ""

    def fresh(self) -> Fresh:
        """Return what an approval question needs that nobody can guess."""
        return Fresh(
            refund_request_id=make_refund_request_id(self._ports.random.random_18()),
            nonce=self._ports.random.token(),
            boot_id=self._boot_id,
        )

    def read_answer(self, code: str) -> tuple[ApprovalAnswer | None, str]:
        """Return the answer in a scanned code, or what is wrong with it; of the code only its length is logged."""
        try:
            return self._ports.approvals.read_answer(code), ""
        except (SignatureError, RemoteProtocolError) as error:
            problem = "forged" if isinstance(error, SignatureError) else "damaged"
            _logger.warning("approval refused problem=%s length=%d", problem, len(code))
            return None, problem

    def _assemble(self, commit: fx.Commit) -> RefundRequest:
        number = commit.refund_request_id or make_refund_request_id(self._ports.random.random_18())
        origin = Origin(
            refund_request_id=number,
            operator_no=self._machine.context.operator_no,
            created_at=self._clock.now(),
            is_clock_trusted=self._clock.is_trusted(),
            boot_id=self._boot_id,
            approval=commit.approval,
        )
        return assemble(commit.entry, origin, self._terminal, self._policy_version)

    async def _commit_request(self, request: RefundRequest) -> None:
        """Commit; the answer is an event, so that a slow fsync freezes neither keypad nor display (D1).

        SAVING waits for that answer without a time-out: there is one, whatever goes wrong.
        """
        number = request.refund_request_id
        try:
            request = await self._linked(request)
            await self._journal.commit_refund(request, self._ports.slips.request_slips(request))
        except JournalError as error:
            _logger.error("request not kept refund_request_id=%s code=%s error=%s", number, error.code, error)
            await self._put(CommitFailed(number, error.code))
        except Exception:  # supervisor of the cashier's wait; a commit that raises has kept nothing
            _logger.exception("request not kept refund_request_id=%s", number)
            await self._put(CommitFailed(number, PosAgentError.code))
        else:
            _logger.info("request kept refund_request_id=%s amount_minor=%d", number, request.amount_minor)
            self._situation.note_request(request.operator_no)
            self._situation.count_recent(request.operator_no)
            await self._put(RefundCommitted(number))

    async def _linked(self, request: RefundRequest) -> RefundRequest:
        """Return the request, linked to an earlier one for the same sale that was rejected (case 28)."""
        earlier = await self._journal.refunds_by_reference(request.original_reference.value)
        rejected = (record for record in earlier if record.state is RefundState.REJECTED)
        previous = next(rejected, None)
        if previous is None:
            return request
        return msgspec.structs.replace(request, previous_request_id=previous.request.refund_request_id)

    # -- enquiries and copies -------------------------------------------------------------------------------------

    async def _open(self, number: str, index: int) -> None:
        if number:
            await self._situation.open(await self._journal.refund(number))
            return
        found = await self._journal.newest_refunds(1, index)
        if not found and index:
            self._machine.context.browse = 0
            found = await self._journal.newest_refunds(1, 0)
        await self._situation.open(found[0] if found else None)

    async def _find(self, digits: str) -> None:
        if len(digits) == REQUEST_ID_LENGTH:
            await self._situation.open(await self._journal.refund(digits))
            return
        found = await self._journal.refunds_by_tail(digits)
        await self._situation.open(found[0] if found else None)

    async def _print(self, effect: fx.PrintCopy | fx.PrintQuestion | fx.PrintPolicy | fx.CloseShift) -> None:
        match effect:
            case fx.PrintCopy(number):
                await self._print_copy(number)
            case fx.PrintQuestion(question):
                await self._print_question(question)
            case fx.PrintPolicy():
                await self._journal.add_print_job(self._ports.slips.policy_slip())
            case fx.CloseShift():
                await self._journal.close_shift(self._operator_no, self._ports.slips.shift_slip)

    async def _print_copy(self, refund_request_id: str) -> None:
        original = _to_copy(await self._journal.slips(refund_request_id))
        if original is None:
            return
        copy_no = await self._journal.next_copy_no(refund_request_id, original.kind)
        await self._journal.add_print_job(self._ports.slips.copy(original.document, copy_no))

    async def _print_question(self, question: ApprovalQuestion) -> None:
        slip = self._ports.slips.approval_slip(
            question, self._ports.approvals.question_code(question), self._clock.now()
        )
        await self._journal.add_print_job(slip)
        asked = {"refund_request_id": question.refund_request_id, "amount_minor": str(question.amount_minor)}
        await self._audit("approval.asked", asked)

    async def _audit(self, event: str, data: dict[str, str]) -> None:
        await self._journal.audit(event, self._operator_no, data)


def _to_copy(jobs: list[PrintJobRecord]) -> PrintJobRecord | None:
    originals = {job.kind: job for job in jobs if job.copy_no == 0}
    return next((originals[kind] for kind in _COPY_ORDER if kind in originals), None)
