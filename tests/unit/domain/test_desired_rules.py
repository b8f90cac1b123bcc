"""What a till does with a configuration document, and when a trial ends (trust.md 13, 15, 16)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain import desired_book as books
from pos_agent.domain.desired import ConfigState, HealthCheck, Reason, needs_two_signatures
from pos_agent.domain.desired_book import Book, Document, Trial
from pos_agent.domain.desired_rules import (
    MIN_TRIAL_S,
    Health,
    Offer,
    Site,
    Step,
    decide,
    health_of,
    is_known,
    judge_trial,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SITE = Site(terminal_id="t-a1", agent="0.2.0", schema=1, now=NOW, is_clock_trusted=True)
EMPTY = Book(book_id="b")


def document(version: int, etag: str = "") -> Document:
    return Document(version=version, etag=etag or f"e{version}", payload=b"{}")


def offer(version: int = 7, etag: str = "", **changes: Any) -> Offer:
    whole = Offer(
        document=document(version, etag),
        terminal_id="t-a1",
        signers=1,
        needs_two=False,
        schema=1,
        min_agent="",
        not_after=NOW + timedelta(days=1),
    )
    return msgspec.structs.replace(whole, **changes)


def staged(version: int = 7, book: Book = EMPTY) -> Book:
    return books.stage(book, document(version), at=NOW)


def in_trial(version: int = 7, book: Book = EMPTY, **facts: Any) -> Book:
    waiting = staged(version, book)
    return books.begin_trial(waiting, Trial(document=document(version), remaining_s=120.0, **facts), at=NOW)


def confirmed(version: int = 7, book: Book = EMPTY) -> Book:
    return books.confirm(in_trial(version, book), at=NOW)


def rolled_back(version: int = 7, reason: Reason = Reason.HEALTH, book: Book = EMPTY) -> Book:
    return books.roll_back(in_trial(version, book), reason=reason, at=NOW)


# -- trust.md 13: the order -----------------------------------------------------------------------------------------

#: Each has a document that fails this check and every later one, and what must be answered.
_ALL_WRONG: dict[str, Any] = {
    "signers": 1,
    "needs_two": True,
    "terminal_id": "t-b2",
    "schema": 9,
    "min_agent": "9.0",
    "not_after": NOW - timedelta(days=1),
}


@pytest.mark.parametrize(
    ("repaired", "version", "reason"),
    [
        ({}, 3, Reason.SECOND_SIGNATURE),
        ({"signers": 2}, 3, Reason.OTHER_TERMINAL),
        ({"signers": 2, "terminal_id": "t-a1"}, 3, Reason.OLD_VERSION),
        ({"signers": 2, "terminal_id": "t-a1"}, 5, Reason.CONFLICT),
        ({"signers": 2, "terminal_id": "t-a1"}, 1_000_006, Reason.VERSION_JUMP),
        ({"signers": 2, "terminal_id": "t-a1"}, 1_000_005, Reason.SCHEMA),
        ({"signers": 2, "terminal_id": "t-a1", "schema": 1}, 6, Reason.MIN_AGENT),
        ({"signers": 2, "terminal_id": "t-a1", "schema": 1, "min_agent": "0.2"}, 6, Reason.EXPIRED),
    ],
)
def test_trust_13_first_failing_check_in_the_order_is_the_reason(
    repaired: dict[str, Any], version: int, reason: Reason
) -> None:
    answer = decide(confirmed(5), offer(version, "other", **(_ALL_WRONG | repaired)), SITE)
    assert (answer.step, answer.reason) == (Step.REJECT, reason)


def test_trust_13_redelivered_running_document_is_a_no_op_before_its_version_is_looked_at() -> None:
    book = staged(8, confirmed(7))
    assert decide(book, offer(7, schema=9, min_agent="9.0"), SITE).step is Step.NOOP


@pytest.mark.parametrize("book", [staged(7), in_trial(7)])
def test_trust_13_staged_or_in_trial_goes_on(book: Book) -> None:
    assert decide(book, offer(7), SITE).step is Step.GO_ON


@pytest.mark.parametrize(
    "book",
    [
        rolled_back(7),
        books.reject(EMPTY, document(7), reason=Reason.EXPIRED, detail="", at=NOW, agent="0.2.0"),
    ],
)
def test_trust_13_rolled_back_or_rejected_is_reported_again_and_not_tried(book: Book) -> None:
    assert decide(book, offer(7), SITE).step is Step.REPORT


def test_trust_13_same_version_with_the_same_digest_is_no_conflict() -> None:
    """A fallback after crashes drops what was staged: it comes again under the highest version."""
    dropped = books.fall_back(staged(8, confirmed(7)), reason=Reason.CRASHES, at=NOW)
    forgotten = msgspec.structs.replace(dropped, attempts=())
    assert decide(forgotten, offer(8), SITE).step is Step.STAGE


def test_trust_13_document_and_highest_version_are_one_change() -> None:
    book = staged(7)
    assert (book.staged, book.highest_version, book.highest_etag) == (document(7), 7, "e7")


def test_trust_13_rejected_version_is_not_used_up() -> None:
    book = books.reject(EMPTY, document(900), reason=Reason.SCHEMA, detail="x", at=NOW)
    assert book.highest_version == 0
    assert decide(book, offer(7), SITE).step is Step.STAGE


def test_d19_untrusted_clock_skips_expiry_and_says_so() -> None:
    blind = msgspec.structs.replace(SITE, is_clock_trusted=False)
    old = offer(7, not_after=NOW - timedelta(days=400))
    assert decide(EMPTY, old, SITE).reason is Reason.EXPIRED
    answer = decide(EMPTY, old, blind)
    assert (answer.step, "expiry not judged" in answer.note) == (Step.STAGE, True)


def test_d16_second_signature_is_asked_for_what_it_protects_alone() -> None:
    for key in (
        "broker.url",
        "trust.back_office_keys",
        "policy.operator_limit_minor",
        "terminal.merchant_id",
        "fleet.keys",
        "renewal.url",
        "section_of_a_later_version.key",
    ):
        assert needs_two_signatures({"printing.copies_customer", key}), key
    for key in ("devices.printer.profile", "policy.text_zh", "terminal.locale", "journal.retention_days"):
        assert not needs_two_signatures({key}), key
    assert decide(EMPTY, offer(needs_two=True, signers=2), SITE).step is Step.STAGE


def test_document_with_too_few_signatures_is_not_remembered_against_the_same_bytes_with_both() -> None:
    answer = decide(EMPTY, offer(needs_two=True), SITE)
    assert not answer.is_kept
    assert decide(EMPTY, offer(needs_two=True, signers=2), SITE).step is Step.STAGE


def test_document_that_an_older_agent_could_not_understand_is_judged_again_by_a_newer_one() -> None:
    book = books.reject(EMPTY, document(7), reason=Reason.MIN_AGENT, detail="", at=NOW, agent="0.1.0")
    assert decide(book, offer(7, min_agent="0.2.0"), SITE).step is Step.STAGE
    same = msgspec.structs.replace(SITE, agent="0.1.0")
    assert decide(book, offer(7, min_agent="0.2.0"), same).step is Step.REPORT


@pytest.mark.parametrize(
    ("least", "is_enough"),
    [("", True), ("0.2.0", True), ("0.2", True), ("0.2.0rc1", True), ("0.10", False), ("1", False), ("new", False)],
)
def test_min_agent_is_compared_by_numbers(least: str, is_enough: bool) -> None:
    answer = decide(EMPTY, offer(min_agent=least), SITE)
    assert (answer.step is Step.STAGE) is is_enough


def test_newer_document_waits_while_another_is_in_trial() -> None:
    assert decide(in_trial(7), offer(8), SITE).step is Step.LATER


def test_trust_15_rolled_back_for_lack_of_network_is_retried_once() -> None:
    once = rolled_back(7, Reason.NO_NETWORK)
    assert not is_known(once, "e7", agent="0.2.0")
    assert decide(once, offer(7), SITE).step is Step.STAGE
    twice = rolled_back(7, Reason.NO_NETWORK, once)
    assert twice.attempts[-1].tries == 2
    assert decide(twice, offer(7), SITE).step is Step.REPORT


def test_trust_15_retry_makes_way_for_a_newer_document() -> None:
    superseded = confirmed(8, rolled_back(7, Reason.NO_NETWORK))
    assert decide(superseded, offer(7), SITE).reason is not Reason.NO_NETWORK
    assert decide(superseded, offer(7), SITE).step is Step.REPORT


# -- trust.md 15: the trial -----------------------------------------------------------------------------------------


def trial(**facts: Any) -> Trial:
    values: dict[str, Any] = {"remaining_s": 60.0, "ran_s": MIN_TRIAL_S, "baseline": (HealthCheck.PRINTER,)}
    return Trial(document=document(7), **(values | facts))


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (Health.GREEN, True),
        (Health.EXCUSED, True),
        (Health.RED, None),
        (Health.UNKNOWN, None),
    ],
)
def test_trust_15_trial_is_confirmed_when_nothing_turned_red(state: Health, outcome: bool | None) -> None:
    verdict = judge_trial(trial(), {HealthCheck.PRINTER: state}, is_acked=False)
    assert (None if verdict is None else verdict.is_confirmed) == outcome


def test_trust_15_what_was_red_before_does_not_count() -> None:
    verdict = judge_trial(trial(baseline=()), {HealthCheck.PRINTER: Health.RED}, is_acked=False)
    assert verdict is not None
    assert verdict.is_confirmed


def test_trust_15_check_that_stays_red_rolls_back_and_is_named() -> None:
    verdict = judge_trial(trial(remaining_s=0.0), {HealthCheck.PRINTER: Health.RED}, is_acked=True)
    assert verdict is not None
    assert (verdict.is_confirmed, verdict.reason, verdict.detail) == (False, Reason.HEALTH, "printer")


@pytest.mark.parametrize(
    ("is_online", "code", "is_moved", "health"),
    [
        (True, "", False, Health.GREEN),
        (True, "EPTR_REC_NEAR_END", False, Health.GREEN),
        (True, "paper_low", False, Health.GREEN),
        (True, "EPTR_REC_EMPTY", False, Health.EXCUSED),
        (True, "EPTR_COVER_OPEN", False, Health.EXCUSED),
        (False, "E_NOHARDWARE", False, Health.EXCUSED),
        (False, "E_NOHARDWARE", True, Health.RED),
        (False, "E_FAILURE", False, Health.RED),
        (True, "EPTR_CUTTER", False, Health.RED),
        (False, "", False, Health.UNKNOWN),
    ],
)
def test_trust_15_paper_out_and_unplugged_never_count(
    is_online: bool, code: str, is_moved: bool, health: Health
) -> None:
    assert health_of(is_online=is_online, code=code, is_moved=is_moved) is health


def test_trust_15_network_counts_only_if_the_document_could_have_cut_it() -> None:
    harmless = judge_trial(trial(), {HealthCheck.PRINTER: Health.GREEN}, is_acked=False)
    assert harmless is not None
    assert harmless.is_confirmed
    risky = trial(needs_ack=True)
    assert judge_trial(risky, {HealthCheck.PRINTER: Health.GREEN}, is_acked=False) is None
    answered = judge_trial(risky, {HealthCheck.PRINTER: Health.GREEN}, is_acked=True)
    assert answered is not None
    assert answered.is_confirmed
    late = judge_trial(trial(needs_ack=True, remaining_s=0.0), {HealthCheck.PRINTER: Health.GREEN}, is_acked=False)
    assert late is not None
    assert late.reason is Reason.NO_NETWORK


def test_trust_16_changed_keys_must_be_pressed_before_it_is_confirmed() -> None:
    book = in_trial(7, keys_wanted=("ENTER", "1"))
    book = books.run(book, 30.0, pressed=frozenset({"1", "9"}))
    assert book.trial is not None
    assert book.trial.keys_wanted == ("ENTER",)
    assert judge_trial(book.trial, {}, is_acked=True) is None
    book = books.run(book, 1.0, pressed=frozenset({"ENTER"}))
    assert book.trial is not None
    done = judge_trial(book.trial, {}, is_acked=True)
    assert done is not None
    assert done.is_confirmed
    late = judge_trial(trial(baseline=(), keys_wanted=("ENTER",), remaining_s=0.0), {}, is_acked=True)
    assert late is not None
    assert (late.reason, late.detail) == (Reason.KEYS_NOT_PRESSED, "ENTER")


def test_trial_is_not_confirmed_before_it_has_run_a_while() -> None:
    assert judge_trial(trial(ran_s=MIN_TRIAL_S - 0.1), {HealthCheck.PRINTER: Health.GREEN}, is_acked=True) is None


def test_trust_15_restart_in_trial_uses_one_of_two_starts() -> None:
    book = in_trial(7)
    first = books.start(book, at=NOW)
    second = books.start(first, at=NOW)
    assert second.in_effect == document(7)
    third = books.start(second, at=NOW)
    assert third.in_effect is None
    assert (third.attempts[-1].state, third.attempts[-1].reason) == (ConfigState.ROLLED_BACK, Reason.STARTS)


def test_trust_15_time_in_which_the_till_is_off_is_not_lost() -> None:
    book = books.run(in_trial(7), 50.0)
    restarted = books.start(book, at=NOW + timedelta(days=3))
    assert restarted.trial is not None
    assert restarted.trial.remaining_s == 70.0


def test_d17_crashing_configuration_gives_way_to_the_one_before_and_then_to_nothing() -> None:
    book = books.fall_back(confirmed(8, confirmed(7)), reason=Reason.CRASHES, at=NOW)
    assert book.in_effect == document(7)
    assert decide(book, offer(8), SITE).step is Step.REPORT
    with pytest.raises(ValueError, match="no configuration to fall back to"):
        books.fall_back(book, reason=Reason.CRASHES, at=NOW)


# -- whatever comes in whatever order -------------------------------------------------------------------------------

_MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 6), st.sampled_from("ab")),
        st.tuples(
            st.sampled_from(("begin", "start", "run", "confirm", "roll", "crash", "lost")), st.just(0), st.just("")
        ),
    ),
    max_size=40,
)


def _moved(book: Book, move: tuple[str, int, str]) -> Book:
    kind, version, letter = move
    if kind == "offer":
        wanted = offer(version, f"{letter}{version}")
        answer = decide(book, wanted, SITE)
        return books.stage(book, wanted.document, at=NOW) if answer.step is Step.STAGE else book
    if kind == "begin" and book.staged is not None and book.trial is None:
        return books.begin_trial(book, Trial(document=book.staged, remaining_s=60.0), at=NOW)
    if kind == "start":
        return books.start(book, at=NOW)
    if kind == "run":
        return books.run(book, 10.0)
    if kind == "confirm" and book.trial is not None:
        return books.confirm(book, at=NOW)
    if kind in ("roll", "lost") and book.trial is not None:
        return books.roll_back(book, reason=Reason.NO_NETWORK if kind == "lost" else Reason.HEALTH, at=NOW)
    if kind == "crash" and book.running is not None and book.has_previous:
        return books.fall_back(book, reason=Reason.CRASHES, at=NOW)
    return book


@given(_MOVES)
@settings(max_examples=150)
def test_d17_highest_version_never_falls_and_no_document_is_tried_too_often(moves: list[tuple[str, int, str]]) -> None:
    book = EMPTY
    for move in moves:
        after = _moved(book, move)
        assert after.highest_version >= book.highest_version
        assert after.seq >= book.seq
        if after.staged is not None and after.staged != book.staged:
            assert after.staged.version == after.highest_version, "nothing older than the newest is ever taken"
        if after.in_effect != book.in_effect and after.in_effect is not None:
            came = after.attempt(after.in_effect.etag)
            assert came is None or came.tries <= 2
        assert all(one.tries <= 2 for one in after.attempts)
        assert len({one.etag for one in after.attempts}) == len(after.attempts)
        book = after


@given(_MOVES)
@settings(max_examples=50)
def test_book_is_read_from_the_disk_as_it_was(moves: list[tuple[str, int, str]]) -> None:
    book = EMPTY
    for move in moves:
        book = _moved(book, move)
    assert msgspec.json.decode(msgspec.json.encode(book), type=Book) == book
