"""Breadth-first search with a way back to the first world, so that a broken promise comes with its story."""

from collections import deque
from collections.abc import Callable

import msgspec

from tests.model.state import World
from tests.model.world import Rules


class Found(msgspec.Struct, kw_only=True):
    """What a search saw.

    Attributes:
        story: Steps to the first world in which something was wrong; empty if nothing was.
        wrong: What was wrong.
    """

    states: int = 0
    steps: int = 0
    ends: int = 0
    is_complete: bool = True
    wrong: str = ""
    story: list[str] = []


def search(
    rules: Rules, wrong_in: Callable[[World], str], wrong_between: Callable[[World, World], str], *, most_states: int
) -> Found:
    """Visit every world: `wrong_in` is asked once for each, `wrong_between` for each step from one to another."""
    first = World()
    found = Found()
    came_from: dict[World, tuple[World, str] | None] = {first: None}
    queue = deque([first])
    while queue:
        world = queue.popleft()
        found.states += 1
        if found.states > most_states:
            found.is_complete = False
            return found
        is_end = True
        for name, after in rules.after(world):
            found.steps += 1
            if after == world:
                continue
            is_end = False
            wrong = wrong_between(world, after)
            if after not in came_from:
                wrong = wrong or wrong_in(after)
                came_from[after] = (world, name)
                queue.append(after)
            if wrong:
                found.wrong, found.story = wrong, [*_story(came_from, world), name]
                return found
        if is_end:
            found.ends += 1
            if not rules.is_over(world):
                found.wrong, found.story = "nothing goes on, and it is not over", _story(came_from, world)
                return found
    return found


def _story(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    steps = []
    back = came_from[world]
    while back is not None:
        world, name = back
        steps.append(name)
        back = came_from[world]
    return steps[::-1]
