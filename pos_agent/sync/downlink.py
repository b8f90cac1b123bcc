"""Broker → journal → ack. Only what a pinned key of the back office signed for this terminal is believed (D15)."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.clock import Clock
from pos_agent.domain.events import RefundChanged
from pos_agent.domain.refund import FINAL_STATES, RefundRequest, RefundUpdate
from pos_agent.domain.slip import SlipDocument
from pos_agent.errors import BrokerError, JournalError, RemoteProtocolError, SignatureError, UnsupportedVersionError
from pos_agent.journal.records import RefundRecord
from pos_agent.journal.store import Journal
from pos_agent.mqtt.messages import InboundMessage
from pos_agent.protocol import codec
from pos_agent.protocol.envelope import DOWN_TYPE, unseal
from pos_agent.protocol.messages import (
    CLEARING_STATUSES,
    AckStatus,
    AppAckMessage,
    BackOfficePresenceMessage,
    DownMessage,
    RefundStateMessage,
    SaleAnswerMessage,
    StateAckMessage,
    SyncChallengeMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, parse_terminal_topic
from pos_agent.sync._link import REFUSED_CODE, LinkView
from pos_agent.sync._sender import Sender
from pos_agent.sync.keys import SyncKeys
from pos_agent.sync.lookup import LookUp
from pos_agent.sync.presence import Presence
from pos_agent.sync.uplink import Uplink

_log = logging.getLogger(__name__)


class ForeignMessageError(RemoteProtocolError):
    """Signed by the back office, but for another terminal or another topic."""


class ResultSlips(Protocol):
    """Makes the slips that a state brings; `pos_agent.printing.slips` behind it."""

    def __call__(self, request: RefundRequest, update: RefundUpdate, *, now: datetime) -> Sequence[SlipDocument]:
        """Return the slips, often none."""


class Downlink:
    """Verifies, dispatches, acknowledges."""

    def __init__(
        self,
        journal: Journal,
        sender: Sender,
        link: LinkView,
        *,
        keys: SyncKeys,
        uplink: Uplink,
        presence: Presence,
        look_up: LookUp,
        result_slips: ResultSlips,
        clock: Clock,
        sink: EventSink,
    ) -> None:
        self._journal = journal
        self._sender = sender
        self._link = link
        self._keys = keys
        self._uplink = uplink
        self._presence = presence
        self._look_up = look_up
        self._result_slips = result_slips
        self._clock = clock
        self._sink = sink
        self.counters: dict[str, int] = {}

    async def take(self, message: InboundMessage) -> None:
        """Deal with one message; it is acknowledged to the broker whatever it was.

        What could not be kept is not lost by that: the back office sends a state until our own ack, and we send a row
        until its ack.

        Our own ack goes out behind that of the broker: were a message held until the PUBACK of our ack, a broker that
        sends many would be read no more, the PUBACKs among what is not read, and nothing would move until a time-out.
        """
        answer: StateAckMessage | None = None
        try:
            answer = await self._dispatch(message.topic, self._verified(message), is_retained=message.is_retained)
        except RemoteProtocolError as error:
            self._count(_cause(error), message.topic, error)
        except (JournalError, BrokerError) as error:
            _log.error("message not taken topic=%s error=%s", message.topic, error)
        except Exception as error:  # noqa: BLE001 - supervisor of one message: no loop of crash and redelivery
            _log.exception("message not taken topic=%s", message.topic)
            self._count("defect", message.topic, error)
        finally:
            message.ack()
        if answer is not None:
            await self._acknowledge(answer)

    async def _acknowledge(self, answer: StateAckMessage) -> None:
        """Send our ack; if it is lost, the state comes again."""
        try:
            await self._sender.send(Leaf.UP_ACK, answer)
        except BrokerError as error:
            _log.debug("ack not sent refund_request_id=%s error=%s", answer.refund_request_id, error)

    def _verified(self, message: InboundMessage) -> DownMessage:
        """Return the message, or raise RemoteProtocolError."""
        payload, _ = unseal(message.payload, payload_type=DOWN_TYPE, keys=self._keys.back_office)
        found = codec.decode_down(payload)
        if isinstance(found, BackOfficePresenceMessage):
            if message.topic != BACK_OFFICE_STATE:
                raise ForeignMessageError("presence on another topic")
            return found
        own = self._sender.terminal_id
        place = parse_terminal_topic(message.topic)
        if found.terminal_id != own or place is None or place[0] != own:
            raise ForeignMessageError("signed for another terminal")
        return found

    async def _dispatch(self, topic: str, message: DownMessage, *, is_retained: bool) -> StateAckMessage | None:
        """Deal with one message; return what is to be answered."""
        match message:
            case AppAckMessage():
                await self._take_ack(message)
            case RefundStateMessage():
                return await self._take_state(message.update)
            case SaleAnswerMessage():
                self._look_up.take_answer(message)
            case SyncReplyMessage():
                if await self._presence.take_reply(message):
                    self._uplink.resume()
                    self._link.set_code("")
                else:
                    self._count("stale", topic, "sync reply to no open page")
            case SyncChallengeMessage():
                if not self._presence.take_challenge(message):
                    self._count("stale", topic, "challenge to no open comparison")
            case BackOfficePresenceMessage():
                self._take_presence(message, is_retained=is_retained)
        return None

    async def _take_ack(self, ack: AppAckMessage) -> None:
        if ack.kind == "sync":
            if not self._presence.is_refused(ack):
                self._count("stale", Leaf.DOWN_ACK, "refusal of another comparison's page")
            elif ack.status not in CLEARING_STATUSES:
                await self._journal.audit("sync.refused", "back_office", {"status": ack.status, "detail": ack.detail})
                self._uplink.block(ack.detail or ack.status)
                self._link.set_code(REFUSED_CODE)
            return
        await self._uplink.take_ack(ack)
        if ack.epoch > self._presence.epoch:
            self._presence.compare()  # the back office was restored: see what it lacks

    def _take_presence(self, said: BackOfficePresenceMessage, *, is_retained: bool) -> None:
        was_news, is_restart = self._link.take_presence(said)
        if not was_news:
            self._count("stale", BACK_OFFICE_STATE, "old presence")
        elif not said.is_online:
            self._look_up.give_up_all()
            self._uplink.stand_by()
        elif is_restart or (not is_retained and not self._link.is_proved):
            # It came after our pages went out: nobody heard them. A retained word was there before, so they were heard.
            self._presence.compare()
        self._uplink.nudge()

    async def _take_state(self, update: RefundUpdate) -> StateAckMessage:
        record = await self._journal.refund(update.refund_request_id)
        slips = () if record is None else self._result_slips(record.request, update, now=self._clock.now())
        if await self._journal.apply_update(update, slips):
            status = AckStatus.STORED
            self._sink(RefundChanged(update))
        else:
            # Read again: an earlier message may have been committed since.
            status = _status_of_refused(await self._journal.refund(update.refund_request_id), update)
            if status is AckStatus.CONFLICT:
                self._count("conflict", Leaf.DOWN_REFUND, f"refund_request_id={update.refund_request_id}")
        return StateAckMessage(
            terminal_id=self._sender.terminal_id,
            refund_request_id=update.refund_request_id,
            epoch=update.epoch,
            seq=update.seq,
            status=status,
        )

    def _count(self, cause: str, topic: str, detail: object) -> None:
        """Count; the first of a cause is logged, the rest would only fill the disk."""
        number = self.counters.get(cause, 0) + 1
        self.counters[cause] = number
        level = logging.WARNING if number == 1 else logging.DEBUG
        _log.log(level, "message refused cause=%s count=%d topic=%s detail=%s", cause, number, topic[:120], detail)


def _cause(error: RemoteProtocolError) -> str:
    match error:
        case SignatureError():
            return "unsigned"
        case ForeignMessageError():
            return "foreign"
        case UnsupportedVersionError():
            return "unsupported"
        case _:
            return "malformed"


def _status_of_refused(record: RefundRecord | None, update: RefundUpdate) -> AckStatus:
    """Tell why a state changed nothing: known already, or it cannot be."""
    if record is None:
        return AckStatus.CONFLICT
    known = record.update
    is_contradiction = (
        known is not None
        and known.state in FINAL_STATES
        and update.state is not known.state
        and update.order > known.order
    )
    return AckStatus.CONFLICT if is_contradiction else AckStatus.DUPLICATE
