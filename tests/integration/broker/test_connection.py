import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pos_agent.errors import BrokerUnreachableError, LocalProtocolError
from pos_agent.mqtt.messages import InboundMessage, Properties
from tests.fakes.broker_client import Client, running, until
from tests.fixtures_broker import Broker, Pki

pytestmark = pytest.mark.broker
UP = "pos/v1/t/t-1/up/refund"
DOWN = "pos/v1/t/t-1/down/#"


async def test_publish_with_subscriber_arrives_with_properties(broker: Broker) -> None:
    office = Client(broker.settings("bo-1"), "$share/refund/pos/v1/t/+/up/#")
    till = Client(broker.settings("t-1"), DOWN)
    properties = Properties(
        content_type="application/json",
        response_topic="pos/v1/t/t-1/up/res",
        correlation_data=b"\x00\x01",
        message_expiry_s=60,
        user_properties=(("key", "1"), ("rev", "2")),
    )
    async with running(office), running(till):
        result = await till.connection.publish(UP, b"hello", properties=properties)
        assert result.reason_code == 0
        await until(lambda: bool(office.messages))
        [message] = office.messages
        assert (message.topic, message.payload, message.properties) == (UP, b"hello", properties)
        await office.connection.publish("pos/v1/t/t-1/down/ack", b"back")
        await until(lambda: bool(till.messages))


async def test_publish_without_subscriber_says_so(broker: Broker) -> None:
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till):
        result = await till.connection.publish(UP, b"x")
    assert result.has_no_subscribers
    assert not result.is_refused


async def test_publish_to_foreign_topic_is_refused_with_reason(broker: Broker) -> None:
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till):
        result = await till.connection.publish("pos/v1/t/t-2/up/refund", b"x")
    assert (result.reason_code, result.is_refused) == (0x87, True)


async def test_terminal_cannot_read_others_nor_speak_for_the_back_office(broker: Broker) -> None:
    spy = Client(broker.settings("t-2"), "pos/v1/t/+/down/#", "pos/v1/t/+/up/#")
    office = Client(broker.settings("bo-1"), "pos/v1/t/+/up/#")
    async with running(office), running(spy):
        await office.connection.publish("pos/v1/t/t-1/down/ack", b"for t-1")
        await office.connection.publish("pos/v1/t/t-2/down/ack", b"for t-2")
        await until(lambda: bool(spy.messages))
        assert [message.payload for message in spy.messages] == [b"for t-2"]
        assert (await spy.connection.publish("pos/v1/backend/state", b"x")).is_refused
        assert (await spy.connection.publish("pos/v1/t/t-2/down/ack", b"x")).is_refused
        assert (await office.connection.publish("pos/v1/t/t-1/up/refund", b"x")).is_refused
        assert (await office.connection.publish("pos/v1/t/t-1/cfg/desired", b"x")).is_refused


async def test_unacked_message_is_sent_again_on_the_next_connection(broker: Broker) -> None:
    office = Client(broker.settings("bo-1"))
    slow = Client(broker.settings("t-1"), DOWN, is_acking=False)
    async with running(office):
        async with running(slow):
            await office.connection.publish("pos/v1/t/t-1/down/refund", b"state")
            await until(lambda: len(slow.messages) == 1)
        quick = Client(broker.settings("t-1"), DOWN)
        async with running(quick):
            await until(lambda: len(quick.messages) == 1)
            assert quick.messages[0].is_duplicate
        last = Client(broker.settings("t-1"), DOWN)
        async with running(last):
            await office.connection.publish("pos/v1/t/t-1/down/refund", b"next")
            await until(lambda: len(last.messages) == 1)
            assert last.messages[0].payload == b"next"


async def test_broker_killed_is_noticed_at_once_and_taken_up_again(broker: Broker) -> None:
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till):
        first = till.connection.link.conn_seq
        broker.stop(signal.SIGKILL)
        await until(lambda: not till.is_connected, 2)
        assert till.connection.link.code == "E-NET"
        with pytest.raises(BrokerUnreachableError):
            await till.connection.publish(UP, b"x")
        broker.start()
        await until(lambda: till.is_connected)
        assert till.connection.link.conn_seq > first
        assert not (await till.connection.publish(UP, b"x")).is_refused


async def test_stalled_broker_is_given_up_when_it_owes_a_puback(broker: Broker) -> None:
    till = Client(broker.settings("t-1", ack_timeout_s=0.3, connect_timeout_s=0.5), DOWN)
    async with running(till):
        broker.stall()
        with pytest.raises(BrokerUnreachableError):
            await till.connection.publish(UP, b"x")
        await until(lambda: not till.is_connected)
        broker.resume()
        await until(lambda: till.is_connected)


async def test_publish_many_keeps_order_within_window(broker: Broker) -> None:
    office = Client(broker.settings("bo-1"), "pos/v1/t/+/up/#")
    till = Client(broker.settings("t-1"), DOWN)
    async with running(office), running(till):
        assert till.connection.window == 16
        await asyncio.gather(*(till.connection.publish(UP, b"%d" % n) for n in range(500)))
        await until(lambda: len(office.messages) == 500)
    assert [int(message.payload) for message in office.messages] == list(range(500))


