"""A key and its certificate stay a pair, wherever the power goes."""

import stat
from pathlib import Path

import pytest

from pos_agent.enrolment import files
from pos_agent.files import replace_file


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    cert_file, key_file = tmp_path / "terminal.pem", tmp_path / "terminal.key"
    cert_file.write_bytes(b"old")
    key_file.write_bytes(b"old")
    return cert_file, key_file


class PowerCutError(Exception):
    """Nothing after this happened."""


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Let that many renames happen, then cut the power."""
    real, left = Path.replace, [steps]

    def replace(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise PowerCutError
        left[0] -= 1
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("steps", range(5))
def test_install_cut_at_any_rename_leaves_one_pair_after_finish(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    cert_file, key_file = pair
    with monkeypatch.context() as patch:
        cut_after(patch, steps)
        try:
            files.install(cert_file, b"new", key_file, b"new")
            is_cut = False
        except PowerCutError:
            is_cut = True
    assert is_cut == (steps < 4)
    files.finish(cert_file, key_file)
    expected = b"old" if steps < 2 else b"new"
    assert (cert_file.read_bytes(), key_file.read_bytes()) == (expected, expected)
    assert not cert_file.with_name("terminal.pem.new").exists()
    assert not files.finish(cert_file, key_file)


def test_finish_beside_an_install_that_is_under_way_takes_nothing_from_it(pair: tuple[Path, Path]) -> None:
    cert_file, key_file = pair
    replace_file(key_file.with_name("terminal.key.new"), b"new")
    assert not files.finish(cert_file, key_file)
    replace_file(cert_file.with_name("terminal.pem.new"), b"new")
    assert files.finish(cert_file, key_file)
    assert (cert_file.read_bytes(), key_file.read_bytes()) == (b"new", b"new")


def test_write_file_is_private_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "device.pem"
    path.write_bytes(b"earlier")
    path.chmod(0o644)
    replace_file(path, b"secret")
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["device.pem"]


def test_make_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    files.make_folder(folder)
    files.make_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
