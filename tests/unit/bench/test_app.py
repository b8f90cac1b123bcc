"""The bench's application: page, description, errors."""

import re

import httpx

from hil.bench.app import STATIC
from hil.bench.openapi import document
from hil.bench.routes import CALLS, PREFIX
from pos_agent.domain.events import Key


async def test_openapi_describes_every_call(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    for call in CALLS:
        operation = described["paths"][PREFIX + call.path][call.method.lower()]
        assert operation["summary"].endswith((".", "id", "codes"))
        assert ("requestBody" in operation) == (call.body is not None)


def test_openapi_references_all_resolve() -> None:
    described = document()
    found = re.findall(r"#/components/schemas/(\w+)", str(described))
    assert found
    assert set(found) <= set(described["components"]["schemas"])


def test_openapi_key_caps_are_the_keys_of_the_till_and_double_zero() -> None:
    names = set(document()["components"]["schemas"]["KeyCap"]["enum"])
    assert names == {*Key, "00"}


async def test_unknown_call_answers_in_the_form_of_all_errors(http: httpx.AsyncClient) -> None:
    response = await http.get("/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "no_such_call"


async def test_wrong_method_answers_in_the_form_of_all_errors(http: httpx.AsyncClient) -> None:
    response = await http.delete("/state")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "wrong_method"


async def test_body_that_is_no_json_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/keys", content=b"ENTER")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "not_json")


async def test_page_forbids_other_hosts(http: httpx.AsyncClient) -> None:
    response = await http.get("http://bench/")
    assert response.status_code == 200
    assert "default-src 'self'" in response.headers["content-security-policy"]


def test_page_files_name_no_other_host() -> None:
    for path in STATIC.iterdir():
        for address in re.findall(r"https?://[^\s\"'<>)]+", path.read_text("utf-8")):
            assert address == "http://www.w3.org/2000/svg", f"{path.name}: {address}"


def test_page_words_used_in_html_have_both_languages() -> None:
    html = (STATIC / "index.html").read_text("utf-8")
    words = (STATIC / "words.js").read_text("utf-8")
    used = set(re.findall(r'data-(?:word|label|placeholder)="(\w+)"', html))
    defined = set(re.findall(r'^  (\w+): \["[^"]+", "[^"]+"\],$', words, re.MULTILINE))
    assert used
    assert used <= defined
