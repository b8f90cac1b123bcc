"""The back office goes back to an older copy, once: copied at any moment, put back at any later one (trust.md 8).

What the tills know, what was signed, what is on its way and what the acquirer did stays. The steps are those of
`backoffice.restoring`, `backoffice.execution.verification` and `backoffice.ingest.telling`.
"""

from collections.abc import Iterator

from backoffice.refunds import stated_money
from backoffice.states import AT_ACQUIRER, FINAL, State, wire_state
from pos_agent.domain.refund import FINAL_STATES
from tests.model import world as model
from tests.model.state import Row, Said, World, number_of, put
from tests.model.world import Rules, announced, moved_to


class RestoringRules(Rules):
    """The steps that can follow a world in which the database may be copied and put back."""

    def after(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield every world that one step leads to, with the step's name."""
        yield from super().after(world)
        yield from self._restore(world)

    def is_over(self, world: World) -> bool:
        """Return whether all refunds are final and their tills know it, or know an end that was lost."""
        return all(
            row is not None and row.state in FINAL and known is not None and _agree(row, known)
            for row, known in list(zip(world.rows, world.known, strict=True))[: len(self.amounts)]
        )

    def _restore(self, world: World) -> Iterator[tuple[str, World]]:
        if world.copy is None and any(world.rows):
            yield "office is copied", world._replace(copy=world.rows)
        if world.copy is not None and world.epoch == 1:
            yield "the copy is put back", _put_back(world, world.copy)
        if not world.is_restoring:
            return
        for request, row in enumerate(world.rows):
            if row is not None and not world.is_checked[request]:
                yield from _verified(world, request, row)
            if row is not None and not world.is_answered[request]:
                yield from _told_anew(world, request, row)
        if self._is_all_known(world):
            yield "restore ends", _finished(world)

    def _is_all_known(self, world: World) -> bool:
        """Return whether every request that was sent is here, asked about, and answered by its till."""
        return all(
            not world.is_sent[request]
            or (world.rows[request] is not None and world.is_checked[request] and world.is_answered[request])
            for request in range(len(self.amounts))
        )


def _put_back(world: World, rows: tuple[Row | None, ...]) -> World:
    """Go back to a copy: a new epoch, sign-ins end, open requests are stated anew."""
    is_final = tuple(row is None or row.state in FINAL for row in rows)
    world = world._replace(
        rows=rows,
        epoch=2,
        is_restoring=True,
        pages=(None, None),
        waits=(False, False),
        is_answered=is_final,
    )
    for request, row in enumerate(rows):
        if row is not None and not is_final[request]:
            world = announced(world, request, row)
    return world


def _verified(world: World, request: int, row: Row) -> Iterator[tuple[str, World]]:
    """Ask the acquirer, as `execution.verification` does; "not found" counts when nothing is on its way any more."""
    number = number_of(request)
    checked = world._replace(is_checked=put(world.is_checked, request, new=True))
    verdicts = [is_moved for one, is_moved in world.ledger if one == number]
    if not verdicts:
        if number not in world.calls:
            yield f"check does not find {request}", checked
        return
    if row.state in FINAL:
        yield f"check finds {request} as it is", checked
        return
    if row.state not in AT_ACQUIRER:
        checked = moved_to(checked, request, State.UNKNOWN)
    state = State.SUCCEEDED if verdicts[0] else State.FAILED
    yield f"check finds {request} {state}", moved_to(checked, request, state)


def _told_anew(world: World, request: int, row: Row) -> Iterator[tuple[str, World]]:
    """Let a till answer the newest state; one that knows an end which was lost says so, and holds the request."""
    said = max((one for one in world.said[request] if one.epoch == world.epoch), key=lambda one: one.seq)
    known = world.known[request]
    answered = world._replace(is_answered=put(world.is_answered, request, new=True))
    if model.takes(known, said):
        yield f"till {request} answers {said.state}", answered._replace(known=put(world.known, request, new=said))
    elif known is None or known.state not in FINAL_STATES or known.state == said.state or row.is_end_known:
        yield f"till {request} answers {said.state} again", answered
    else:
        rows = put(world.rows, request, new=row._replace(is_end_known=True))
        told = world._replace(rows=rows)
        is_waiting = row.state in (State.REVIEWING, State.NEED_INFO, State.APPROVED)
        held = moved_to(told, request, State.HELD) if is_waiting else answered._replace(rows=rows)
        yield f"till {request} knows an end", held


def _finished(world: World) -> World:
    """End the restore: every open request is stated again, under a higher number."""
    world = world._replace(is_restoring=False, is_checked=(False, False), is_answered=(False, False))
    for request, row in enumerate(world.rows):
        if row is not None and row.state not in FINAL:
            world = announced(world, request, row._replace(version=row.version + 1, seq=row.seq + 1))
    return world


def _agree(row: Row, known: Said) -> bool:
    """Return whether a till's end is its request's: the same, or after a restore another one that moved nothing too."""
    if known.state == wire_state(row.state):
        return True
    is_lost = row.is_end_known and known.state in FINAL_STATES
    return is_lost and known.money_moved is stated_money(row.state, row.hold, None, is_restoring=False)
