"""Acquirer profiles as shipped in config/acquirers: who they are, what they allow, and who checked it when.

A profile says nothing about credentials and is no promise that an institution is in good standing (payments.md 9c).
"""

import sys
import tomllib
from pathlib import Path

import msgspec

from backoffice.config import AcquirerConfig, Config
from pos_agent.errors import ConfigFileError

#: Of an installed wheel, and of a clone.
_FOLDERS = (
    Path(sys.prefix) / "share/pos-agent/config/acquirers",
    Path(__file__).resolve().parents[1] / "config/acquirers",
)


class AcquirerProfile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One institution.

    Attributes:
        licence_status: ``valid``, ``expired``, ``cancelled``, ``terminated`` or ``unchecked``.
        licence_no: Empty = not known; never guessed.
        checked_at, checked_by, register_source: Who looked where and when; empty = nobody yet.
        ended_on: Day its business ended (YYYY-MM-DD).
        refund_window_days, min_gap_s, refund_no_max: Limits on refunds.
        refund_no_prefix: Needed before every refund number.
        order_no_patterns, channel_no_patterns: Regular expressions of numbers it uses.
        notes: With the confidence of what stands here.
    """

    profile_version: int
    name_zh: str
    name_en: str
    legal_name: str = ""
    aliases: tuple[str, ...] = ()
    licence_no: str = ""
    licence_status: str = "unchecked"
    register_source: str = ""
    checked_at: str = ""
    checked_by: str = ""
    ended_on: str = ""
    merchant_kinds: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    refund_window_days: int = 365
    min_gap_s: float = 0.0
    refund_no_max: int = 64
    refund_no_prefix: str = ""
    amount_unit: str = "fen"
    auth_scheme: str = ""
    endpoint: str = ""
    order_no_patterns: tuple[str, ...] = ()
    channel_no_patterns: tuple[str, ...] = ()
    merchant_no_length: int = 0
    terminal_no_length: int = 0
    notes: str = ""


def load_profiles(folders: tuple[Path, ...] = _FOLDERS) -> dict[str, AcquirerProfile]:
    """Return the shipped profiles by id (the file's name); the first folder that exists counts.

    Raises:
        ConfigFileError: A profile cannot be used.
    """
    folder = next((folder for folder in folders if folder.is_dir()), None)
    found = {}
    for path in sorted(folder.glob("*.toml")) if folder else []:
        try:
            found[path.stem] = msgspec.convert(tomllib.loads(path.read_text("utf-8")), AcquirerProfile)
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigFileError(f"{path}: {error}") from error
    return found


def add_profiles(config: Config, profiles: dict[str, AcquirerProfile]) -> None:
    """Add institutions that the configuration does not name: without refunds, but known, so that old sales explain."""
    for name, profile in profiles.items():
        config.acquirers.setdefault(
            name,
            AcquirerConfig(
                adapter="none",
                name=profile.name_zh,
                refund_no_prefix=profile.refund_no_prefix,
                window_days=profile.refund_window_days,
                min_gap_s=profile.min_gap_s,
                terminated_on=profile.ended_on,
            ),
        )
