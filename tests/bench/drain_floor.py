"""The floor of row 5 that row 5 can be held to: its four messages between two bare paho clients, nothing else.

A request needs its message up, the ack and the first state down, and the till's own ack up, each QoS 1 over TLS through
the same broker. Two processes, paho's own threads, no signature, no database, no journal.
"""

import multiprocessing as mp
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from hil.rig.broker import Broker
from hil.rig.pki import Pki

_UP, _ACK, _STATE, _DONE = "bench/up", "bench/ack", "bench/state", "bench/done"
#: Requests that wait for their ack, as many as a till allows itself.
_DEPTH = 64
_TIMEOUT_S = 120.0
_On = Callable[[Client, Any, MQTTMessage], None]


class Who(msgspec.Struct, frozen=True):
    """A client of the broker: its name and its files."""

    name: str
    files: tuple[str, str, str]


def _client(port: int, who: Who, window: int, topics: tuple[str, ...], on_message: _On) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=who.name, protocol=MQTTv5)
    client.tls_set(*who.files)
    client.max_inflight_messages_set(window)
    client.on_message = on_message
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()

    def subscribe(*_: Any) -> None:
        client.subscribe([(topic, 1) for topic in topics])

    client.on_connect = subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert subscribed.wait(_TIMEOUT_S)
    return client


def _respond(port: int, who: Who, window: int, count: int, size: int, gate: Any) -> None:
    """Be the back office: two messages for each request, until each state is acknowledged."""
    left, over = [count], threading.Event()
    payload = b"x" * size

    def take(client: Client, _: Any, message: MQTTMessage) -> None:
        if message.topic == _UP:
            client.publish(_ACK, payload, qos=1)
            client.publish(_STATE, payload, qos=1)
            return
        left[0] -= 1
        if not left[0]:
            over.set()

    client = _client(port, who, window, (_UP, _DONE), take)
    gate.wait(_TIMEOUT_S)
    assert over.wait(_TIMEOUT_S)
    client.disconnect()
    client.loop_stop()


def rate(broker: Broker, pki: Pki, names: tuple[str, str], *, count: int, window: int, size: int) -> float:
    """Return requests a second; `names` are two workers that may do anything at the broker."""
    own, other = (
        Who(name, (str(pki.ca_file), str(pki.workers[name].cert_file), str(pki.workers[name].key_file)))
        for name in names
    )
    context = mp.get_context("spawn")
    gate = context.Barrier(2)
    responder = context.Process(target=_respond, args=(broker.port, other, window, count, size, gate))
    responder.start()
    room = threading.Semaphore(_DEPTH)
    payload = b"x" * size

    def take(client: Client, _: Any, message: MQTTMessage) -> None:
        if message.topic == _ACK:
            room.release()
        else:
            client.publish(_DONE, payload, qos=1)

    client = _client(broker.port, own, window, (_ACK, _STATE), take)
    gate.wait(_TIMEOUT_S)
    started = time.monotonic()
    for _ in range(count):
        assert room.acquire(timeout=_TIMEOUT_S)
        client.publish(_UP, payload, qos=1)
    responder.join(_TIMEOUT_S)
    elapsed = time.monotonic() - started
    client.disconnect()
    client.loop_stop()
    assert responder.exitcode == 0
    return count / elapsed
