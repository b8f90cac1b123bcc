"""Calls of tills over HTTPS (`backoffice.enrolling`), and the buttons by which people accept them.

Tills have no session and no cookie: the code, or a signature of the device key, is their proof. Failures of an address
are counted apart from those of sign-ins.
"""

from collections.abc import Callable
from http import HTTPStatus

import msgspec
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from backoffice import invitations, renewals
from backoffice.enrolling import Enrolling
from backoffice.review import DecisionError
from backoffice.web import gate
from pos_agent.protocol.enrolment import MAX_CALL_BYTES, Answer, Refusal, State

#: Who may say that a box is a till.
ROLE = "manager"
_TOO_MANY = Answer(state=State.REFUSED, code=Refusal.TOO_MANY, again_s=300)


class WaitingTills(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of tills shows above the list."""

    enrolments: list[invitations.Waiting]
    renewals: list[renewals.Waiting]


def waiting_tills(session: Session) -> WaitingTills:
    """Return the tills that wait for a person."""
    return WaitingTills(enrolments=invitations.waiting(session), renewals=renewals.waiting(session))


def _enrolling(request: Request) -> Enrolling:
    """Return what answers tills.

    Raises:
        DecisionError: Not configured, or not over TLS: a code in clear is nobody's secret.
    """
    enrolling = gate.desk_of(request).enrolling
    if enrolling is None or request.url.scheme != "https":
        raise DecisionError("not_found", HTTPStatus.NOT_FOUND)
    return enrolling


async def get_ca(request: Request) -> Response:
    """Give the certificate of our CA: the till compares it with the fingerprint that it was told."""
    return PlainTextResponse(_enrolling(request).materials.office_ca)


async def post_enrol(request: Request) -> Response:
    """Answer ``POST /enrol``."""
    return await _answer(request, _enrolling(request).enrol)


async def post_nonce(request: Request) -> Response:
    """Answer ``POST /renew/nonce``; it says the same to everybody."""
    return _json(_enrolling(request).nonce())


async def post_renew(request: Request) -> Response:
    """Answer ``POST /renew``."""
    return await _answer(request, _enrolling(request).renew)


async def _answer(request: Request, work: Callable[[bytes], Answer]) -> Response:
    desk, address = gate.desk_of(request), gate.address_of(request)
    now = desk.context.now
    if desk.enrol_tries.is_too_many(address, now()):
        return _json(_TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
    body = await _body(request)
    answer = await desk.database.run(work, body)
    if answer.state is State.REFUSED:
        desk.enrol_tries.note_failure(address, now())
        return _json(answer, HTTPStatus.FORBIDDEN)
    return _json(answer)


async def _body(request: Request) -> bytes:
    """Return the body; of one that is too large, the part that makes it so."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_CALL_BYTES:
            break
    return bytes(data[: MAX_CALL_BYTES + 1])


def _json(content: msgspec.Struct, status: int = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def post_decision(request: Request) -> Response:
    """Accept or refuse a till that waits: ``/terminals/{id}/{enrolment|renewal}``, ``decision`` and ``fingerprint``."""
    session, form, desk = await gate.signed_in(request), await request.form(), gate.desk_of(request)
    gate.check_csrf(session, form.get(gate.CSRF_FIELD))
    if session.actor.role != ROLE:
        raise DecisionError("role", HTTPStatus.FORBIDDEN)
    enrolling, terminal_id = desk.enrolling, request.path_params["terminal_id"]
    if enrolling is None:
        raise DecisionError("not_found", HTTPStatus.NOT_FOUND)
    given = form.get("fingerprint", "")
    fingerprint = given if isinstance(given, str) else ""
    by, now = session.actor.name, desk.context.now()

    def decide(db: Session) -> None:
        match (request.path_params["what"], form.get("decision")):
            case ("enrolment", "accept"):
                days = enrolling.lifetime_days
                authority = enrolling.materials.authority
                invitations.accept(db, authority, terminal_id, fingerprint=fingerprint, by=by, now=now, days=days)
            case ("enrolment", "refuse"):
                invitations.refuse(db, terminal_id, fingerprint=fingerprint, by=by, now=now)
            case ("renewal", "accept"):
                renewals.accept(db, terminal_id, by=by, now=now)
            case ("renewal", "refuse"):
                renewals.refuse(db, terminal_id, by=by, now=desk.context.now)
            case _:
                raise DecisionError("not_now", HTTPStatus.UNPROCESSABLE_ENTITY)

    await desk.database.write(decide)
    return RedirectResponse("/terminals", HTTPStatus.SEE_OTHER)


ROUTES = [
    Route("/enrol/ca", get_ca),
    Route("/enrol", post_enrol, methods=["POST"]),
    Route("/renew/nonce", post_nonce, methods=["POST"]),
    Route("/renew", post_renew, methods=["POST"]),
    Route("/terminals/{terminal_id}/{what}", post_decision, methods=["POST"]),
]
