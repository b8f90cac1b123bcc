"""Is this page of the one journal we know, of a copy of it, or an old page that the broker kept? Pure (trust.md 8).

A broker may hold back, double and replay pages and replies for ever, so nothing is concluded from the order in which
they come. Four rules make that sound; ADR 0009 has the proof, `tests/model/test_tokens.py` tries every order.

1. A token is a child of the one that the page showed, and of the page's own question: two journals that go on from one
   token get different children.
2. A till takes a child only as the answer to its newest question, so its token is the confirmed one or a child of it.
3. Showing a child confirms it; only that lets the record move on. What shows neither proves nothing by itself.
4. Whoever is to be called a copy must first echo a challenge that we made after the last confirmation: an echo was
   signed after the challenge, and from then on the one journal that we know has nothing older to show.
"""

import hmac
from collections.abc import Callable
from enum import Enum
from hashlib import sha256

import msgspec

_TAG_CHARS = 16
_MAC_CHARS = 32


class Verdict(Enum):
    """What a page is.

    ACCEPTED: of the journal that we know.
    CHALLENGED: it may be an old page; the till must ask again, with our challenge.
    EMPTY: of a journal that has forgotten every token: a new card. Accepted, and people are told.
    COPY: of a journal that others have gone on from.
    """

    ACCEPTED = "accepted"
    CHALLENGED = "challenged"
    EMPTY = "empty"
    COPY = "copy"


class TokenBook(msgspec.Struct, frozen=True):
    """What is known of a till's tokens.

    Attributes:
        confirmed: The newest token that the till has shown; None = any one will be believed, once.
        seed: Secret from which children of `confirmed` and challenges are made; new with each confirmation.
        earlier_seed: The one before.
    """

    confirmed: str | None = None
    seed: str = ""
    earlier_seed: str = ""


class Heights(msgspec.Struct, frozen=True):
    """How far a till's journal has come: submissions and audit lines; neither ever falls."""

    seq: int = 0
    lines: int = 0


class Shown(msgspec.Struct, frozen=True):
    """What a page shows.

    Attributes:
        question: Text that no other question of any boot has; the pages of one comparison share it.
        heights: Zero audit lines = not said.
    """

    token: str
    question: str
    challenge: str = ""
    heights: Heights = Heights()


class Decision(msgspec.Struct, frozen=True):
    """What follows from a page.

    Attributes:
        book: To be kept.
        token: For the reply; empty unless accepted.
        challenge: For the reply; empty unless challenged.
        floor: The page was proved to be signed when the journal had come at least so far; zeros = nothing proved.
    """

    verdict: Verdict
    book: TokenBook
    token: str = ""
    challenge: str = ""
    floor: Heights = Heights()


def decide(book: TokenBook, page: Shown, *, known: Heights, fresh: Callable[[], str]) -> Decision:
    """Judge one page.

    Args:
        book: As kept, read under a lock.
        page: What it shows.
        known: How far we know the till's journal to have come; a page that shows less is old, or its journal is.
        fresh: Returns a secret that was never used.
    """
    if not book.seed:
        book = TokenBook(confirmed=None, seed=fresh())
    floor = _proved(book.seed, page.challenge)
    is_proof_of_token = floor is not None
    floor = floor or _proved(book.earlier_seed, page.challenge)
    is_of_journal = book.confirmed is not None and (page.token == book.confirmed or _is_child(book.seed, page.token))
    is_lower = page.heights.seq < known.seq or 0 < page.heights.lines < known.lines
    if (not is_of_journal and not is_proof_of_token) or (is_lower and floor is None):
        return Decision(Verdict.CHALLENGED, book, challenge=_challenge(book.seed, known))
    if not is_of_journal and book.confirmed is not None and page.token:
        return Decision(Verdict.COPY, book, floor=floor or Heights())
    verdict = Verdict.ACCEPTED if is_of_journal or book.confirmed is None else Verdict.EMPTY
    if page.token != book.confirmed:
        book = TokenBook(confirmed=page.token, seed=fresh(), earlier_seed=book.seed)
    return Decision(verdict, book, token=_child(book.seed, page.question), floor=floor or Heights())


def _mac(seed: str, purpose: str, text: str) -> str:
    return hmac.new(seed.encode(), f"{purpose}\0{text}".encode(), sha256).hexdigest()[:_MAC_CHARS]


def _child(seed: str, question: str) -> str:
    tag = sha256(question.encode()).hexdigest()[:_TAG_CHARS]
    return tag + _mac(seed, "token", tag)


def _is_child(seed: str, token: str) -> bool:
    tag, mac = token[:_TAG_CHARS], token[_TAG_CHARS:]
    return hmac.compare_digest(mac.encode(), _mac(seed, "token", tag).encode())


def _challenge(seed: str, known: Heights) -> str:
    heights = f"{known.seq}.{known.lines}"
    return f"{heights}.{_mac(seed, 'challenge', heights)}"


def _proved(seed: str, challenge: str) -> Heights | None:
    """Return the heights inside a challenge that was made with this seed, None for any other text."""
    heights, _, mac = challenge.rpartition(".")
    if not seed or not challenge or not hmac.compare_digest(mac.encode(), _mac(seed, "challenge", heights).encode()):
        return None
    seq, _, lines = heights.partition(".")
    return Heights(int(seq), int(lines))
