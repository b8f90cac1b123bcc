import asyncio
from pathlib import Path

import pytest

from pos_agent.journal.store import Journal
from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import InboundMessage, Properties
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.topics import BACK_OFFICE_STATE
from tests.fakes.broker_client import until
from tests.fakes.broker_till import TillUnderTest
from tests.fakes.clocks import RunningClock

#: Nobody listens on the discard port of loopback.
NOWHERE = MqttSettings(host="127.0.0.1", port=9, client_id="t-test-1", is_encrypted=False)


async def test_service_message_at_each_step_of_its_end_is_left_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop takes several turns of the loop, and the broker does not wait for it."""
    sessions: list[Session] = []
    attach = MqttConnection.attach

    def attach_and_keep(connection: MqttConnection, session: Session) -> None:
        sessions.append(session)
        attach(connection, session)

    monkeypatch.setattr(MqttConnection, "attach", attach_and_keep)
    journal = await Journal.open(tmp_path, terminal_id="t-test-1", boot_id="boot-1", clock=RunningClock())
    till = TillUnderTest(NOWHERE, journal, PrivateKey.generate(), PrivateKey.generate().public_key())
    acknowledged: list[str] = []
    running = asyncio.create_task(till.service.run())
    await until(lambda: "uplink" in {task.get_name() for task in asyncio.all_tasks()})
    running.cancel()
    while not running.done():
        sessions[0].on_message(_message(acknowledged))
        await asyncio.sleep(0)
    sessions[0].on_message(_message(acknowledged))
    await journal.close()

    assert running.cancelled()
    assert acknowledged == []


def _message(acknowledged: list[str]) -> InboundMessage:
    return InboundMessage(
        topic=BACK_OFFICE_STATE,
        payload=b"{}",
        qos=1,
        is_retained=False,
        is_duplicate=False,
        properties=Properties(),
        ack=lambda: acknowledged.append("ack"),
    )


async def test_service_whose_network_thread_ends_by_itself_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon is started again then; a till that never connects again would only look alive."""

    async def end(_: MqttConnection) -> None:
        return

    monkeypatch.setattr(MqttConnection, "run", end)
    journal = await Journal.open(tmp_path, terminal_id="t-test-1", boot_id="boot-1", clock=RunningClock())
    till = TillUnderTest(NOWHERE, journal, PrivateKey.generate(), PrivateKey.generate().public_key())
    async with asyncio.timeout(5):
        with pytest.raises(ExceptionGroup):
            await till.service.run()
    await journal.close()
