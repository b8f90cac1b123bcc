"""What a till with pinned fleet keys starts with (D17, D18; trust.md 15, 16), and its side of the ports."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pos_agent.app import fleet as fleet_module
from pos_agent.app.fleet import DesiredStart, TillSide, layer_in_effect, start_desired
from pos_agent.domain import desired_book as books
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.domain.desired_book import Book, Document, Trial
from pos_agent.errors import ConfigError
from pos_agent.fleet.store import FILE_NAME, load_book, save_book
from pos_agent.protocol import codec
from pos_agent.protocol.desired import ConfigDesired, etag_of
from pos_agent.settings import DataFinder, Layer, LoadedConfig, explain, load_config

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SHIPPED = Path(__file__).resolve().parents[3] / "config"
POLICY = SHIPPED / "policy.toml"


def document(version: int, config: dict[str, Any]) -> Document:
    payload = codec.encode(
        ConfigDesired(
            terminal_id="t-example-01",
            version=version,
            rollout="r",
            issued=NOW,
            not_after=NOW + timedelta(days=1),
            config=config,
        )
    )
    return Document(version=version, etag=etag_of(payload), payload=payload)


GOOD, BETTER = document(5, {"terminal": {"locale": "en"}}), document(6, {"terminal": {"service_phone": "6"}})
BROKEN = document(7, {"terminal": {"locale": "klingon"}})


@pytest.fixture
def local(tmp_path: Path) -> LoadedConfig:
    text = (SHIPPED / "terminal.toml").read_text("utf-8")
    text = text.replace("[terminal]\n", f'[terminal]\ndata_dir = "{tmp_path}"\n', 1)
    text += f'\n[fleet.keys]\n"fleet-a" = "{b64encode(bytes(32)).decode()}"\n'
    (tmp_path / "terminal.toml").write_text(text, "utf-8")
    return load_config(tmp_path / "terminal.toml", {}, policy_path=POLICY)


def begun(local: LoadedConfig, *, is_crashing: bool = False) -> DesiredStart:
    return start_desired(local, policy_path=POLICY, at=NOW, is_crashing=is_crashing)


def tried(wanted: Document, book: Book | None = None) -> Book:
    waiting = books.stage(book or Book(book_id="b"), wanted, at=NOW)
    return books.begin_trial(waiting, Trial(document=wanted, remaining_s=60.0), at=NOW)


def kept(*documents: Document) -> Book:
    book = Book(book_id="b")
    for one in documents:
        book = books.confirm(tried(one, book), at=NOW)
    return book


def test_till_without_a_record_starts_with_its_own_file_and_writes_nothing(local: LoadedConfig, tmp_path: Path) -> None:
    start = begun(local)
    assert (start.loaded.config, start.safe_code) == (local.config, "")
    assert not (tmp_path / FILE_NAME).exists()
    assert len(start.book.book_id) == 16


def test_confirmed_document_lies_over_the_file_with_its_origin(local: LoadedConfig, tmp_path: Path) -> None:
    save_book(tmp_path, kept(GOOD))
    start = begun(local)
    assert start.loaded.config.terminal.locale == "en"
    shown = {value.key: value.origin for value in explain(start.loaded)}
    assert shown["terminal.locale"] == "fleet version 5"
    assert shown["terminal.merchant_id"].endswith("terminal.toml:7")
    layer = layer_in_effect(tmp_path)
    assert layer is not None
    assert layer.tree == {"terminal": {"locale": "en"}}


def test_trust_15_start_in_a_trial_is_counted_on_the_disk_before_anything_runs(
    local: LoadedConfig, tmp_path: Path
) -> None:
    save_book(tmp_path, tried(BETTER, kept(GOOD)))
    phones = [begun(local).loaded.config.terminal.service_phone for _ in range(3)]
    assert phones == ["6", "6", ""]
    book = load_book(tmp_path)
    assert book is not None
    assert (book.trial, book.running) == (None, GOOD)
    assert book.attempts[-1].reason == Reason.STARTS


def test_d18_trial_that_cannot_be_read_is_rolled_back_at_the_start(local: LoadedConfig, tmp_path: Path) -> None:
    save_book(tmp_path, tried(BROKEN, kept(GOOD)))
    start = begun(local)
    assert (start.loaded.config.terminal.locale, start.safe_code, start.has_left_bad) == ("en", "", True)
    attempt = start.book.attempts[-1]
    assert (attempt.state, attempt.reason) == (ConfigState.ROLLED_BACK, Reason.CONFIG)
    assert load_book(tmp_path) == start.book


def test_d17_three_abnormal_ends_bring_the_one_before_and_then_safe(local: LoadedConfig, tmp_path: Path) -> None:
    save_book(tmp_path, kept(GOOD, BETTER))
    start = begun(local, is_crashing=True)
    assert (start.loaded.config.terminal.locale, start.safe_code, start.has_left_bad) == ("en", "", True)
    assert load_book(tmp_path) == start.book
    assert begun(local, is_crashing=True).safe_code == "E-CRASH"


def test_d17_three_abnormal_ends_in_a_trial_end_it(local: LoadedConfig, tmp_path: Path) -> None:
    save_book(tmp_path, tried(BETTER, kept(GOOD)))
    start = begun(local, is_crashing=True)
    assert (start.book.trial, start.safe_code, start.has_left_bad) == (None, "", True)
    assert start.book.attempts[-1].reason == Reason.CRASHES


def test_d18_confirmed_document_that_cannot_be_read_any_more_gives_way(local: LoadedConfig, tmp_path: Path) -> None:
    save_book(tmp_path, kept(GOOD, BROKEN))
    assert begun(local).loaded.config.terminal.locale == "en"
    save_book(tmp_path, kept(BROKEN))
    start = begun(local)
    assert (start.loaded.config, start.book.running, start.safe_code) == (local.config, None, "")


def test_d18_nothing_left_to_run_is_the_safe_state_with_the_tills_own_file(local: LoadedConfig, tmp_path: Path) -> None:
    last = books.fall_back(kept(BROKEN, BROKEN), reason=Reason.CRASHES, at=NOW)
    assert (last.running, last.has_previous) == (BROKEN, False)
    save_book(tmp_path, last)
    start = begun(local)
    assert (start.loaded, start.safe_code) == (local, "E-CONFIG")


def test_damaged_record_is_set_aside_and_the_till_runs_on_its_own_file(local: LoadedConfig, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"rot")
    start = begun(local)
    assert (start.loaded.config, start.safe_code) == (local.config, "")
    assert (tmp_path / f"{FILE_NAME}.damaged-1").read_bytes() == b"rot"


def test_damaged_record_on_a_disk_that_refuses_keeps_no_till_from_starting(
    local: LoadedConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"rot")

    def refuse(*_: object) -> Path:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(fleet_module, "set_aside", refuse)
    start = begun(local)
    assert (start.loaded.config, start.safe_code) == (local.config, "")


def test_start_in_a_trial_that_cannot_be_counted_runs_the_confirmed_configuration(
    local: LoadedConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_book(tmp_path, tried(BETTER, kept(GOOD)))

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(fleet_module, "save_book", refuse)
    start = begun(local)
    assert (start.loaded.config.terminal.locale, start.loaded.config.terminal.service_phone) == ("en", "")
    assert start.book.trial is None


# -- the till's side ------------------------------------------------------------------------------------------------


@pytest.fixture
def side(local: LoadedConfig, tmp_path: Path) -> TillSide:
    """A till whose shipped data has two more key maps: one with two keys changed over, one without ENTER."""
    keymaps = tmp_path / "config" / "keymaps"
    keymaps.mkdir(parents=True)
    text = (SHIPPED / "keymaps" / "usb-numpad.toml").read_text("utf-8")
    (keymaps / "usb-numpad.toml").write_text(text, "utf-8")
    swapped = text.replace('"KEY_KPMINUS", ', "").replace('["KEY_KPSLASH", ', '["KEY_KPMINUS", "KEY_KPSLASH", ')
    (keymaps / "swapped.toml").write_text(swapped, "utf-8")
    (keymaps / "no-enter.toml").write_text(text.replace('["KEY_KPENTER", "KEY_ENTER"]', "[]"), "utf-8")
    for name in ("devices", "devices/adapters", "devices/scanners"):
        (tmp_path / "config" / name).mkdir(exist_ok=True)
        for path in (SHIPPED / name).glob("*.toml"):
            (tmp_path / "config" / name / path.name).write_bytes(path.read_bytes())
    return TillSide(begun(local), DataFinder(tmp_path / "config"), restart=lambda: None)


def keymap_layer(name: str) -> Layer:
    return Layer(name="fleet version 5", tree={"devices": {"keypad": {"keymap": name}}})


def test_trust_16_keymap_that_lacks_a_needed_key_cannot_be_loaded(side: TillSide) -> None:
    with pytest.raises(ConfigError, match="no key for ENTER"):
        side.load_with(keymap_layer("no-enter"))


def test_trust_16_keys_that_mean_something_else_afterwards_are_named(side: TillSide, local: LoadedConfig) -> None:
    after = side.load_with(keymap_layer("swapped")).config
    assert side.changed_keypad_keys(local.config, after) == ("CLEAR", "CANCEL")
    assert side.changed_keypad_keys(local.config, side.load_with(None).config) == ()


def test_device_that_cannot_be_built_makes_the_document_unusable(side: TillSide) -> None:
    with pytest.raises(ConfigError, match="no-such-printer"):
        side.load_with(Layer(name="fleet version 5", tree={"devices": {"printer": {"profile": "no-such-printer"}}}))
