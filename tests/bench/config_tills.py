"""Simulated tills for row 10, in a process of their own: whoever gets a configuration answers with a signed report.

Reads a file of terminal id → sealed report (empty = only count); prints ``ready``, and ``done`` when all were reached.
"""

import sys
from pathlib import Path

import msgspec
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from pos_agent.protocol.topics import PREFIX, parse_terminal_topic, terminal_topic


class Spec(msgspec.Struct):
    """What the tills need to know."""

    port: int
    ca_file: str
    cert_file: str
    key_file: str
    client_id: str
    topics_under: str
    answers_under: str
    reports: dict[str, bytes]


def main() -> None:
    """Serve until every till was reached once."""
    spec = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Spec)
    client = Client(CallbackAPIVersion.VERSION2, client_id=spec.client_id, protocol=MQTTv5)
    client.tls_set(spec.ca_file, spec.cert_file, spec.key_file)
    client.max_inflight_messages_set(100)
    reached: set[str] = set()

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        parsed = parse_terminal_topic(message.topic)
        terminal_id = parsed[0] if parsed else ""
        if terminal_id not in spec.reports or terminal_id in reached:
            return
        reached.add(terminal_id)
        report = spec.reports[terminal_id]
        if report:
            client.publish(terminal_topic(terminal_id, spec.answers_under), report, qos=1, retain=True)
        if len(reached) == len(spec.reports):
            print("done", flush=True)

    client.on_message = on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", spec.port)
    client.subscribe(f"{PREFIX}/t/+/{spec.topics_under}", qos=1)
    client.loop_forever()


if __name__ == "__main__":
    main()
