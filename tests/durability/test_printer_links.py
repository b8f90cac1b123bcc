"""Zero lost bytes: seeded stalls, short writes and pulled cables on every link, against the simulated printer."""

from pathlib import Path

import pytest

from tests.rigs.printer_links import LINKS, simulated_usb, wrong_runs

_RUNS, _ALL_RUNS = 40, 1000


@pytest.fixture(autouse=True)
def usb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in simulated_usb(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", LINKS)
async def test_link_loses_no_byte_in_seeded_stalls_short_writes_and_pulled_cables(name: str, tmp_path: Path) -> None:
    assert await wrong_runs(name, tmp_path, _RUNS) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", LINKS)
async def test_link_loses_no_byte_in_a_thousand_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await wrong_runs(name, tmp_path, _ALL_RUNS) == []
    with capsys.disabled():
        print(f"\nprinter link {name}: {_ALL_RUNS} runs, no byte lost")
