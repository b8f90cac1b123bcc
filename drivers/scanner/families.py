"""The scanner families that are code: which protocol serves which value of ``devices.scanner.protocol``."""

from collections.abc import Callable
from typing import Final

from drivers.scanner.framer import ScanFramer
from drivers.scanner.protocol import ScanProtocol
from pos_agent.domain.config import ScannerConfig
from pos_agent.errors import ConfigValueError


def make_protocol(config: ScannerConfig) -> ScanProtocol:
    """Make the protocol that the configuration names.

    Raises:
        ConfigValueError: There is none of that name.
    """
    try:
        make = _PROTOCOLS[config.protocol]
    except KeyError:
        known = ", ".join(_PROTOCOLS)
        raise ConfigValueError(
            f"no scanner protocol {config.protocol!r}",
            key="devices.scanner.protocol",
            origin="config",
            hint=f"one of {known}",
        ) from None
    return make(config)


def _framer(config: ScannerConfig) -> ScanFramer:
    return ScanFramer(
        ends_at_suffix=config.suffix != "idle",
        idle_gap_s=config.idle_gap_ms / 1000,
        ends_at_tab=config.suffix == "tab",
        prefix=config.prefix,
    )


def _ack_nak(config: ScannerConfig) -> ScanProtocol:
    from drivers.scanner.ack_nak import AckNakProtocol  # noqa: PLC0415 - only what is configured

    return AckNakProtocol(_framer(config))


def _ssi(_: ScannerConfig) -> ScanProtocol:
    from drivers.scanner.ssi import SsiProtocol  # noqa: PLC0415 - only what is configured

    return SsiProtocol()


def _grow(config: ScannerConfig) -> ScanProtocol:
    from drivers.scanner.grow import GrowProtocol  # noqa: PLC0415 - only what is configured

    return GrowProtocol(_framer(config))


_PROTOCOLS: Final[dict[str, Callable[[ScannerConfig], ScanProtocol]]] = {
    "plain": _framer,
    "ack_nak": _ack_nak,
    "ssi": _ssi,
    "grow": _grow,
}
