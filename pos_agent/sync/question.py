"""Which answers belong to the newest comparison (ADR 0009). Pure."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Question:
    """One comparison of journals, in pages; the broker may bring answers to older ones at any time.

    Attributes:
        nonce: Random, of this comparison alone; empty = nothing was asked yet.
        challenge: What it echoes.
        unanswered: Numbers of pages.
    """

    nonce: str = ""
    challenge: str = ""
    unanswered: set[int] = field(default_factory=set)

    def takes(self, nonce: str, page: int) -> bool:
        """Return True if this answers a page that has no answer yet."""
        return self.is_mine(nonce) and page in self.unanswered

    def is_mine(self, nonce: str) -> bool:
        """Return True if something was asked and this is about it."""
        return bool(self.nonce) and nonce == self.nonce
