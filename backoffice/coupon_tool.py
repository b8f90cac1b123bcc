"""What ``pos-backoffice coupon`` does: issue, approve, redeem, list."""

import argparse
import sys

import msgspec
from sqlalchemy import select

from backoffice import coupon_facts, coupons, enrolment
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.coupon_book import fresh_code, month_of, new_coupon_id
from backoffice.coupon_words import local_time, why_not_in_all
from backoffice.coupons import Order
from backoffice.ingest.context import Context
from backoffice.review import Actor, DecisionError
from backoffice.rules import RANKS
from backoffice.store.coupon_tables import Coupon
from backoffice.store.database import Database, open_database
from backoffice.store.schema import Account, Person
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.money import format_amount, parse_yuan
from pos_agent.i18n.backoffice import text


def run(arguments: argparse.Namespace, config: Config) -> tuple[str, object, bool]:
    """Run one command; returns words, facts, and whether it was done.

    Raises:
        ValueError: No such person, or several merchants and none named.
    """
    try:
        with open_database(config.database.url) as database:
            return _ACTIONS[arguments.action](arguments, Context(config, system_now, lambda: ""), database)
    except DecisionError as error:
        context = Context(config, system_now, lambda: "")
        sentences = why_not_in_all(context, error)
        return " / ".join(sentences.values()), {"error": {"code": error.code, **sentences}}, False


def _actor(database: Database, person_id: str) -> Actor:
    """Return a person with the highest role that any of their sign-ins has."""
    with database.reading() as session:
        person = session.get(Person, person_id)
        roles = session.scalars(select(Account.role).where(Account.person_id == person_id)).all()
    if person is None or not person.is_active or not roles:
        raise ValueError(f"no person {person_id} with a sign-in: coupons are made and taken in somebody's name")
    return Actor(person_id, "cli", max(roles, key=lambda role: RANKS.get(role, 0)))


def _merchant(database: Database, merchant_id: str) -> str:
    if merchant_id:
        return merchant_id
    with database.reading() as session:
        return enrolment.only_merchant(session)


def _issue(arguments: argparse.Namespace, context: Context, database: Database) -> tuple[str, object, bool]:
    order = Order(
        merchant_id=_merchant(database, arguments.merchant),
        store=arguments.store,
        amount_minor=parse_yuan(arguments.amount),
        reason=arguments.reason,
        refund_request_id="".join(arguments.request.split()),
    )
    actor, fresh, coupon_id = _actor(database, arguments.by), fresh_code(), new_coupon_id()
    with database.writing() as session:
        coupon, code = coupons.issue(session, context, actor, order, fresh=fresh, coupon_id=coupon_id)
        return _told(context, coupon, code)


def _approve(arguments: argparse.Namespace, context: Context, database: Database) -> tuple[str, object, bool]:
    actor, fresh = _actor(database, arguments.by), fresh_code()
    with database.writing() as session:
        coupon, code = coupons.approve(session, context, actor, arguments.id, fresh=fresh)
        return _told(context, coupon, code)


def _told(context: Context, coupon: Coupon, code: str) -> tuple[str, object, bool]:
    facts = {
        "coupon_id": coupon.coupon_id,
        "state": coupon.state,
        "code": code,
        "amount_minor": coupon.amount_minor,
        "expires_at": coupon.expires_at,
    }
    if not code:
        return f"{coupon.coupon_id}: {text('coupon.waits', 'en')}", facts, True
    until = local_time(context, coupon.expires_at) if coupon.expires_at else ""
    note = text("coupon.code_note", "en", until=until)
    return f"{coupon.coupon_id}: {grouped(code)}\n{note}", facts, True


def _redeem(arguments: argparse.Namespace, context: Context, database: Database) -> tuple[str, object, bool]:
    code_hash = coupons.hash_of(arguments.code or sys.stdin.readline())
    merchant_id, actor = _merchant(database, arguments.merchant), _actor(database, arguments.by)
    with database.writing() as session:
        coupon, is_new = coupons.redeem(
            session, context, actor, code_hash, merchant_id=merchant_id, reference=arguments.receipt
        )
    key = "coupon.taken" if is_new else "coupon.taken_before"
    words = text(key, "en", amount=format_amount(coupon.amount_minor))
    facts = {"coupon_id": coupon.coupon_id, "amount_minor": coupon.amount_minor, "is_new": is_new}
    return words, {**facts, "redeemed_at": coupon.redeemed_at}, True


def _list(arguments: argparse.Namespace, context: Context, database: Database) -> tuple[str, object, bool]:
    with database.reading() as session:
        found = coupon_facts.lines(session, context, state=arguments.state, limit=arguments.limit)
        totals = coupon_facts.sums(session)
        budgets = coupon_facts.budgets(session, context, month_of(context))
    words = [
        f"{row.coupon_id}  {format_amount(row.amount_minor):>10}  {row.kind:<10} "
        f"{'expired' if row.is_expired else row.state:<8}  …{row.code_tail:<4}  {local_time(context, row.created_at)}  "
        f"{row.merchant_id} {row.store}  {row.reason}".rstrip()
        for row in found
    ]
    words += [
        coupon_facts.describe("goodwill", totals.goodwill),
        coupon_facts.describe("settlement", totals.settlement),
    ]
    words += [
        f"budget {each.name} {each.month}: {format_amount(each.left_minor)} left of {format_amount(each.budget_minor)}"
        for each in budgets
    ]
    facts = {"coupons": found, "sums": totals, "budgets": budgets}
    return "\n".join(words), msgspec.to_builtins(facts), True


_ACTIONS = {"issue": _issue, "approve": _approve, "redeem": _redeem, "list": _list}
