"""A broker that delays, drops, doubles, reorders and replays for ever: one till is never called a copy, two always are.

The schedules of the settings below are visited, breadth first, over the product's own decision: a part of them in make
test, all that fit into 300,000 states in make test-all.
"""

from collections import deque
from collections.abc import Callable, Iterator

import msgspec
import pytest

from backoffice.ingest import tokens as product
from backoffice.ingest.tokens import Verdict
from tests.model import tokens as model
from tests.model.tokens import Till, World

PART = 2_500
ALL = 300_000
#: Settings: comparisons after the first contact, requests made meanwhile, clearings or restores.
SETTINGS = [(4, 0, 0), (3, 1, 0), (2, 2, 0), (3, 0, 1)]


def _visited(first: World, *, most: int, until: Callable[[World], bool] = lambda _: False) -> Iterator[World]:
    seen, queue = {first}, deque([first])
    while queue and most:
        world = queue.popleft()
        yield world
        most -= 1
        if until(world):
            continue
        for _, after in model.steps(world):
            if after not in seen:
                seen.add(after)
                queue.append(after)


def _known_till(questions: int, submissions: int = 0, clears: int = 0) -> World:
    world, _ = model.converses(World(tills=(Till("R"),)), 0)
    [till] = world.tills
    tills = (msgspec.structs.replace(till, questions=questions),)
    return msgspec.structs.replace(world, tills=tills, submissions=submissions, clears=clears)


def _checked(first: World, *, most: int = ALL) -> int:
    """Visit everything; nothing may be blamed on the only till, and it must be heard once the broker lets it."""
    count = 0
    for world in _visited(first, most=most):
        count += 1
        assert not world.called, world
        after, verdict = model.converses(world, 0)
        assert verdict is Verdict.ACCEPTED, world
        assert not after.called, world
    return count


@pytest.mark.parametrize(("questions", "submissions", "clears"), SETTINGS)
def test_i8_one_till_is_never_blamed_and_always_heard_whatever_the_broker_does(
    questions: int, submissions: int, clears: int
) -> None:
    assert _checked(_known_till(questions, submissions, clears), most=PART) > 1000


@pytest.mark.parametrize(("questions", "submissions"), [(4, 0), (3, 1)])
def test_i8_till_without_any_token_is_never_blamed(questions: int, submissions: int) -> None:
    assert _checked(World(tills=(Till("R", questions=questions),), submissions=submissions), most=PART) > 100


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("questions", "submissions", "clears"), SETTINGS)
def test_i8_one_till_is_never_blamed_in_a_long_search(questions: int, submissions: int, clears: int) -> None:
    assert _checked(_known_till(questions, submissions, clears)) > 10_000


def _cloned(world: World) -> World:
    """Copy the card: the same journal runs twice from now on; what was in flight reaches whoever asked."""
    [till] = world.tills
    clone = msgspec.structs.replace(till, name="C", asked="", challenge="", questions=1, begun=0)
    return msgspec.structs.replace(world, tills=(msgspec.structs.replace(till, questions=1), clone))


def _checked_two(*, originals: int, clones: int) -> None:
    for world in _visited(_known_till(2), most=originals):
        for both in _visited(_cloned(world), most=clones, until=lambda world: bool(world.called)):
            for order in ((0, 1, 0, 1), (1, 0, 1, 0), (0, 0, 1, 1), (1, 1, 0, 0)):
                after = both
                for number in order:
                    after, _ = model.converses(after, number)
                assert Verdict.COPY in {verdict for _, verdict in after.called}, (order, both)


def test_i8_two_tills_with_one_journal_are_noticed_whenever_the_card_was_copied_and_whatever_came_before() -> None:
    _checked_two(originals=60, clones=15)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_i8_two_tills_with_one_journal_are_noticed_in_a_long_search() -> None:
    _checked_two(originals=500, clones=300)


def test_token_that_rotates_with_every_page_is_found_to_blame_the_only_till(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is worth something: it finds the fault that ADR 0009 was written for."""

    def rotating(book: product.TokenBook, page: product.Shown, **rest: object) -> product.Decision:
        decision = product.decide(book, page, **rest)  # type: ignore[arg-type]
        if decision.verdict is not Verdict.ACCEPTED or page.token != book.confirmed:
            return decision
        seed = f"{decision.book.seed}'{page.question}"
        return msgspec.structs.replace(
            decision, book=product.TokenBook(page.token, seed), token=product._child(seed, page.question)
        )

    monkeypatch.setattr(model, "decide", rotating)
    with pytest.raises(AssertionError):
        _checked(_known_till(4))


def test_copy_told_without_a_challenge_is_found_to_blame_the_only_till(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is no proof of when it was signed."""

    def hasty(book: product.TokenBook, page: product.Shown, **rest: object) -> product.Decision:
        decision = product.decide(book, page, **rest)  # type: ignore[arg-type]
        is_old = decision.verdict is Verdict.CHALLENGED and book.confirmed is not None
        return msgspec.structs.replace(decision, verdict=Verdict.COPY) if is_old and page.token else decision

    monkeypatch.setattr(model, "decide", hasty)
    with pytest.raises(AssertionError):
        _checked(_known_till(4))
