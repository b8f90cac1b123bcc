"""One connection, from CONNECT to its loss, around a paho client that is never used again.

Source for paho's ways (2.x): loop_read / loop_write / loop_misc are its public interface for other loops. With
`on_socket_register_write` set it never writes from inside `publish`, so all writing happens in `_turn`.
"""

import logging
import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pos_agent.errors import BrokerRefusedError, BrokerUnreachableError, LocalProtocolError
from pos_agent.mqtt import _properties, _tls
from pos_agent.mqtt._commands import Command, Outlet, Publish, Reconnect, SendAck, Stop, settle, settle_error
from pos_agent.mqtt.messages import InboundMessage, PublishResult, Subscription, Will
from pos_agent.mqtt.settings import MAXIMUM_PACKET_BYTES, MqttSettings

_log = logging.getLogger(__name__)
#: Bad user name, not authorized, banned: our identity, not the network. Source: MQTT 5.0 section 3.2.2.2.
_IDENTITY_REFUSED: Final = frozenset({0x86, 0x87, 0x8A, 0x8C})
#: Packet too large. Source: MQTT 5.0 section 4.13.
_TOO_LARGE: Final = 0x95
#: Fixed header, topic length, packet id and properties of a PUBLISH, generously.
_PACKET_OVERHEAD_BYTES: Final = 1024
_GOODBYE_S: Final = 1.0


