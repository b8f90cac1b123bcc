"""Enrolment under races, with real threads, on both databases: a code binds one till, one person lets it in."""

from collections import Counter
from pathlib import Path

from backoffice import audit, deeds, invitations
from backoffice.deeds import Deed
from backoffice.enrolling import Enrolling
from backoffice.store.enrolment_tables import CertificateRow, InvitationRow, RenewalRow
from backoffice.store.schema import EventRow, Merchant, Meta, Terminal
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import Answer, State, key_fingerprint
from tests.integration.backoffice.racing import race, world
from tests.unit.backoffice.enrolment_ground import CSR, DAYS, TILL, Ground, csr_for, ground
from tests.unit.backoffice.world import MERCHANT

__all__ = ["ground", "world"]
THREADS = 5


def _states(results: list[object]) -> Counter[State]:
    assert all(isinstance(result, Answer) for result in results), results
    return Counter(result.state for result in results if isinstance(result, Answer))


def test_tills_racing_with_one_code_one_is_bound_and_the_others_are_alarmed(ground: Ground) -> None:
    code = ground.invite()
    keys = [PrivateKey.generate() for _ in range(THREADS)]
    results = race(*[lambda key=key: ground.ask(code, key=key) for key in keys])
    assert _states(results) == {State.WAITING: 1, State.REFUSED: THREADS - 1}
    [row] = ground.world.rows(InvitationRow)
    winner = next(key for key, result in zip(keys, results, strict=True) if _states([result])[State.WAITING])
    assert row.device_key == winner.public_key().base64
    # Who came after as many wrong tries as are allowed is not compared any more.
    alarms = [event.name for event in ground.world.rows(EventRow)]
    assert alarms == ["enrolment_code_replayed"] * (THREADS - 1)


def test_guesses_racing_are_all_counted_and_no_more_are_compared_than_allowed(ground: Ground) -> None:
    code = ground.invite()
    guesses = [lambda number=number: ground.ask(f"{'A' * 15}{number}") for number in range(2, 9)]
    assert _states(race(*guesses)) == {State.REFUSED: len(guesses)}
    assert ground.world.rows(InvitationRow)[0].tries == invitations.MAX_TRIES
    assert ground.ask(code).state is State.REFUSED


def test_persons_racing_to_accept_and_refuse_one_till_one_decides(ground: Ground) -> None:
    ground.ask(ground.invite())
    shown = key_fingerprint(ground.key.public_key())

    def refuse() -> None:
        with ground.world.database.writing() as session:
            invitations.refuse(session, TILL, fingerprint=shown, by="person:wang", now=ground.world.now)

    results = race(ground.accept, refuse, ground.accept)
    assert sorted(str(result) for result in results) == ["None", "gone", "gone"]
    with ground.world.database.reading() as session:
        decided = [line.after for line in deeds.newest(session, limit=9) if line.after != Deed.INVITED]
        assert audit.verify(session).differences == {}
    assert len(decided) == 1
    assert len(ground.world.rows(CertificateRow)) == decided.count(Deed.ACCEPTED)


def test_persons_racing_to_invite_one_till_leave_one_code_that_works(ground: Ground) -> None:
    codes = race(*[ground.invite] * THREADS)
    assert all(isinstance(code, str) for code in codes), codes
    works = [code for code in codes if isinstance(code, str) and ground.ask(code).state is State.WAITING]
    assert len(works) == 1
    with ground.world.database.reading() as session:
        assert audit.verify(session).deeds == THREADS


def test_first_tills_of_a_new_merchant_racing_to_be_accepted_are_all_let_in(ground: Ground) -> None:
    names = [f"t-new-{number:02d}" for number in range(1, THREADS + 1)]
    shown = key_fingerprint(ground.key.public_key())
    for name in names:
        code = ground.invite(terminal_id=name, merchant_id="M-NEW")
        ground.ask(code, terminal_id=name, csr=csr_for(name))

    def accept(name: str) -> None:
        with ground.world.database.writing() as session:
            invitations.accept(
                session, ground.authority, name, fingerprint=shown, by="person:li", now=ground.world.now, days=DAYS
            )

    assert race(*[lambda name=name: accept(name) for name in names]) == [None] * THREADS
    assert {row.merchant_id for row in ground.world.rows(Merchant)} == {MERCHANT, "M-NEW"}
    assert {row.terminal_id for row in ground.world.rows(Terminal)} >= set(names)


def test_renewal_racing_with_itself_gives_one_certificate(ground: Ground) -> None:
    ground.enrol()
    assert _states(race(*[ground.renew] * THREADS)) == {State.ACCEPTED: THREADS}
    assert len(ground.world.rows(CertificateRow)) == 2


def test_expired_certificate_racing_with_itself_waits_once(ground: Ground) -> None:
    ground.enrol()
    ground.world.later(days=DAYS + 1)
    assert _states(race(*[lambda: ground.renew(CSR)] * THREADS)) == {State.WAITING: THREADS}
    assert len(ground.world.rows(RenewalRow)) == 1


def test_workers_that_start_at_once_on_a_new_database_have_one_key_of_nonces(ground: Ground, tmp_path: Path) -> None:
    world, nonces = ground.world, []
    with world.database.writing() as session:
        row = session.get(Meta, "renewal_nonces")
        assert row is not None
        session.delete(row)

    def start() -> None:
        started = Enrolling(world.database, ground.materials, now=lambda: world.now, lifetime_days=DAYS)
        nonces.append(started.nonce().nonce)

    assert race(*[start] * THREADS) == [None] * THREADS
    ground.enrolling = Enrolling(world.database, ground.materials, now=lambda: world.now, lifetime_days=DAYS)
    ground.enrol()
    assert [ground.renew(nonce=nonce).state for nonce in nonces] == [State.ACCEPTED] * THREADS
