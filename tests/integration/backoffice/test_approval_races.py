"""Approvals by code under races, with real threads, on both databases: one answers, and it is spent once (ADR 0024)."""

from pathlib import Path

import pytest

from backoffice import audit
from backoffice.review import Actor, DecisionError
from backoffice.signing import make_key_file
from backoffice.store.approval_tables import OfflineApproval
from backoffice.store.schema import Decision, Refund
from pos_agent.domain.approval import ApprovalAnswer
from tests.integration.backoffice.racing import race, world
from tests.unit.backoffice.test_approving import WANG, approve, asked, look, with_approval
from tests.unit.backoffice.world import World

__all__ = ["world"]
THREADS = 5


@pytest.fixture(autouse=True)
def _signing(world: World, tmp_path: Path) -> None:
    world.config.signing.key_file = str(tmp_path / "office.pem")
    make_key_file(tmp_path / "office.pem")


def test_persons_racing_to_answer_one_question_one_answers(world: World) -> None:
    persons = [WANG, world.actor(), Actor("zhao", "zhao", "manager"), Actor("chen", "chen", "finance")]
    for person in persons[2:]:
        world.add_person(person.login, person.role)
    code = asked(world, world.request(sale_id="s-000001"))
    shown = look(world, code).shown
    results = race(*[lambda person=person: approve(world, code, person, shown) for person in persons])
    [answer] = [result for result in results if isinstance(result, ApprovalAnswer)]
    codes = [result.code for result in results if isinstance(result, DecisionError)]
    assert codes == ["approval_taken"] * (len(persons) - 1)
    assert [row.person_id for row in world.rows(OfflineApproval)] == [answer.person_id]
    with world.database.reading() as session:
        verdict = audit.verify(session)
    assert (verdict.deeds, verdict.differences) == (1, {})


def test_approval_is_spent_once_by_a_request_that_comes_many_times_at_once(world: World) -> None:
    request = world.request(sale_id="s-000001")
    approve(world, asked(world, request))
    claimed = with_approval(request)
    results = race(*[lambda: world.submit(claimed)] * THREADS)
    statuses = sorted(str(getattr(result, "status", result)) for result in results)
    assert statuses == ["duplicate"] * (THREADS - 1) + ["stored"]
    assert [(one.person_id, one.kind) for one in world.rows(Decision)] == [("wang", "approve")]
    assert world.refund(request.refund_request_id).state == "approved"


def test_i2_approved_requests_racing_for_one_sale_never_take_more_than_was_paid(world: World) -> None:
    """Each was approved when nothing else was asked of the sale."""
    requests = [world.request(sale_id="s-000001", amount_minor=5000 + number) for number in range(THREADS)]
    for request in requests:
        approve(world, asked(world, request))
    race(*[lambda request=request: world.submit(with_approval(request)) for request in requests])
    rows = world.rows(Refund)
    assert sum(row.amount_minor for row in rows if row.state not in ("rejected", "held")) <= 12800
    assert [row.state for row in rows].count("approved") == 1
    assert len(rows) == THREADS


def test_answer_racing_with_the_requests_of_its_till_ends_without_a_deadlock(world: World) -> None:
    questions = [world.request(sale_id="s-000001", amount_minor=10 + number) for number in range(THREADS)]
    shown = [look(world, asked(world, request)).shown for request in questions]
    others = [world.request(sale_id="s-000001", amount_minor=100 + number) for number in range(THREADS)]
    answers = [
        lambda request=request, seen=seen: approve(world, asked(world, request), shown=seen)
        for request, seen in zip(questions, shown, strict=True)
    ]
    results = race(*answers, *[lambda request=request: world.submit(request) for request in others])
    assert all(isinstance(result, ApprovalAnswer | DecisionError) for result in results[:THREADS]), results
    assert [str(getattr(result, "status", result)) for result in results[THREADS:]] == ["stored"] * THREADS
