"""A client with every right at the broker: it repeats, reorders, redirects, damages and forges messages (D15)."""

import random
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hil.chaos.history import History
from hil.rig.pki import Pki
from pos_agent.domain.refund import MoneyMoved, RefundState, RefundUpdate
from pos_agent.protocol import codec
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, seal
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundStateMessage
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic

ATTACKS: Final = ("replay_new", "replay_old", "reorder", "redirect", "damage", "forge_ack", "forge_result", "retain")
_KEPT = 2000
#: Message types that the checker weighs, with the fields that it needs.
_NOTED: Final = {
    "ack": ("refund_request_id", "status", "kind", "boot_id"),
    "state.ack": ("refund_request_id", "epoch", "seq", "status"),
    "sync": ("conn_seq", "items", "boot_id", "audit_lines", "last_seq", "nonce", "challenge"),
    "sync.challenge": ("nonce", "challenge"),
    "sync.reply": ("wanted", "boot_id", "nonce"),
}
#: The history has a `kind` of its own.
_RENAMED: Final = {"kind": "about"}
_BURST = 12


class Message(msgspec.Struct, frozen=True):
    """A message as it passed the broker."""

    topic: str
    payload: bytes


class Spy:
    """Listens to everything and says everything; paho's own network thread carries it."""

    def __init__(self, name: str, *, port: int, pki: Pki, seed: int, history: History) -> None:
        self._history = history
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._heard: deque[Message] = deque(maxlen=_KEPT)
        self._own: deque[bytes] = deque(maxlen=200)
        self._key = PrivateKey.generate()
        self._kid = pki.back_office_key.kid
        identity = pki.workers[name]
        self._port = port
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self._client.tls_set(str(pki.ca_file), str(identity.cert_file), str(identity.key_file))
        self._client.tls_insecure_set(False)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect, and again whenever the broker was away."""
        self._client.connect_async("127.0.0.1", self._port, keepalive=20)
        self._client.loop_start()

    def stop(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("pos/#", qos=1)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            if message.payload in self._own:
                return
            heard = Message(message.topic, bytes(message.payload))
            self._heard.append(heard)
        self._note(heard)

    def _note(self, heard: Message) -> None:
        """Write down who promised what to whom: acks, and what each side says it has."""
        body = _body(heard.payload)
        kept = _NOTED.get(str(body.get("type")))
        if kept is not None and body.get("kind", "refund.request") in ("refund.request", "sync"):
            facts = {_RENAMED.get(name, name): body[name] for name in kept if name in body}
            self._history.add("wire", type=body["type"], till=body.get("terminal_id", ""), **facts)

    def attack(self, kind: str) -> int:
        """Do one of `ATTACKS`; returns how many messages were sent. Nothing while the broker is away."""
        with self._lock:
            heard = list(self._heard)
        if not heard or not self._client.is_connected():
            return 0
        burst = self._burst(kind, heard)
        for message, is_retained in burst:
            with self._lock:
                self._own.append(message.payload)
            self._client.publish(message.topic, message.payload, qos=1, retain=is_retained)
        return len(burst)

    def _burst(self, kind: str, heard: list[Message]) -> list[tuple[Message, bool]]:
        down = [one for one in heard if "/down/" in one.topic] or heard
        match kind:
            case "replay_new":
                found = [one for one in heard[-_BURST:] for _ in range(2)]
            case "replay_old":
                found = self._some(heard)
            case "reorder":
                found = heard[-3 * _BURST :]
                self._random.shuffle(found)
            case "redirect":
                found = [Message(_swapped(one.topic), one.payload) for one in self._some(heard)]
            case "damage":
                found = [Message(one.topic, self._damaged(one.payload)) for one in self._some(heard)]
            case "retain":
                states = [one for one in heard if one.topic == BACK_OFFICE_STATE] or down
                return [(one, True) for one in self._some(states)[:1]]
            case _:
                found = self._forged(kind, heard)
        return [(one, False) for one in found]

    def _some(self, messages: list[Message]) -> list[Message]:
        return self._random.sample(messages, min(_BURST, len(messages)))

    def _damaged(self, payload: bytes) -> bytes:
        if not payload:
            return b"{"
        at = self._random.randrange(len(payload))
        return payload[:at] + bytes([payload[at] ^ (1 << self._random.randrange(8))]) + payload[at + 1 :]

    def _forged(self, kind: str, heard: list[Message]) -> list[Message]:
        """Return acks or results for requests that were heard of, under the right name and a wrong key."""
        found = []
        for topic, request_id in self._requests(heard)[-_BURST:]:
            terminal_id = topic.split("/")[3]
            now = datetime.now(UTC)  # noqa: TID251 - a liar's clock
            if kind == "forge_ack":
                leaf = Leaf.DOWN_ACK
                body = codec.encode(
                    AppAckMessage(
                        terminal_id=terminal_id,
                        refund_request_id=request_id,
                        kind="request",
                        rev=0,
                        status=AckStatus.STORED,
                        epoch=9,
                        at=now,
                    )
                )
            else:
                leaf = Leaf.DOWN_REFUND
                update = RefundUpdate(
                    refund_request_id=request_id,
                    state=RefundState.SUCCEEDED,
                    epoch=9,
                    seq=999,
                    money_moved=MoneyMoved.YES,
                    at=now + timedelta(seconds=1),
                )
                body = codec.encode(RefundStateMessage(terminal_id=terminal_id, update=update))
            payload = seal(body, payload_type=DOWN_TYPE, kid=self._kid, key=self._key)
            found.append(Message(terminal_topic(terminal_id, leaf), payload))
        return found

    def _requests(self, heard: list[Message]) -> list[tuple[str, str]]:
        """Return (topic, request id) of the requests that were heard."""
        found = []
        for one in heard:
            if one.topic.endswith("/up/refund"):
                body = _body(one.payload)
                request = body.get("request", {})
                if "refund_request_id" in request:
                    found.append((one.topic, request["refund_request_id"]))
        return found


def _swapped(topic: str) -> str:
    """Return the same topic of the other till."""
    parts = topic.split("/")
    if len(parts) > 3 and parts[3].startswith("t-"):
        parts[3] = parts[3][:-1] + ("2" if parts[3].endswith("1") else "1")
    return "/".join(parts)


def _body(envelope: bytes) -> dict[str, Any]:
    """Return what an envelope says; a broker can read everything."""
    try:
        outer = msgspec.json.decode(envelope)
        body = msgspec.json.decode(msgspec.convert(outer["payload"], bytes, strict=False))
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}
