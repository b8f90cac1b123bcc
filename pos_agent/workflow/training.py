"""The training mode (payments.md 9d, case 45): requests live in memory, nothing is committed or sent.

Its sales are `pos_agent.domain.training`'s; every other number is refused. Slips do print, marked 演示 无效. The mode
ends when it is left, at sign-out and at a restart; MENU signs out by itself, so it cannot stand open over night.
"""

from datetime import datetime
from typing import Final

import msgspec

from pos_agent.domain.events import LookUpAnswered
from pos_agent.domain.refund import MoneyMoved, OriginalReference, RefundRequest, RefundState, RefundUpdate
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.domain.training import training_sale
from pos_agent.journal.records import RefundRecord
from pos_agent.workflow import effects as fx
from pos_agent.workflow.situation import Situation

#: More are forgotten, the oldest first.
MAX_RECORDS: Final = 50


class Training:
    """What was practised since the mode began.

    Attributes:
        records: Newest first; shared with the situation, which shows them.
    """

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self.records: list[RefundRecord] = []

    def look_up(
        self, lookup_id: str, reference: OriginalReference, now: datetime, operator_limit_minor: int
    ) -> LookUpAnswered:
        """Answer for the back office, which is never asked: a training sale, or a refusal."""
        sale = training_sale(reference.value, now=now, operator_limit_minor=operator_limit_minor)
        if sale is None:
            return LookUpAnswered(LookUpResult(lookup_id=lookup_id, outcome=LookUpOutcome.REFUSED, code="not_training"))
        return LookUpAnswered(LookUpResult(lookup_id=lookup_id, outcome=LookUpOutcome.FOUND, sale=sale))

    def keep(self, request: RefundRequest) -> RefundRequest:
        """Remember a request in place of the journal; return it."""
        assert request.is_training
        record = RefundRecord(request=request, update=None, was_send_attempted=False, is_stored=False, is_held=False)
        self.records.insert(0, record)
        del self.records[MAX_RECORDS:]
        return request

    def perform(self, effect: fx.Effect) -> bool:
        """Perform an effect on what was practised; return False for one that is the same in both modes."""
        match effect:
            case fx.OpenRequest(number, index):
                self._show(self._by_number(number) if number else self._by_index(index))
            case fx.FindRequest(digits):
                self._show(self._by_number(digits))
            case fx.Withdraw(number):
                self._withdraw(number)
            case fx.AnswerQuestion() | fx.CloseShift():
                pass
            case _:
                return False
        return True

    def _show(self, record: RefundRecord | None) -> None:
        self._situation.show(record)

    def _by_number(self, digits: str) -> RefundRecord | None:
        return next((r for r in self.records if r.request.refund_request_id.endswith(digits)), None)

    def _by_index(self, index: int) -> RefundRecord | None:
        return self.records[index % len(self.records)] if self.records else None

    def _withdraw(self, number: str) -> None:
        for place, record in enumerate(self.records):
            if record.request.refund_request_id == number:
                at = self._situation.facts.now
                update = RefundUpdate(
                    refund_request_id=number,
                    state=RefundState.CANCELED,
                    epoch=0,
                    seq=1,
                    money_moved=MoneyMoved.NO,
                    at=at,
                )
                self.records[place] = msgspec.structs.replace(record, update=update)
                self._show(self.records[place])
