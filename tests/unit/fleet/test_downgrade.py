"""A document that a newer build staged, in a till whose build was taken back since (trust.md 16)."""

import asyncio

from pos_agent.domain import desired_book as books
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.domain.desired_book import Book, Document
from tests.unit.fleet.scene import NOW, Scene


def test_staged_document_that_this_build_cannot_read_is_rejected_and_the_till_lives() -> None:
    payload = b'{"type":"config.desired","v":99}'
    newer = Document(version=9, etag="e9", payload=payload)
    scene = Scene(books.stage(Book(book_id="b1"), newer, at=NOW))

    async def story() -> None:
        await asyncio.sleep(5)

    scene.play(story)
    assert scene.till.saved is not None
    assert scene.till.saved.staged is None
    attempted = scene.office.reports[-1].attempted
    assert attempted is not None
    assert (attempted.state, attempted.reason) == (ConfigState.REJECTED, Reason.SCHEMA)
