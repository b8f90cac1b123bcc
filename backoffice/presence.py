"""Says that the back office is there: one worker for all, by a lease, and by its will when it dies (ADR 0025).

A worker that does not lead has no will on the topic and leaves presence of the tills to the leader. The broker may
publish a will late, after the next leader has spoken: the term in the signed words tells tills which is newer, and the
leader, who listens to the topic, says its own word again, so that it is the one that the broker keeps.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from backoffice import leadership
from backoffice.clock import Now
from backoffice.leadership import Gone, Worker
from backoffice.refunds import current_epoch
from backoffice.signing import Signer
from backoffice.store.database import Database
from backoffice.transport import Transport
from pos_agent.errors import BrokerError, RemoteProtocolError
from pos_agent.mqtt.messages import LinkState, Properties, Will
from pos_agent.protocol.envelope import DOWN_TYPE
from pos_agent.protocol.messages import BackOfficePresenceMessage
from pos_agent.protocol.topics import BACK_OFFICE_STATE

_log = logging.getLogger(__name__)
#: A leader that is silent for so long (stopped, cut off from the database) is replaced, whatever the broker says of it.
LEASE_S = 15.0
_BEAT_S = 5.0
#: Least time between two corrections: what a broker replays without end must not be answered without end.
_CORRECTION_PAUSE_S = 0.5


class Presence:
    """Part of one worker in the one presence of the whole back office."""

    def __init__(
        self,
        transport: Transport,
        database: Database,
        signer: Signer,
        *,
        now: Now,
        worker: Worker,
        reconnect: Callable[[], None],
    ) -> None:
        """Wire it.

        Args:
            transport: To publish with.
            database: Of the lease.
            signer: Of the words; workers share the key, so that each can read the others'.
            now: Clock.
            worker: Who we are.
            reconnect: Makes the connection anew: a will can only be given, or taken back, with a connection.
        """
        self._transport = transport
        self._database = database
        self._signer = signer
        self._now = now
        self._worker = worker
        self._reconnect = reconnect
        self._wake = asyncio.Event()
        self._link = LinkState(is_connected=False, conn_seq=0)
        self._epoch = 1
        self._term = 0
        self._will_term: int | None = None
        self._said: BackOfficePresenceMessage | None = None
        self._gone: Gone | None = None
        self._is_contradicted = False
        self._corrected_s = float("-inf")
        self._is_leaving = False
        self._speaking = asyncio.Lock()

    @property
    def is_leading(self) -> bool:
        """Return True while this worker speaks for all."""
        return self._term > 0

    def will(self, conn_seq: int) -> Will | None:
        """Return what the broker says when this connection dies, None if we do not lead; runs on the network thread."""
        self._will_term = self._term
        if not self._term:
            return None
        payload = self._signer.seal(self._message(is_online=False, conn_seq=conn_seq))
        return Will(topic=BACK_OFFICE_STATE, payload=payload, delay_s=0, content_type=DOWN_TYPE)

    def take_link(self, link: LinkState) -> None:
        """Hear of the connection."""
        self._link = link
        self._wake.set()

    def take_word(self, payload: bytes, *, is_retained: bool) -> None:
        """Hear what somebody said on the topic: we, another worker, or a broker that repeats an old word.

        A retained word was there before our connection, and before what we say on it; a later one comes unretained.
        """
        word = self._read(payload)
        if word is not None and self._said is not None and _is_same(word, self._said):
            return
        if word is not None and not word.is_online:
            self._gone = Gone(word.instance, word.term)
        self._is_contradicted |= not is_retained
        self._wake.set()

    def _read(self, payload: bytes) -> BackOfficePresenceMessage | None:
        try:
            word = self._signer.unseal(payload)
        except RemoteProtocolError:
            return None
        return word if isinstance(word, BackOfficePresenceMessage) else None

    async def prepare(self) -> None:
        """Stand for the first time, so that the first connection has the right will."""
        self._epoch = await self._database.read(current_epoch)
        await self._stand()

    async def run(self) -> None:
        """Work until cancelled."""
        while not self._is_leaving:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_S):
                    await self._wake.wait()
            self._wake.clear()
            if not self._link.is_connected or self._is_leaving:
                continue
            try:
                async with self._speaking:
                    await self._round()
            except BrokerError as error:
                _log.debug("presence not published: %s", error)
            except Exception:  # noqa: BLE001 - supervisor: the next beat tries again
                _log.exception("presence round failed")

    async def _round(self) -> None:
        """Renew or try to take the lease, and say what must be said."""
        if self._is_leaving:
            return
        is_contradicted, self._is_contradicted = self._is_contradicted, False
        await self._stand()
        if self._term != self._will_term:
            self._reconnect()
            return
        said = self._said
        is_new = said is None or (said.conn_seq, said.term) != (self._link.conn_seq, self._term)
        if self._term and (is_new or is_contradicted):
            if not is_new:
                await self._pause()
            await self._say(is_online=True)

    async def _stand(self) -> None:
        gone, self._gone = self._gone, None
        term = await self._database.write(
            lambda session: leadership.stand(session, self._worker, lease_s=LEASE_S, now=self._now, gone=gone)
        )
        if bool(term) != bool(self._term):
            _log.info("presence leading=%s term=%d worker=%s", bool(term), term, self._worker.name)
        self._term = term

    async def _pause(self) -> None:
        clock_s = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._corrected_s + _CORRECTION_PAUSE_S - clock_s()))
        self._corrected_s = clock_s()

    async def say_offline(self) -> None:
        """Tell all tills that the back office goes, and other workers that they may go on speaking."""
        self._is_leaving = True
        async with self._speaking:
            if not self.is_leading or not self._link.is_connected:
                return
            with contextlib.suppress(BrokerError):
                await self._say(is_online=False)
            with contextlib.suppress(SQLAlchemyError):
                await self._database.write(lambda session: leadership.leave(session, self._worker, self._now))

    async def _say(self, *, is_online: bool) -> None:
        # Noted before it is sent: it may be back from the broker before the PUBACK.
        word = self._said = self._message(is_online=is_online, conn_seq=self._link.conn_seq)
        await self._transport.publish(
            BACK_OFFICE_STATE, self._signer.seal(word), is_retained=True, properties=Properties(content_type=DOWN_TYPE)
        )

    def _message(self, *, is_online: bool, conn_seq: int) -> BackOfficePresenceMessage:
        return BackOfficePresenceMessage(
            is_online=is_online,
            instance=self._worker.instance,
            conn_seq=conn_seq,
            epoch=self._epoch,
            at=self._now(),
            term=self._term,
        )


def _is_same(word: BackOfficePresenceMessage, said: BackOfficePresenceMessage) -> bool:
    """Return True for the echo of what we said last; said twice, it is the same word."""
    own = (said.instance, said.epoch, said.term, said.conn_seq, said.is_online)
    return own == (word.instance, word.epoch, word.term, word.conn_seq, word.is_online)
