"""Sentences about coupons that are told to people: why one was not taken, with the time of its first use."""

from datetime import datetime
from zoneinfo import ZoneInfo

from backoffice.coupons import CouponError
from backoffice.ingest.context import Context
from backoffice.review import DecisionError
from pos_agent.domain.money import format_amount
from pos_agent.i18n.backoffice import LOCALES, text


def local_time(context: Context, moment: datetime) -> str:
    """Return a time as the shop's clock shows it."""
    return f"{moment.astimezone(ZoneInfo(context.config.server.time_zone)):%Y-%m-%d %H:%M}"


def why_not(context: Context, error: DecisionError, locale: str) -> str:
    """Return why something was refused, with its times and amounts."""
    parameters = error.parameters if isinstance(error, CouponError) else {}
    return text(f"error.{error.code}", locale, **{key: _word(context, value) for key, value in parameters.items()})


def why_not_in_all(context: Context, error: DecisionError) -> dict[str, str]:
    """Return the sentence in every language."""
    return {locale: why_not(context, error, locale) for locale in LOCALES}


def _word(context: Context, value: object) -> str:
    match value:
        case datetime():
            return local_time(context, value)
        case int():
            return format_amount(value)
        case _:
            return str(value)
