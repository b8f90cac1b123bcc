"""What the commands for finance and whoever keeps the machine do: backup, restore, resume, reconcile."""

import argparse
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from backoffice import backup, backup_postgres, coupon_facts, reconciliation, restoring
from backoffice.clock import system_now
from backoffice.config import AcquirerConfig, Config
from backoffice.execution import lease
from backoffice.ingest.context import Context
from backoffice.store.database import open_database, upgrade


def back_up(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Copy the database while it is in use."""
    url = config.database.url
    if backup_postgres.is_postgres(url):
        copy = backup_postgres.back_up(url, arguments.file)
    else:
        copy = backup.back_up(backup.sqlite_file(config), arguments.file)
    words = f"{copy.file}: {copy.refunds} refunds, epoch {copy.epoch}, {copy.size_bytes} bytes, sha256 {copy.sha256}"
    return words, copy


def restore(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Put a copy back, or take one that was put back by other means, and start a new epoch."""
    if arguments.file is None:
        epoch, kept = _begin(config, lost_epoch=0), None
    elif backup_postgres.is_postgres(config.database.url):
        with backup_postgres.put_back(arguments.file, config.database.url) as (lost_epoch, kept):
            epoch = _begin(config, lost_epoch=lost_epoch, is_checked=True)
    else:
        database = backup.sqlite_file(config)
        lost_epoch = backup.epoch_of(database)
        with backup.put_back(arguments.file, database) as kept:
            epoch = _begin(config, lost_epoch=lost_epoch, is_checked=True)
    words = (
        f"epoch {epoch}; refunds wait until all are checked. Start 'pos-backoffice serve', let the tills connect, "
        "look with 'pos-backoffice resume'."
    )
    if kept is not None and kept.exists():
        words += f"\nThe replaced database is kept as {kept}."
    return words, {"epoch": epoch, "kept": str(kept) if kept is not None and kept.exists() else None}


def _begin(config: Config, *, lost_epoch: int, is_checked: bool = False) -> int:
    """Start a new epoch; `is_checked`: nobody uses the database, whatever leases its copy names."""
    upgrade(config.database.url)
    with open_database(config.database.url) as database:
        if not is_checked and lease.is_working(database, system_now):
            raise backup.BackupError("a back office runs on this database: stop it first")
        with database.writing() as session:
            return restoring.begin(session, system_now, lost_epoch=lost_epoch)


def resume(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Say how far a restore is; end it where a person answers for what could not be checked."""
    context = Context(config, system_now, lambda: "")
    with open_database(config.database.url) as database, database.writing() as session:
        if arguments.anyway:
            restoring.finish(session, context, by=f"person:{arguments.by}")
        else:
            restoring.finish_if_done(session, context)
        found = restoring.progress(session)
    return _describe(found), msgspec.to_builtins(found)


def _describe(found: restoring.Progress) -> str:
    if found.started_at is None:
        return f"epoch {found.epoch}: never restored"
    if found.is_done:
        return f"epoch {found.epoch}: restore of {found.started_at:%Y-%m-%d %H:%M} UTC is done ({found.finished_by})"
    lines = [
        f"epoch {found.epoch}: restoring since {found.started_at:%Y-%m-%d %H:%M} UTC; nothing is executed or decided",
        f"  to ask the acquirers about: {found.unchecked}",
        f"  tills not heard or not complete: {', '.join(found.silent_tills) or 'none'}",
        "A till that never comes back: 'pos-backoffice resume --anyway --by NAME', and reconcile with the bill.",
    ]
    return "\n".join(lines)


def reconcile(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Compare an acquirer's bill with the record.

    Raises:
        ValueError: The bill cannot be read, or no such acquirer.
    """
    profile = config.acquirers.get(arguments.acquirer)
    if profile is None:
        raise ValueError(f"no acquirer {arguments.acquirer}; there are: {', '.join(sorted(config.acquirers))}")
    lines = _bill(arguments, profile)
    zone = ZoneInfo(config.server.time_zone)
    period = _period(arguments, zone) or reconciliation.whole_days(lines, zone)
    with open_database(config.database.url) as database, database.writing() as session:
        found = reconciliation.reconcile(
            session,
            system_now,
            lines,
            acquirer_id=arguments.acquirer,
            prefix=profile.refund_no_prefix,
            period=period,
        )
        given = coupon_facts.sums(session, period.start, period.end) if period else coupon_facts.sums(session)
    words = f"{_describe_result(found, period)}\n{_describe_coupons(given)}"
    return words, {**msgspec.to_builtins(found), "coupons": msgspec.to_builtins(given)}


def _describe_coupons(given: coupon_facts.Sums) -> str:
    """Say what was given as coupons in the same days: no bill names it, and it is no money of a refund."""
    lines = [coupon_facts.describe("goodwill", given.goodwill), coupon_facts.describe("settlement", given.settlement)]
    return "\n".join(["coupons, which no bill names:", *(f"  {line}" for line in lines)])


def _bill(arguments: argparse.Namespace, profile: AcquirerConfig) -> list[reconciliation.BillLine]:
    if arguments.bill is not None:
        return reconciliation.read_bill(arguments.bill)
    if profile.adapter != "simulated":
        raise ValueError(f"{arguments.acquirer} has no bill to fetch; name a file")
    from backoffice.execution.simulated import fetch_bill  # noqa: PLC0415 - httpx is for this way only

    return reconciliation.parse_lines(fetch_bill(profile), profile.url)


def _period(arguments: argparse.Namespace, zone: ZoneInfo) -> reconciliation.Period | None:
    """Return the days that were named, first and last included."""
    if arguments.first is None:
        return None
    first, last = arguments.first, arguments.last or arguments.first
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    return reconciliation.Period(start, end)


def _describe_result(found: reconciliation.Result, period: reconciliation.Period | None) -> str:
    lines = [f"{found.lines} movements on the bill, {found.agreed} refunds agree, {len(found.differences)} differ"]
    for each in found.differences:
        mark = " (new)" if each.is_new else ""
        lines.append(f"  {each.kind:20} {each.refund_no or '-':24} {each.detail}  case {each.case_id}{mark}")
    if period is None:
        lines.append("no period: refunds that the bill lacks were not looked for; name --from and --to")
    return "\n".join(lines)
