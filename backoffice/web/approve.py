"""The page on which somebody who is not in the shop answers a till's question by QR code (ADR 0024); phone width.

The code is posted, never part of an address. Nothing is kept before the answer is given.
"""

from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from backoffice import approving
from backoffice.review import DecisionError, Shown
from backoffice.web import auth, gate
from backoffice.web.qr import qr_svg
from backoffice.web.render import locale_of, page
from pos_agent.i18n.backoffice import text
from pos_agent.protocol.qr_text import MAX_CHARS

_SUMS = ("paid_minor", "refunded_minor", "reserved_minor")


def _code(form: FormData) -> str:
    value = form.get("code", "")
    return "".join(value.split())[: MAX_CHARS + 1] if isinstance(value, str) else ""


async def get_form(request: Request) -> Response:
    """Ask for the code."""
    return page(request, "approve.html", session=await gate.signed_in(request), asked=None, error=None)


async def post_code(request: Request) -> Response:
    """Show what a till asks."""
    session, form = await gate.signed_in(request), await request.form()
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    return await _question_page(request, session, _code(form))


async def _question_page(
    request: Request, session: auth.SignedIn, code: str, *, error: DecisionError | None = None
) -> Response:
    desk = gate.desk_of(request)
    try:
        asked = await desk.database.read(lambda db: approving.look(db, desk.context, session.actor, code))
    except DecisionError as refused:
        return page(request, "approve.html", session=session, status=refused.status, asked=None, error=refused)
    status = error.status if error else HTTPStatus.OK
    return page(request, "approve.html", session=session, status=status, asked=asked, code=code, error=error)


async def post_answer(request: Request) -> Response:
    """Say yes and show the answer's code; if the sums have changed, show them as they are now."""
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    code = _code(form)
    try:
        shown = Shown(0, *(int(str(form.get(name, ""))) for name in _SUMS))
    except ValueError:
        return await _question_page(request, session, code, error=DecisionError("version", 422))
    try:
        answer = await desk.database.write(lambda db: approving.approve(db, desk.context, session.actor, code, shown))
    except DecisionError as error:
        return await _question_page(request, session, code, error=error)
    svg = qr_svg(answer, title=text("approve.answer", locale_of(request)))
    return page(request, "approved.html", session=session, answer=answer, svg=svg)


ROUTES = [
    Route("/approve", get_form),
    Route("/approve", post_code, methods=["POST"]),
    Route("/approve/answer", post_answer, methods=["POST"]),
]
