"""A world of tills, a back office and a network that forgets nothing, for the search of `test_tokens`.

The decisions are the product's own: `backoffice.ingest.tokens.decide` and `pos_agent.sync.question.Question`. What was
ever sent can be delivered at any time, any number of times, in any order, or never; that is what a broker with every
right can do to signed messages, and what two workers of the back office can do to each other.
"""

from collections.abc import Iterator

import msgspec

from backoffice.ingest.tokens import Decision, Heights, Shown, TokenBook, Verdict, decide
from pos_agent.sync.question import Question


class Till(msgspec.Struct, frozen=True):
    """One real journal, and the daemon on it.

    Attributes:
        seq: Submissions so far.
        asked: Nonce of the newest comparison; empty after a start.
        challenge: To be echoed next.
        questions: How many more comparisons it may begin.
        begun: How many it has begun; as a nonce, what randomness is to the real one.
    """

    name: str
    token: str = ""
    seq: int = 0
    asked: str = ""
    challenge: str = ""
    questions: int = 0
    begun: int = 0


class Answer(msgspec.Struct, frozen=True, order=True):
    """What the back office sent."""

    nonce: str
    token: str
    challenge: str


class World(msgspec.Struct, frozen=True):
    """Everything that there is.

    Attributes:
        pages, answers: Everything ever sent.
        stored_seq: Highest submission that the back office has.
        seeds: Secrets used so far.
        submissions: How many more requests tills may make.
        clears: How often a person may still declare the till good, or the back office be restored.
        called: Verdicts that blame a till, so far: which till's page, and what was said.
    """

    tills: tuple[Till, ...]
    book: TokenBook = TokenBook()
    pages: frozenset[Shown] = frozenset()
    answers: frozenset[Answer] = frozenset()
    stored_seq: int = 0
    seeds: int = 0
    submissions: int = 0
    clears: int = 0
    called: frozenset[tuple[str, Verdict]] = frozenset()


def steps(world: World) -> Iterator[tuple[str, World]]:
    """Yield everything that can happen next."""
    for number, till in enumerate(world.tills):
        if till.questions:
            yield f"{till.name} asks", asks(world, number)
        if till.questions and world.submissions:
            yield f"{till.name} submits and asks", asks(submits(world, number), number)
        if till.challenge:
            yield f"{till.name} starts again", _with(world, number, challenge="")
        if till.seq > world.stored_seq:
            yield f"request of {till.name} arrives", msgspec.structs.replace(world, stored_seq=till.seq)
        for answer in sorted(world.answers):
            yield f"{till.name} hears {answer}", hears(world, number, answer)
    for page in sorted(world.pages, key=repr):
        yield f"back office reads {page}", reads(world, page)[0]
    if world.clears:
        cleared = msgspec.structs.replace(world, book=TokenBook(), clears=world.clears - 1)
        yield "a person clears the till, or the back office is restored", cleared


def _with(world: World, number: int, **changes: object) -> World:
    tills = list(world.tills)
    tills[number] = msgspec.structs.replace(tills[number], **changes)
    return msgspec.structs.replace(world, tills=tuple(tills))


def submits(world: World, number: int) -> World:
    """Let a till commit one more request."""
    world = _with(world, number, seq=world.tills[number].seq + 1)
    return msgspec.structs.replace(world, submissions=world.submissions - 1)


def asks(world: World, number: int) -> World:
    """Let a till begin a comparison."""
    till = world.tills[number]
    nonce = f"{till.name}{till.begun}"
    page = Shown(till.token, nonce, till.challenge, Heights(till.seq))
    world = _with(world, number, asked=nonce, challenge="", questions=till.questions - 1, begun=till.begun + 1)
    return msgspec.structs.replace(world, pages=world.pages | {page})


def hears(world: World, number: int, answer: Answer) -> World:
    """Let a till hear an answer; it takes those of its newest comparison, and keeps the token in its journal."""
    till = world.tills[number]
    question = Question(till.asked, "", {1})
    if answer.challenge:
        return _with(world, number, asked="", challenge=answer.challenge) if question.is_mine(answer.nonce) else world
    return _with(world, number, token=answer.token) if question.takes(answer.nonce, 1) else world


def reads(world: World, page: Shown) -> tuple[World, Decision]:
    """Let the back office read a page."""
    used = 0

    def fresh() -> str:
        nonlocal used
        used += 1
        return f"seed-{world.seeds + used}"

    decision = decide(world.book, page, known=Heights(world.stored_seq), fresh=fresh)
    blame: set[tuple[str, Verdict]] = set()
    if decision.verdict in (Verdict.COPY, Verdict.EMPTY):
        blame.add((page.question[0], decision.verdict))
    if page.heights.seq < decision.floor.seq:
        blame.add((page.question[0], Verdict.CHALLENGED))  # "its journal went back in time"
    sent = (
        {Answer(page.question, decision.token, decision.challenge)} if decision.token or decision.challenge else set()
    )
    after = msgspec.structs.replace(
        world,
        book=decision.book,
        seeds=world.seeds + used,
        answers=world.answers | sent,
        called=world.called | blame,
    )
    return after, decision


def converses(world: World, number: int) -> tuple[World, Verdict]:
    """Let a till compare with nothing in the way: at most two questions; return the verdict on the last."""
    verdict = Verdict.CHALLENGED
    for _ in range(2):
        world = asks(_with(world, number, questions=world.tills[number].questions + 1), number)
        nonce = world.tills[number].asked
        page = next(page for page in world.pages if page.question == nonce)
        world, decision = reads(world, page)
        verdict = decision.verdict
        if decision.token or decision.challenge:
            world = hears(world, number, Answer(nonce, decision.token, decision.challenge))
        if verdict is not Verdict.CHALLENGED:
            break
    return world, verdict
