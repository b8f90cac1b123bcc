"""Scanned or typed → `Code`, with the local journal's answer (D14). Nothing is kept here, nothing is logged."""

from typing import Final

from pos_agent.domain.clock import Clock
from pos_agent.domain.codes import ClassifyContext, Code, CodeKind, classify
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from pos_agent.domain.training import TRAINING_NUMBERS
from pos_agent.journal.store import Journal
from pos_agent.workflow.ports import KeyedHashPort

#: Kinds that a hit in the local journal can change; for the others it is not asked.
_JOURNAL_DECIDES: Final = frozenset(CodeKind) - {
    CodeKind.OWN_SLIP,
    CodeKind.APPROVAL,
    CodeKind.CHANNEL_TRADE_NO,
    CodeKind.ORDER_NO,
}


class Classifier:
    """Asks the questions of D14 in their order."""

    def __init__(self, journal: Journal | None, keyed_hash: KeyedHashPort, policy: PolicyConfig, clock: Clock) -> None:
        self._journal = journal
        self._keyed_hash = keyed_hash
        self._policy = policy
        self._clock = clock

    async def classify(
        self, data: str, symbology: str, *, is_typed: bool = False, is_training: bool = False
    ) -> tuple[Code, OriginalReference | None]:
        """Return what it is; a number that may be a payment code leaves here as its keyed hash only."""
        if is_training and data.strip() in TRAINING_NUMBERS:
            return Code(CodeKind.KNOWN_ORDER, len(data.strip()), data.strip()), None
        code = classify(data, symbology, context=self._context(is_known=False, is_typed=is_typed))
        if code.kind not in _JOURNAL_DECIDES or self._journal is None:
            return code, None
        number = data.strip()
        if await self._journal.refunds_by_reference(number):
            return classify(data, symbology, context=self._context(is_known=True, is_typed=is_typed)), None
        if code.kind is not CodeKind.AMBIGUOUS:
            return code, None
        hashed = OriginalReference(ReferenceKind.ORDER_NO_HASH, self._keyed_hash.order_no_hash(number))
        if await self._journal.refunds_by_reference(hashed.value):
            return Code(CodeKind.KNOWN_ORDER, code.length), hashed
        return code, hashed

    def _context(self, *, is_known: bool, is_typed: bool) -> ClassifyContext:
        return ClassifyContext(
            today=self._clock.now().astimezone().date() if self._clock.is_trusted() else None,
            window_days=self._policy.window_days,
            order_patterns=self._policy.order_patterns,
            is_known=is_known,
            is_typed=is_typed,
        )
