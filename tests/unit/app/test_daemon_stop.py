"""What the daemon says of a room that fails, and that a status socket is no condition for a till."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pos_agent.app import daemon as daemon_module
from pos_agent.app.clock import SystemClock
from pos_agent.app.compose import Till, _serve_status
from pos_agent.app.daemon import Daemon
from pos_agent.domain.config import BrokerConfig, Config, TerminalConfig, TrustConfig
from pos_agent.settings import DataFinder


def make_config(runtime_dir: str = "/nonexistent") -> Config:
    return Config(
        terminal=TerminalConfig(terminal_id="t-a", merchant_id="M", merchant_name="M", runtime_dir=runtime_dir),
        broker=BrokerConfig(url="mqtts://b:1"),
        trust=TrustConfig(device_key_file="/nonexistent", device_key_id="d", back_office_keys={}),
    )


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def failing_at_its_end() -> None:
    try:
        await for_ever()
    finally:
        raise ValueError("goodbye went wrong")


async def test_room_that_fails_while_it_stops_is_named_and_the_stop_is_not_clean(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon_module, "LAST_SCREEN_S", 0.0)
    under_test = Daemon(make_config(), DataFinder(), clock=SystemClock(), boot_id="b")
    rooms = (("workflow", for_ever()), ("sync", failing_at_its_end()))
    till = cast(Till, SimpleNamespace(tasks=lambda: rooms, state_name="LOGIN", terminal_id="t-a"))
    asyncio.get_running_loop().call_later(0.01, under_test._end)
    assert await under_test._live(till) is False
    assert "task=sync failed while it stopped" in caplog.text
    assert "goodbye went wrong" in caplog.text


async def test_status_socket_that_cannot_be_made_is_logged_and_the_till_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    async with AsyncExitStack() as stack:
        await _serve_status(
            cast(Till, SimpleNamespace()),
            make_config(str(tmp_path / "file" / "run")),
            None,
            clock=SystemClock(),
            boot_id="b",
            safe_code="",
            stack=stack,
            fleet=None,
        )
    assert "status socket not made" in caplog.text
