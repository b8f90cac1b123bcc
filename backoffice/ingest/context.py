"""What every part of ingest is given."""

from collections.abc import Callable

import msgspec

from backoffice.clock import Now
from backoffice.config import AcquirerConfig, Config
from pos_agent.protocol.messages import DownMessage
from pos_agent.protocol.topics import Leaf


class Context(msgspec.Struct, frozen=True):
    """Configuration, time and randomness.

    Attributes:
        new_token: Returns a fresh random text, never one that it returned before.
    """

    config: Config
    now: Now
    new_token: Callable[[], str]

    @property
    def locale(self) -> str:
        """Return the shop's language."""
        return self.config.server.locale

    def profile(self, acquirer_id: str) -> AcquirerConfig | None:
        """Return the profile of an acquirer, None if it is not configured."""
        return self.config.acquirers.get(acquirer_id)


class Incoming(msgspec.Struct, frozen=True):
    """A message as the broker delivered it."""

    topic: str
    payload: bytes


class Reply(msgspec.Struct, frozen=True):
    """A message to be signed and published after the commit."""

    terminal_id: str
    leaf: Leaf
    message: DownMessage
