"""The record of configurations survives what a disk does to it (ADR 0021)."""

import os
from pathlib import Path

import pytest

from pos_agent.domain.desired_book import Book, Document
from pos_agent.fleet.store import FILE_NAME, BookDamagedError, load_book, save_book, set_aside

OLD = Book(book_id="b", seq=1, highest_version=6)
NEW = Book(
    book_id="b",
    seq=2,
    highest_version=7,
    highest_etag="e7",
    staged=Document(version=7, etag="e7", payload=b'{"\xe4\xb8\xad":1}'),
)


def test_no_record_yet_is_none(tmp_path: Path) -> None:
    assert load_book(tmp_path) is None


def test_record_is_read_as_it_was_saved_and_is_private(tmp_path: Path) -> None:
    save_book(tmp_path, OLD)
    save_book(tmp_path, NEW)
    assert load_book(tmp_path) == NEW
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_disk_that_refuses_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    save_book(tmp_path, OLD)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
    with pytest.raises(OSError, match="No space"):
        save_book(tmp_path, NEW)
    monkeypatch.undo()
    assert load_book(tmp_path) == OLD
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_trust_13_cut_at_any_byte_of_the_write_leaves_the_old_record_or_the_new(tmp_path: Path) -> None:
    """The new file takes the old one's name only when it is whole: what a cut leaves lies under another name."""
    save_book(tmp_path, NEW)
    whole = (tmp_path / FILE_NAME).read_bytes()
    save_book(tmp_path, OLD)
    for length in range(len(whole) + 1):
        (tmp_path / f".{FILE_NAME}.part").write_bytes(whole[:length])
        assert load_book(tmp_path) == OLD
    save_book(tmp_path, NEW)
    assert load_book(tmp_path) == NEW


def test_record_is_flushed_before_it_takes_the_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    flush, replace = os.fsync, Path.replace

    def note_flush(descriptor: int) -> None:
        calls.append("folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "file")
        flush(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "replace", note_replace)
    save_book(tmp_path, NEW)
    assert calls == ["file", "rename", "folder"]


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    save_book(tmp_path, NEW)
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BookDamagedError):
            load_book(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * 2_000_000, b"[" * 5000])
def test_garbage_is_damage(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(BookDamagedError):
        load_book(tmp_path)


def test_damaged_records_are_kept_under_other_names(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / FILE_NAME).write_bytes(b"x")
        assert set_aside(tmp_path).name == f"{FILE_NAME}.damaged-{number}"
    assert load_book(tmp_path) is None
