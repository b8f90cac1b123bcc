"""Conformance sheets: what the contract suites proved of each device family, as pages of docs/conformance.

A test says its rule with `@rule(source, text)`; the rig that it ran on says the sheet (`sheet = "scanner-ssi"`). Run

    python -m pytest -p drivers.contract.conformance --conformance=docs/conformance tests/contract
"""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

_F = TypeVar("_F", bound=Callable[..., object])
_RULE = "conformance_rule"


class Rule(NamedTuple):
    """One thing that a family must do, and where that comes from."""

    text: str
    source: str
    sheet: str = ""


class Row(NamedTuple):
    """A rule and what came of it; `test` names the evidence."""

    rule: Rule
    outcome: str
    test: str


def rule(source: str, text: str, *, sheet: str = "") -> Callable[[_F], _F]:
    """Say which rule a test proves.

    Args:
        source: Page and section, such as ``devices.md 3``.
        text: The rule in one sentence.
        sheet: Where it belongs, for a test whose arguments are no rig.
    """

    def mark(function: _F) -> _F:
        setattr(function, _RULE, Rule(text, source, sheet))
        return function

    return mark


#: What ran, where the rig does not say (`ground`): every simulator of this repository.
_SIMULATED = "a simulator, over a pty, simulated USB or TCP. No real board was at hand"


def page(title: str, rows: list[Row], ground: str = _SIMULATED) -> str:
    """Return a sheet as Markdown; `ground` says on what the driver ran."""
    lines = [
        f"# Conformance: {title}",
        "",
        "Written by the contract suites (`drivers.contract.conformance`).",
        f"What ran: the driver on {ground}.",
        "",
        "| Rule | Source | Outcome | Test |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.rule.text} | {row.rule.source} | {row.outcome} | `{row.test}` |" for row in rows]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return the sheets of this run by name."""
    made = {}
    for name, rows in _SHEETS.items():
        # A test with several examples is one rule kept; an example that failed is a row of its own.
        ordered = sorted(set(rows), key=lambda row: (row.rule.source, row.rule.text, row.test))
        made[name] = page(name, ordered, _GROUNDS.get(name, _SIMULATED))
    return made


# -- pytest -------------------------------------------------------------------------------------------------------

#: Rows of this run by sheet; a run is one process.
_SHEETS: dict[str, list[Row]] = {}
#: On what the driver of a sheet ran, where its rig says so.
_GROUNDS: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where the pages go."""
    parser.addoption("--conformance", type=Path, default=None, help="folder for conformance sheets")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take down how a test with a rule ended."""
    report = yield
    found = getattr(getattr(item, "function", None), _RULE, None)
    if found is not None and (call.when == "call" or report.failed):
        arguments: Mapping[str, Any] = getattr(item, "funcargs", {})
        rigs = {name: value for value in arguments.values() if (name := getattr(value, "sheet", ""))}
        if found.sheet:
            rigs[found.sheet] = item
        for sheet, rig in rigs.items():
            if ground := getattr(rig, "ground", ""):
                _GROUNDS[sheet] = ground
            outcome = "does not apply" if report.outcome == "skipped" else report.outcome
            row = Row(found, outcome, getattr(item, "originalname", item.name))
            _SHEETS.setdefault(sheet, []).append(row)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the pages, if asked to."""
    folder = session.config.getoption("--conformance")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (folder / f"{name}.md").write_text(text, "utf-8")
