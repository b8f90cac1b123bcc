"""Templates and what they may call: words, money, times."""

from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from backoffice.web import auth, gate
from backoffice.web.times import Times
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.money import format_amount
from pos_agent.i18n.backoffice import LOCALES, text

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
LOCALE_COOKIE = "pos_backoffice_locale"


def locale_of(request: Request) -> str:
    """Return the reader's language: of the browser's cookie, else of the shop."""
    wanted = request.cookies.get(LOCALE_COOKIE, "")
    return wanted if wanted in LOCALES else gate.desk_of(request).context.locale


def page(
    request: Request, template: str, *, session: auth.SignedIn | None = None, status: int = 200, **values: object
) -> HTMLResponse:
    """Render a template.

    Args:
        request: For language, path and htmx.
        template: File name in ``templates``.
        session: Who is signed in.
        status: HTTP status.
        **values: For the template.
    """
    desk, locale = gate.desk_of(request), locale_of(request)
    times = Times(desk.context.config.server.time_zone, locale, desk.context.now())

    def t(key: str, **parameters: object) -> str:
        return text(key, locale, **parameters)

    html = _ENVIRONMENT.get_template(template).render(
        t=t,
        when=times.when,
        both=times.both,
        age=times.age,
        since=times.since,
        zone=times.zone_name,
        money=lambda amount_minor: "￥" + format_amount(int(amount_minor)),
        grouped=grouped,
        locale=locale,
        session=session,
        path=request.url.path,
        **values,
    )
    return HTMLResponse(html, status)
