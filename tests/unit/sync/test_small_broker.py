"""A broker that says it takes almost nothing: what it delays is lost to it, never the daemon (D15)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pos_agent.journal.store import Journal
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.protocol.ed25519 import PrivateKey
from tests.fakes.broker_client import until
from tests.fakes.broker_till import TillUnderTest
from tests.fakes.clocks import RunningClock

#: MQTT 5.0 sections 3.2.2.3.6 (Maximum Packet Size, 100 bytes) and 3.9 (SUBACK without properties).
_CONNACK = bytes.fromhex("20080000052700000064")
_SUBSCRIBE = 0x82


@asynccontextmanager
async def small_broker() -> AsyncIterator[int]:
    """Serve CONNACK and SUBACK on a port of loopback, and swallow the rest."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(_CONNACK)
        while data := await reader.read(4096):
            at = data.find(bytes((_SUBSCRIBE,)))
            if at >= 0 and not data.startswith(b"\xe0"):
                writer.write(b"\x90\x05" + data[at + 2 : at + 4] + b"\x00\x01\x01")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_broker_that_takes_no_packet_of_ours_does_not_end_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    journal = await Journal.open(tmp_path, terminal_id="t-test-1", boot_id="boot-1", clock=RunningClock())
    async with small_broker() as port:
        settings = MqttSettings(host="127.0.0.1", port=port, client_id="t-test-1", is_encrypted=False)
        till = TillUnderTest(settings, journal, PrivateKey.generate(), PrivateKey.generate().public_key())
        running = asyncio.create_task(till.service.run())
        await until(lambda: running.done() or "sync not sent" in caplog.text)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])
    await journal.close()
    assert running.cancelled()
