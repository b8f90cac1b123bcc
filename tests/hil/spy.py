"""Somebody who owns the broker: hears every message and may send any, with a key of their own (D15)."""

import re
from collections.abc import Callable
from pathlib import Path
from threading import Condition
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from hil.rig.rig import SPY
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE, seal
from pos_agent.protocol.topics import Leaf, terminal_topic

_TIMEOUT_S = 10.0


class Heard(msgspec.Struct, frozen=True):
    """A message as it passed the broker, with what its envelope says; an empty body where there is no envelope."""

    topic: str
    payload: bytes
    body: dict[str, Any]


class Spy:
    """A client with every right at a bench's broker; paho's own network thread carries it.

    Args:
        state_dir: Of a bench that was started with ``--spy``.
        terminal_id: Whose topics `send` writes to.
    """

    def __init__(self, state_dir: Path, terminal_id: str) -> None:
        self._terminal_id = terminal_id
        self._heard: list[Heard] = []
        self._news = Condition()
        self._key = PrivateKey.generate()
        pki = state_dir / "pki"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=SPY, protocol=mqtt.MQTTv5)
        self._client.tls_set(str(pki / "ca.pem"), str(pki / f"{SPY}.pem"), str(pki / f"{SPY}.key"))
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._is_listening = False
        self._port = _broker_port(state_dir)

    def __enter__(self) -> "Spy":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self.wait(lambda: self._is_listening, "subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its pair of wake-up sockets when nobody holds it any more.
        del self._client

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        # noLocal: what we send ourselves is no news. Source: MQTT 5.0, 3.8.3.1.
        client.subscribe("#", options=SubscribeOptions(qos=1, noLocal=True))

    def _on_subscribe(self, *_: Any) -> None:
        with self._news:
            self._is_listening = True
            self._news.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        with self._news:
            self._heard.append(Heard(message.topic, payload, _body(payload)))
            self._news.notify_all()

    def wait(self, is_met: Callable[[], bool], what: str, timeout_s: float = _TIMEOUT_S) -> None:
        """Wait until what was heard satisfies a condition."""
        with self._news:
            assert self._news.wait_for(is_met, timeout_s), f"waited for {what}"

    # -- listen ---------------------------------------------------------------------------------------------------

    def heard(self, kind: str = "", **fields: Any) -> list[Heard]:
        """Return what was heard, oldest first: all, or messages of a type whose body has these fields."""
        with self._news:
            found = list(self._heard)
        return [
            one
            for one in found
            if not kind or (one.body.get("type") == kind and all(one.body.get(n) == v for n, v in fields.items()))
        ]

    def states(self, request_id: str) -> list[Heard]:
        """Return the back office's states of a request, oldest first."""
        return [one for one in self.heard("refund.state") if one.body["update"]["refund_request_id"] == request_id]

    def wait_heard(self, count: int, kind: str, **fields: Any) -> list[Heard]:
        """Wait until at least `count` such messages were heard."""
        self.wait(lambda: len(self.heard(kind, **fields)) >= count, f"{count} of {kind} {fields}")
        return self.heard(kind, **fields)

    # -- speak ----------------------------------------------------------------------------------------------------

    def publish(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        """Send anything anywhere; returns when the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=is_retained).wait_for_publish(_TIMEOUT_S)

    def replay(self, *messages: Heard) -> None:
        """Send genuine messages again, where they were heard."""
        for one in messages:
            self.publish(one.topic, one.payload)

    def send(self, leaf: Leaf, payload: bytes) -> None:
        """Send something on a topic of the till."""
        self.publish(terminal_topic(self._terminal_id, leaf), payload)

    def forged(self, body: Any, *, kid: str, is_up: bool = False) -> bytes:
        """Return an envelope under somebody's key id and our own key."""
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return seal(payload, payload_type=UP_TYPE if is_up else DOWN_TYPE, kid=kid, key=self._key)

    def replay_until_taken(self, state: Heard) -> None:
        """Send a genuine state of a request again and wait for the till's ack.

        The till takes messages one after the other: everything that was sent to it before has been dealt with then.
        """
        request_id = state.body["update"]["refund_request_id"]
        acks = len(self.heard("state.ack", refund_request_id=request_id))
        self.replay(state)
        self.wait_heard(acks + 1, "state.ack", refund_request_id=request_id)


def _broker_port(state_dir: Path) -> int:
    text = (state_dir / "terminal.toml").read_text("utf-8")
    match = re.search(r"mqtts://127\.0\.0\.1:(\d+)", text)
    assert match is not None, "no broker in the till's configuration"
    return int(match[1])


def _body(envelope: bytes) -> dict[str, Any]:
    """Return what an envelope says; whoever owns the broker can read everything."""
    try:
        outer = msgspec.json.decode(envelope)
        body = msgspec.json.decode(msgspec.convert(outer["payload"], bytes, strict=False))
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}
