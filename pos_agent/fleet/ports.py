"""What the fleet room needs of the till around it; `pos_agent.app` implements it."""

from collections.abc import Mapping
from typing import Protocol

from pos_agent.domain.config import Config
from pos_agent.domain.desired import ApplyWhen, HealthCheck
from pos_agent.domain.desired_book import Book
from pos_agent.domain.desired_rules import Health
from pos_agent.settings import Layer, LoadedConfig


class TillPort(Protocol):
    """The till that is to be configured."""

    @property
    def refused_code(self) -> str:
        """Return the code for which this configuration gave the SAFE state; empty = it did not."""

    def load_with(self, layer: Layer | None) -> LoadedConfig:
        """Load the configuration with a layer and try its devices; raises ConfigError."""

    def health(self, *, moved: tuple[HealthCheck, ...] = ()) -> Mapping[HealthCheck, Health]:
        """Return how the configured devices are."""

    def changed_keypad_keys(self, before: Config, after: Config) -> tuple[str, ...]:
        """Return the logical keys that other keys of the keypad mean afterwards."""

    def ask_for_keys(self, keys: tuple[str, ...]) -> None:
        """Ask the cashier to press these logical keys once; none = no more."""

    def may_switch(self, when: ApplyWhen) -> bool:
        """Return whether nobody is interrupted by a restart."""

    def restart(self) -> None:
        """Stop in order and start again."""

    async def save(self, book: Book) -> None:
        """Make the record durable; raises OSError."""

    async def audit(self, event: str, data: Mapping[str, str]) -> None:
        """Write a line to the audit chain; a journal in trouble is logged, not raised."""


class OfficePort(Protocol):
    """The way to the back office."""

    @property
    def is_connected(self) -> bool:
        """Return whether the broker is there."""

    @property
    def is_acked(self) -> bool:
        """Return whether the back office has answered on this connection, with its signature."""

    async def report(self, payload: bytes) -> None:
        """Publish the report, retained; raises BrokerError."""