async def test_publish_oversize_is_our_error_and_keeps_the_connection(broker: Broker) -> None:
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till):
        with pytest.raises(LocalProtocolError):
            await till.connection.publish(UP, b"x" * 300_000)
        assert not (await till.connection.publish(UP, b"x")).is_refused


VANISHING = """
import asyncio, signal, sys
# Whatever is started in the background of a script inherits a SIGINT that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import Will
from pos_agent.mqtt.settings import MqttSettings

settings = MqttSettings(host="127.0.0.1", port=int(sys.argv[2]), client_id="t-1",
                        ca_file=sys.argv[3], cert_file=sys.argv[4], key_file=sys.argv[5])

def will(conn_seq):
    return Will(topic="pos/v1/t/t-1/state", payload=b"gone %d" % conn_seq, delay_s=0)

def on_link(link):
    print(link.is_connected, flush=True)

connection = MqttConnection(settings)
connection.attach(Session(subscriptions=(), on_message=print, on_link=on_link, will=will))
asyncio.run(connection.run())
"""


async def test_will_is_published_when_the_client_vanishes_but_not_after_goodbye(broker: Broker) -> None:
    watcher = Client(broker.settings("bo-1"), "pos/v1/t/+/state")
    settings = broker.settings("t-1")
    files = [settings.ca_file, settings.cert_file, settings.key_file]
    root = str(Path(__file__).parents[3])

    def vanish(sign: int) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", VANISHING, root, str(broker.port), *files], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"True\n"
            child.send_signal(sign)

    async with running(watcher):
        vanish(signal.SIGINT)  # asyncio.run cancels `run`: a clean goodbye
        vanish(signal.SIGKILL)
        await until(lambda: bool(watcher.messages))
        await watcher.connection.publish("pos/v1/backend/state", b"barrier")
    assert [message.payload for message in watcher.messages] == [b"gone 1"]


async def test_callback_that_raises_is_contained(broker: Broker) -> None:
    class Broken(Client):
        def _take(self, message: InboundMessage) -> None:
            super()._take(message)
            raise RuntimeError("defect")

    office = Client(broker.settings("bo-1"))
    till = Broken(broker.settings("t-1"), DOWN)
    async with running(office), running(till):
        for number in (1, 2):
            await office.connection.publish("pos/v1/t/t-1/down/ack", b"%d" % number)
        await until(lambda: len(till.messages) == 2)
        assert till.connection.link.conn_seq == 1
        assert till.is_connected


@pytest.mark.parametrize(
    ("from_days", "to_days", "code"), [(-30, -1, "E-CERT"), (1, 30, "E-CLOCK")], ids=["expired", "not yet valid"]
)
async def test_own_certificate_out_of_time_is_told_apart(
    broker: Broker, pki: Pki, from_days: float, to_days: float, code: str
) -> None:
    cert_file, key_file = pki.issue("t-1", from_days=from_days, to_days=to_days)
    till = Client(broker.settings_with("t-1", cert_file, key_file), DOWN)
    async with running(till, wait=False):
        await until(lambda: len(till.links) >= 2)
        assert {link.code for link in till.links} == {code}


@pytest.mark.parametrize(
    ("from_days", "to_days", "code"), [(-30, -1, "E-CERT"), (1, 30, "E-CLOCK")], ids=["expired", "not yet valid"]
)
async def test_broker_certificate_out_of_time_is_told_apart(
    broker: Broker, pki: Pki, from_days: float, to_days: float, code: str
) -> None:
    broker.stop()
    broker.server = pki.issue("broker-2", from_days=from_days, to_days=to_days, is_server=True)
    broker.start()
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till, wait=False):
        await until(lambda: bool(till.links))
        assert till.links[0].code == code


async def test_certificate_of_another_authority_is_refused(broker: Broker, pki: Pki) -> None:
    other = Pki(pki.folder / "other")
    cert_file, key_file = other.issue("t-1")
    till = Client(broker.settings_with("t-1", cert_file, key_file), DOWN)
    async with running(till, wait=False):
        await until(lambda: bool(till.links))
        assert till.links[0].code == "E-CERT"


async def test_broker_of_another_authority_is_refused(broker: Broker, pki: Pki) -> None:
    other = Pki(pki.folder / "other")
    broker.stop()
    broker.server = other.issue("broker", is_server=True)
    broker.start()
    till = Client(broker.settings("t-1"), DOWN)
    async with running(till, wait=False):
        await until(lambda: bool(till.links))
        assert till.links[0].code == "E-CERT"


async def test_missing_certificate_file_is_a_certificate_problem_and_heals(broker: Broker, pki: Pki) -> None:
    cert_file, key_file = pki.issue("t-1")
    content = cert_file.read_bytes()
    cert_file.unlink()
    till = Client(broker.settings_with("t-1", cert_file, key_file), DOWN)
    async with running(till, wait=False):
        await until(lambda: bool(till.links))
        assert till.links[0].code == "E-CERT"
        cert_file.write_bytes(content)
        await until(lambda: till.is_connected)
