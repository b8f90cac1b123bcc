"""The HTTPS client against servers that are not what they should be, over real TLS on loopback."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pos_agent.enrolment.office import Office, fetch_ca
from pos_agent.errors import EnrolmentError
from pos_agent.protocol.enrolment import State
from tests.fixtures_broker import Pki


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@contextmanager
def serving(pki: Pki, status: int, body: bytes, *, name: str = "office") -> Iterator[str]:
    """Serve one answer for everything; the certificate is for localhost and 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "https://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the standard library's name

        def log_message(self, *_: object) -> None:
            return

    cert_file, key_file = pki.issue(name, is_server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fingerprint(pki: Pki) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert(pki.ca_file.read_text())).hexdigest()


def test_ca_with_the_right_fingerprint_is_taken(pki: Pki) -> None:
    with serving(pki, 200, pki.ca_file.read_bytes()) as url:
        assert fetch_ca(url, fingerprint(pki)) == pki.ca_file.read_text()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(200, None, "E-ENROL4"), (200, b"hello", "E-ENROL4"), (200, b"\xff\xfe", "E-ENROL4"), (404, b"", "E-ENROL")],
    ids=["another CA", "no certificate", "no text", "no enrolment"],
)
def test_ca_that_is_another_is_refused(pki: Pki, tmp_path: Path, status: int, body: bytes | None, code: str) -> None:
    other = Pki(tmp_path / "other").ca_file.read_bytes()
    with serving(pki, status, other if body is None else body) as url, pytest.raises(EnrolmentError) as refused:
        fetch_ca(url, fingerprint(pki))
    assert refused.value.code == code
    assert not refused.value.retryable


def test_answer_is_read(pki: Pki) -> None:
    with serving(pki, 403, b'{"state":"refused","code":"E-ENROL1"}') as url:
        answer = Office(url, pki.ca_file.read_text()).call("/enrol", b"{}")
    assert (answer.state, answer.code) == (State.REFUSED, "E-ENROL1")


def test_server_of_another_ca_gets_no_call(pki: Pki, tmp_path: Path) -> None:
    with serving(Pki(tmp_path / "other"), 200, b"{}") as url, pytest.raises(EnrolmentError) as refused:
        Office(url, pki.ca_file.read_text()).call("/enrol", b"secret")
    assert (refused.value.code, refused.value.retryable) == ("E-ENROL4", False)


@pytest.mark.parametrize(
    ("status", "body"),
    [(302, b""), (500, b"oops"), (200, b"<html>"), (200, b'{"state":"odd"}'), (200, b"\xff")],
    ids=["redirect", "fault", "a page", "another state", "no text"],
)
def test_answer_that_is_none_may_be_asked_for_again(pki: Pki, status: int, body: bytes) -> None:
    with serving(pki, status, body) as url, pytest.raises(EnrolmentError) as refused:
        Office(url, pki.ca_file.read_text()).call("/enrol", b"{}")
    assert (refused.value.code, refused.value.retryable) == ("E-NET", True)


def test_answer_that_does_not_end_is_not_read_to_its_end(pki: Pki) -> None:
    with serving(pki, 200, b"x" * (257 * 1024)) as url, pytest.raises(EnrolmentError, match="too much"):
        Office(url, pki.ca_file.read_text()).call("/enrol", b"{}")


def test_server_that_is_away_may_be_asked_again(pki: Pki) -> None:
    with pytest.raises(EnrolmentError) as refused:
        Office("https://127.0.0.1:9", pki.ca_file.read_text()).call("/enrol", b"{}")
    assert (refused.value.code, refused.value.retryable) == ("E-NET", True)
