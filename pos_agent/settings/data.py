"""Where shipped data lies: ``--data-dir``, environment, installation prefix, clone; the first that exists wins."""

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from pos_agent.errors import ConfigFileError

ENVIRONMENT_NAME = "POS_AGENT_DATA_DIR"


class DataFinder:
    """Finds files of the shipped `config/` folder.

    Args:
        data_dir: From the command line; None = look further.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._folders = [folder for folder in _candidates(data_dir) if folder.is_dir()]

    @property
    def folders(self) -> list[Path]:
        """Return the folders that are searched, in order."""
        return self._folders

    def find(self, name: str) -> Path:
        """Return the path of ``keymaps/usb-numpad.toml`` and the like.

        Raises:
            ConfigFileError: In none of the folders; names them.
        """
        for folder in self._folders:
            if (folder / name).is_file():
                return folder / name
        places = ", ".join(map(str, self._folders)) or "no data folder at all"
        raise ConfigFileError(f"{name} not found in {places}; set {ENVIRONMENT_NAME} or --data-dir")

    def load(self, name: str) -> dict[str, Any]:
        """Return a TOML file's content.

        Raises:
            ConfigFileError: Not found or not TOML.
        """
        path = self.find(name)
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
            raise ConfigFileError(f"{path}: {error}") from error


def _candidates(data_dir: Path | None) -> list[Path]:
    if data_dir is not None:
        return [data_dir]
    if from_environment := os.environ.get(ENVIRONMENT_NAME):
        return [Path(from_environment)]
    package, prefix = Path(__file__).resolve().parents[1], Path(sys.prefix).resolve()
    clone = package.parent / "config"
    installed = [prefix / "share" / "pos-agent" / "config", Path("/usr/share/pos-agent/config")]
    # Installed editable, the code runs from the clone; below the prefix lies a copy as old as the installation.
    return [*installed, clone] if package.is_relative_to(prefix) else [clone, *installed]
