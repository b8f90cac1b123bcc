"""Questions to the back office: never journalled, answered within 8 s or not at all."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.events import LookUpAnswered
from pos_agent.domain.refund import OriginalReference
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.errors import BrokerError, LocalProtocolError
from pos_agent.protocol import codec
from pos_agent.protocol.messages import RefundStatusMessage, SaleAnswerMessage, SaleLookUpMessage
from pos_agent.protocol.topics import Leaf
from pos_agent.sync._link import LinkView
from pos_agent.sync._sender import Sender

_log = logging.getLogger(__name__)
#: How long a cashier waits for a look-up.
TIMEOUT_S: Final = 8.0
#: The broker drops a question that is older: nobody waits for its answer.
_EXPIRY_S: Final = 10
Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class LookUp:
    """Asks for sales and states; implements `pos_agent.workflow.ports.LookUpPort`.

    An answer counts only if it is signed, for this terminal, and bound to a question that is still open.
    """

    def __init__(self, sender: Sender, link: LinkView, *, sink: EventSink, spawn: Spawn) -> None:
        self._sender = sender
        self._link = link
        self._sink = sink
        self._spawn = spawn
        self._open: dict[str, asyncio.TimerHandle] = {}
        self.unasked = 0

    def look_up(self, lookup_id: str, reference: OriginalReference, operator_no: str) -> None:
        """Ask for a sale; the answer comes as `LookUpAnswered`, NO_ANSWER after 8 s or at once if offline."""
        message = SaleLookUpMessage(
            terminal_id=self._sender.terminal_id, lookup_id=lookup_id, reference=reference, operator_no=operator_no
        )
        timer = asyncio.get_running_loop().call_later(TIMEOUT_S, self._give_up, lookup_id)
        self._open[lookup_id] = timer
        if self._link.may_be_present:
            self._spawn(self._ask(lookup_id, codec.encode(message)), f"look-up {lookup_id}")
        else:
            self._give_up(lookup_id)

    def refresh(self, refund_request_id: str) -> None:
        """Ask for the newest state of a request; the answer comes as `RefundChanged`, or not at all."""
        if self._link.may_be_present:
            tag = secrets.token_hex(8)
            message = RefundStatusMessage(
                terminal_id=self._sender.terminal_id, lookup_id=tag, refund_request_id=refund_request_id
            )
            self._spawn(self._ask(tag, codec.encode(message)), f"status {refund_request_id}")

    def cancel(self, lookup_id: str) -> None:
        """Forget a question; its answer is dropped."""
        timer = self._open.pop(lookup_id, None)
        if timer is not None:
            timer.cancel()

    def give_up_all(self) -> None:
        """The link is gone: nobody will answer."""
        for lookup_id in list(self._open):
            self._give_up(lookup_id)

    def take_answer(self, message: SaleAnswerMessage) -> None:
        """Pass on an answer that somebody waits for."""
        timer = self._open.pop(message.result.lookup_id, None)
        if timer is None:
            self.unasked += 1
            return
        timer.cancel()
        self._link.prove()
        self._sink(LookUpAnswered(message.result))

    async def _ask(self, lookup_id: str, payload: bytes) -> None:
        try:
            result = await self._sender.send_payload(Leaf.UP_QUERY, payload, expiry_s=_EXPIRY_S, tag=lookup_id)
        except (BrokerError, LocalProtocolError) as error:
            _log.warning("question not sent error=%s", error)
            self._give_up(lookup_id)
        else:
            if result.is_refused or result.has_no_subscribers:
                self._give_up(lookup_id)

    def _give_up(self, lookup_id: str) -> None:
        timer = self._open.pop(lookup_id, None)
        if timer is not None:
            timer.cancel()
            self._sink(LookUpAnswered(LookUpResult(lookup_id=lookup_id, outcome=LookUpOutcome.NO_ANSWER)))
