"""Times as people read them: the shop's zone, UTC beside it where two places must mean the same moment, and ages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pos_agent.i18n.backoffice import text

_MINUTES_OF_DAY = 1440


class Times:
    """What templates call."""

    def __init__(self, zone_name: str, locale: str, now: datetime) -> None:
        self.zone_name = zone_name
        self._zone = ZoneInfo(zone_name)
        self._locale = locale
        self._now = now

    def when(self, moment: str | datetime | None) -> str:
        """Return the shop's time."""
        parsed = _parsed(moment)
        return parsed.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S") if parsed else "-"

    def both(self, moment: str | datetime | None) -> str:
        """Return the shop's time and UTC."""
        parsed = _parsed(moment)
        if parsed is None:
            return "-"
        utc, local = parsed.astimezone(UTC), parsed.astimezone(self._zone)
        return f"{self.when(parsed)} (UTC {utc:{'%H:%M:%S' if utc.date() == local.date() else '%m-%d %H:%M:%S'}})"

    def age(self, seconds: float) -> str:
        """Return a duration in two units at most."""
        minutes = int(seconds) // 60
        if minutes >= _MINUTES_OF_DAY:
            days, rest = divmod(minutes, _MINUTES_OF_DAY)
            return text("age.days", self._locale, n=days, m=rest // 60)
        if minutes >= 60:
            return text("age.hours", self._locale, n=minutes // 60, m=minutes % 60)
        return text("age.minutes", self._locale, n=minutes)

    def since(self, moment: str | datetime | None) -> str:
        """Return how long ago something was."""
        parsed = _parsed(moment)
        return self.age((self._now - parsed).total_seconds()) if parsed else "-"


def _parsed(moment: str | datetime | None) -> datetime | None:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment) if moment else None
    return moment
