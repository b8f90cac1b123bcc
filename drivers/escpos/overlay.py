"""What commissioning found out about the till's own printer, laid over a shipped profile (D13, field.md 18). Pure.

A file in the data folder, ``printer.toml``; `pos-agent devices commission printer` writes it, the daemon reads it at
its next start. It changes facts of the profile that the configuration names, and of no other.
"""

import json
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from drivers.escpos.profile import Profile, check_profile
from pos_agent.errors import ConfigValueError

NAME: Final = "printer.toml"
_HEAD: Final = """\
# What `pos-agent devices commission printer` found out about the printer of this till. It is laid over the profile
# named by `base` while the configuration names that one. Delete the file to forget it.
"""


class OverlayFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The facts of `drivers.escpos.profile.Profile` that commissioning can find out; None = as the profile says."""

    width_dots: int | None = None
    text_mode: str | None = None
    cut: str | None = None
    has_code128: bool | None = None
    has_qr: bool | None = None
    has_raster: bool | None = None
    has_port_status: bool | None = None
    has_asb: bool | None = None
    has_dle_eot: bool | None = None
    has_process_id: bool | None = None
    has_transmit_status: bool | None = None
    drawer_pin: int | None = None
    drawer_sensor: str | None = None
    buzzer: str | None = None
    tier: str | None = None

    @property
    def known(self) -> dict[str, bool | int | str]:
        """Return the facts that were found out, by name."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file.

    Attributes:
        base: Profile that it is laid over.
        commissioned_at: ISO 8601, with the zone.
        identity: The printer (`drivers.escpos.link.PrinterLink.identity`), "" = the link cannot tell.
        models: What the printer said when it was asked who it is.
        facts: See `OverlayFacts`.
        source: How each fact was found out, by its key.
    """

    base: str
    commissioned_at: str
    identity: str = ""
    models: tuple[str, ...] = ()
    facts: OverlayFacts = OverlayFacts()
    source: dict[str, str] = {}

    def over(self, profile: Profile) -> Profile:
        """Return the profile with the facts of this printer.

        Raises:
            ConfigValueError: Together they are no printer.
        """
        said = {**msgspec.to_builtins(profile), **self.facts.known, "source": {**profile.source, **self.source}}
        # Rendered bytes depend on it: those of before the commissioning are rendered again (D12).
        said["profile_id"] = f"{profile.profile_id}+{self.commissioned_at}"
        try:
            merged = msgspec.convert(said, Profile)
        except ValueError as error:
            raise ConfigValueError(str(error), key="facts", origin=NAME) from error
        check_profile(merged)
        return merged


def parse_overlay(text: str) -> Overlay:
    """Read the file.

    Raises:
        ConfigValueError: It is none.
    """
    try:
        return msgspec.convert(tomllib.loads(text), Overlay)
    except (ValueError, RecursionError) as error:
        raise ConfigValueError(str(error), key="printer.toml", origin=NAME) from error


def overlay_text(overlay: Overlay) -> str:
    """Return the file's text; `parse_overlay` reads it."""
    return _HEAD + "\n".join(_lines(overlay)) + "\n"


def _lines(overlay: Overlay) -> Iterator[str]:
    for name in ("base", "commissioned_at", "identity", "models"):
        yield f"{name} = {_toml(getattr(overlay, name))}"
    for table, rows in (("facts", overlay.facts.known), ("source", overlay.source)):
        yield f"\n[{table}]"
        yield from (f"{name} = {_toml(value)}" for name, value in rows.items())


def _toml(value: Any) -> str:
    """Return a value as TOML: of what is written here, JSON is a part of it (DEL apart, which no answer may hold)."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
