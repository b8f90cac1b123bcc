"""The client that scripts and scenario tests use."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from hil.bench.app import make_app
from hil.bench.client import BenchClient, BenchError, ScreenTimeoutError
from tests.fakes.bench import FakeRig, status_at


class InProcess(httpx.BaseTransport):
    """Calls the application of a bench in memory, each call to its end in one loop."""

    def __init__(self, rig: FakeRig, runner: asyncio.Runner) -> None:
        self._transport = httpx.ASGITransport(app=make_app(rig))  # type: ignore[arg-type]
        self._runner = runner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._runner.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@pytest.fixture
def client(rig: FakeRig) -> Iterator[BenchClient]:
    """A client of a bench in memory."""
    with asyncio.Runner() as runner:
        http = httpx.Client(transport=InProcess(rig, runner), base_url="http://bench/api/v1")
        with BenchClient("", http=http, timeout_s=0.05) as client:
            yield client


def test_keys_and_type_press_logical_keys(client: BenchClient, rig: FakeRig) -> None:
    client.keys("FN", "1")
    client.type("3.50")
    assert [call[1] for call in rig.devices.keypad.calls] == [["FN", "1"], ["3", "DOT", "5", "0"]]


def test_enter_waits_for_the_dead_time_of_the_view(
    client: BenchClient, rig: FakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("hil.bench.client.time.sleep", waited.append)
    for state in ("MENU", "CONFIRM", "RESULT"):
        rig.daemon.next_status = status_at(state)
        client.enter()
    # screens.md section 3: 250 ms, 600 ms on CONFIRM, 1 s on RESULT
    assert [floor < wait < floor + 0.1 for wait, floor in zip(waited, (0.25, 0.6, 1.0), strict=True)] == [True] * 3


def test_refused_call_raises_with_the_stable_code(client: BenchClient) -> None:
    with pytest.raises(BenchError, match="meteor") as caught:
        client.fault("meteor")
    assert caught.value.code == "unknown_fault"


def test_wait_screen_returns_the_state_that_met_it(client: BenchClient, rig: FakeRig) -> None:
    rig.show("已提交")
    assert client.wait_screen("已提交")["screens"]["operator"]["lines"][0] == "已提交"


def test_wait_screen_in_vain_says_what_was_shown(client: BenchClient, rig: FakeRig) -> None:
    rig.show("缺纸")
    with pytest.raises(ScreenTimeoutError, match="缺纸"):
        client.wait_screen("已提交")


def test_wait_slips_in_vain_says_how_many_came(client: BenchClient, rig: FakeRig) -> None:
    rig.print_slip("退款申请")
    with pytest.raises(ScreenTimeoutError, match="1 slips, wanted 2"):
        client.wait_slips(2, timeout_s=0.05)


def test_wait_device_unknown_device_is_not_online(client: BenchClient) -> None:
    with pytest.raises(ScreenTimeoutError, match="drawer online"):
        client.wait_device("drawer", is_online=True)


def test_wait_sent_daemon_silent_is_not_sent(client: BenchClient, rig: FakeRig) -> None:
    rig.daemon.next_status = None
    with pytest.raises(ScreenTimeoutError, match="empty outbox"):
        client.wait_sent()