class AttemptLostError(Exception):
    """The connection is over. `code` is E-NET, E-CLOCK or E-CERT."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Attempt:
    """One connection; lives on the network thread alone."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        context: _tls.ClosingContext | None,
        will: Will | None,
        subscriptions: tuple[Subscription, ...],
        outlet: Outlet,
        on_message: Callable[[InboundMessage], None],
        when_up: Callable[[int], None],
        submit: Callable[[Command], None],
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._outlet = outlet
        self._give = on_message
        self._when_up = when_up
        self._submit = submit
        self._window = settings.window
        self._largest_bytes = MAXIMUM_PACKET_BYTES
        self._in_flight: dict[int, tuple[Publish, float]] = {}
        self._waiting: deque[Publish] = deque()
        self._held = 0
        self._is_up = False
        self._lost: AttemptLostError | None = None
        self._last_log = ""
        self._deadline = 0.0
        self._client = self._make_client(context, will)

    # -- life ---------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Open TCP and TLS and write CONNECT; blocks at most the connect time-out for each.

        Raises:
            OSError: No connection (ssl.SSLError among them).
        """
        settings = self._settings
        self._client.connect(
            settings.host,
            settings.port,
            keepalive=settings.keep_alive_s,
            clean_start=False,
            properties=_properties.connect(settings),
        )
        self._deadline = monotonic() + settings.connect_timeout_s

    def serve(self, wake_fd: int, take: Callable[[], list[Command]]) -> bool:
        """Serve until the connection is lost or a stop comes; return True for the stop.

        Raises:
            AttemptLostError: The connection is lost.
        """
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise AttemptLostError(_tls.CODE_NET, "no socket after connect")
        poller = select.poll()
        poller.register(wake_fd, select.POLLIN)
        poller.register(sock, select.POLLIN)
        interest, misc_at = select.POLLIN, monotonic() + self._misc_s
        while self._client.socket() is not None and self._lost is None:
            wanted = self._interest()
            if wanted != interest:
                poller.modify(sock, wanted)
                interest = wanted
            ready = dict(poller.poll(self._wait_ms(misc_at)))
            if wake_fd in ready and self._obey(take()):
                self._say_goodbye()
                return True
            self._turn(sock, is_readable=bool(ready.get(sock.fileno(), 0) & ~select.POLLOUT))
            if monotonic() >= misc_at:
                self._client.loop_misc()
                misc_at = monotonic() + self._misc_s
            self._check_deadlines()
            self._outlet.flush()
        raise self._lost or AttemptLostError(self._loss_code(), self._last_log or "connection closed")

    @property
    def _misc_s(self) -> float:
        return self._settings.keep_alive_s / 4

    def _interest(self) -> int:
        # A broker that ignores our Receive Maximum is not read until what it sent is dealt with.
        reading = select.POLLIN if self._held <= 4 * self._settings.receive_maximum else 0
        return reading | (select.POLLOUT if self._client.want_write() else 0)

    def _turn(self, sock: socket.socket, *, is_readable: bool) -> None:
        if is_readable:
            self._client.loop_read()
            pending = getattr(sock, "pending", None)  # bytes that TLS has decrypted already wake no poll
            while pending is not None and self._client.socket() is not None and pending():
                self._client.loop_read()
        self._fill_window()
        if self._client.want_write() and self._client.socket() is not None:
            self._client.loop_write()

    def _wait_ms(self, misc_at: float) -> float:
        until = misc_at
        if not self._is_up:
            until = min(until, self._deadline)
        if self._in_flight:
            until = min(until, next(iter(self._in_flight.values()))[1])
        return max(0.0, until - monotonic()) * 1000

    def _check_deadlines(self) -> None:
        now = monotonic()
        if not self._is_up and now >= self._deadline:
            self._lose(_tls.CODE_NET, "no CONNACK or SUBACK in time")
        elif self._in_flight and now >= next(iter(self._in_flight.values()))[1]:
            self._lose(_tls.CODE_NET, "the broker owes a PUBACK too long")

    def _loss_code(self) -> str:
        """Tell why a connection that closed without a word did so."""
        if self._is_up or not self._settings.is_encrypted:
            return _tls.CODE_NET
        own = _tls.own_certificate_code(self._settings.cert_file, _tls.wall_time_s())
        return own or (_tls.CODE_CERT if "ALERT" in self._last_log.upper() else _tls.CODE_NET)

    def _lose(self, code: str, detail: str) -> None:
        if self._lost is None:
            self._lost = AttemptLostError(code, detail)

    def _say_goodbye(self) -> None:
        """Write what waits and DISCONNECT, so that the broker drops the will."""
        self._client.disconnect()
        until = monotonic() + _GOODBYE_S
        while (sock := self._client.socket()) is not None and monotonic() < until:
            poller = select.poll()
            poller.register(sock, select.POLLOUT)
            poller.poll(_GOODBYE_S * 1000)
            if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS or not self._client.want_write():
                break

    def close(self) -> None:
        """Close the socket and fail what is un-acked: it may or may not have arrived."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.close()
        left = [publish for publish, _ in self._in_flight.values()] + list(self._waiting)
        self._in_flight.clear()
        self._waiting.clear()
        for publish in left:
            self._outlet.post(settle_error, publish.future, BrokerUnreachableError("connection lost before PUBACK"))
        self._outlet.flush()

    # -- commands -----------------------------------------------------------------------------------------------

    def _obey(self, commands: list[Command]) -> bool:
        is_stop = is_leaving = False
        for command in commands:
            match command:
                case Publish():
                    self._waiting.append(command)
                case SendAck():
                    self._send_ack(command)
                case Reconnect():
                    is_leaving = True
                case Stop():
                    is_stop = True
        self._fill_window()
        if is_leaving and not is_stop:
            self._say_goodbye()
            raise AttemptLostError(_tls.CODE_NET, "connecting again as asked")
        return is_stop

    def _send_ack(self, command: SendAck) -> None:
        if command.owner is self:
            self._held -= 1
            if command.qos:
                self._client.ack(command.mid, command.qos)

    def _fill_window(self) -> None:
        while self._waiting and len(self._in_flight) < self._window:
            publish = self._waiting.popleft()
            if not publish.future.cancelled():
                self._publish(publish)

    def _publish(self, publish: Publish) -> None:
        size = len(publish.payload) + len(publish.topic) + _PACKET_OVERHEAD_BYTES
        if size > MAXIMUM_PACKET_BYTES:
            error = LocalProtocolError(f"packet of about {size} bytes, limit {MAXIMUM_PACKET_BYTES}")
            self._outlet.post(settle_error, publish.future, error)
            return
        if size > self._largest_bytes:
            refused = BrokerRefusedError(f"packet of about {size} bytes, limit {self._largest_bytes}", _TOO_LARGE)
            self._outlet.post(settle_error, publish.future, refused)
            return
        try:
            info = self._client.publish(
                publish.topic,
                publish.payload,
                qos=publish.qos,
                retain=publish.is_retained,
                properties=_properties.publish(publish.properties),
            )
        except ValueError as error:
            self._outlet.post(settle_error, publish.future, LocalProtocolError(f"publish: {error}"))
            return
        self._in_flight[info.mid] = (publish, monotonic() + self._settings.ack_timeout_s)

    # -- paho's callbacks ---------------------------------------------------------------------------------------

    def _make_client(self, context: _tls.ClosingContext | None, will: Will | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._settings.connect_timeout_s
        client.max_inflight_messages = self._window  # ours is the real window; paho's must only not be smaller
        if context is not None:
            client.tls_set_context(context)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.is_retained, properties=_properties.will(will))
        client.on_socket_open = _no_delay
        client.on_socket_register_write = _leave_writing_to_us
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_log = self._on_log
        return client

    def _on_connect(
        self, client: Client, _: Any, __: Any, reason: ReasonCode, properties: PahoProperties | None
    ) -> None:
        if reason.is_failure:
            code = _tls.CODE_CERT if reason.value in _IDENTITY_REFUSED else _tls.CODE_NET
            self._lose(code, f"CONNACK {reason} reason_code=0x{reason.value:02x}")
            return
        client.on_log = None  # formatting every packet costs more than sending it
        limits = _properties.limits(properties)
        self._window = min(self._settings.window, limits.receive_maximum)
        self._largest_bytes = min(MAXIMUM_PACKET_BYTES, limits.maximum_packet_bytes)
        if self._subscriptions:
            client.subscribe([(s.topic_filter, SubscribeOptions(qos=s.qos)) for s in self._subscriptions])
        else:
            self._become_up()

    def _on_subscribe(
        self, _: Client, __: Any, ___: int, reasons: list[ReasonCode], ____: PahoProperties | None
    ) -> None:
        refused = [
            subscription.topic_filter
            for subscription, reason in zip(self._subscriptions, reasons, strict=False)
            if reason.is_failure
        ]
        if refused:
            self._lose(_tls.CODE_CERT, f"subscriptions refused: {refused}")
        else:
            self._become_up()

    def _become_up(self) -> None:
        self._is_up = True
        self._when_up(self._window)

    def _on_disconnect(self, _: Client, __: Any, flags: Any, reason: ReasonCode, ___: PahoProperties | None) -> None:
        if flags.is_disconnect_packet_from_server:
            code = _tls.CODE_CERT if reason.value in _IDENTITY_REFUSED else _tls.CODE_NET
            self._lose(code, f"broker said DISCONNECT {reason} reason_code=0x{reason.value:02x}")

    def _on_publish(self, _: Client, __: Any, mid: int, reason: ReasonCode, ___: PahoProperties | None) -> None:
        entry = self._in_flight.pop(mid, None)
        if entry is not None:
            self._outlet.post(settle, entry[0].future, PublishResult(reason.value))

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        self._held += 1
        command = SendAck(self, message.mid, message.qos)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        inbound = InboundMessage(
            topic=topic,
            payload=bytes(message.payload),
            qos=message.qos,
            is_retained=message.retain,
            is_duplicate=message.dup,
            properties=_properties.of_message(message.properties),
            ack=lambda: self._submit(command),
        )
        self._outlet.post(self._give, inbound)

    def _on_log(self, _: Client, __: Any, ___: int, text: str) -> None:
        if "socket" in text:
            self._last_log = text


def _no_delay(_: Client, __: Any, sock: Any) -> None:
    # Without it a full round trip waits for the peer's delayed ack: 38.7 ms instead of 1.6 ms, measured.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _leave_writing_to_us(_: Client, __: Any, ___: Any) -> None:
    """Say by being there that another loop does the writing."""
