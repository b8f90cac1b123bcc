"""What the pages name is there: links, files, tests, decisions, commands with their options, codes, settings."""

import re
from functools import cache
from pathlib import Path

import pytest

from pos_agent.i18n.backoffice import WORDS

_ROOT = Path(__file__).resolve().parents[3]
_DOCS = _ROOT / "docs"
_PACKAGES = ("pos_agent", "drivers", "backoffice", "hil", "config", "systemd", "tests", "docs")
PAGES = sorted([*_ROOT.glob("*.md"), *_DOCS.rglob("*.md"), *(_ROOT / "hil").rglob("*.md")])
#: Field notes are proposals with their sources: they name commands and keys that the design decided otherwise.
OURS = [page for page in PAGES if page.parent.name != "reference"]
#: Look like modules, and are the entry point of other makers' drivers and a configuration.
_NO_MODULES = {"pos_agent.drivers", "backoffice.toml"}
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _name(page: Path) -> str:
    return page.relative_to(_ROOT).as_posix()


@cache
def _text(page: Path) -> str:
    return page.read_text("utf-8")


@cache
def _anchors(page: Path) -> frozenset[str]:
    """Return the anchors that headings of a page get on GitHub."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", _text(page)), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = page.parent / path if path else page
    return file.exists() and (not anchor or file.suffix != ".md" or anchor in _anchors(file))


def test_every_link_of_a_page_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", _text(page)):
            assert target.startswith("https://") or _leads_somewhere(page, target), f"{_name(page)}: {target}"


def _exists(span: str) -> bool:
    if re.fullmatch(rf"({'|'.join(_PACKAGES)})(/[\w.*-]+)+/?", span):
        path = span.rstrip("/")
        return any(_ROOT.glob(path)) or any(_ROOT.glob(f"{path}.py"))
    if re.fullmatch(r"(pos_agent|drivers|backoffice|hil|tests)(\.\w+)+", span) and span not in _NO_MODULES:
        module = _ROOT / span.replace(".", "/")
        return any(place.exists() for place in (module, module.with_suffix(".py"), module.parent.with_suffix(".py")))
    return True


def test_every_file_and_module_that_a_page_names_exists() -> None:
    for page in OURS:
        for span in re.findall(r"`([^`\n]+)`", _text(page)):
            assert _exists(span), f"{_name(page)}: {span}"


@cache
def _tests() -> frozenset[str]:
    found: set[str] = set()
    suites = (_ROOT / "drivers" / "contract").glob("*.py")  # run by everybody who writes a driver
    for path in (*(_ROOT / "tests").rglob("test_*.py"), *suites):
        found |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))
        found.add(path.stem)
    return frozenset(found)


def test_every_test_that_a_page_names_exists() -> None:
    for page in PAGES:
        assert not set(re.findall(r"\btest_\w+", _text(page))) - _tests(), _name(page)


def test_every_decision_that_a_page_names_exists_and_is_listed() -> None:
    decisions = {path.name[:4]: path.name for path in (_DOCS / "decisions").glob("[0-9]*.md")}
    named = {number for page in PAGES for number in re.findall(r"ADR (\d{4})", _text(page))}
    assert not named - set(decisions)
    listed = set(re.findall(r"\]\(decisions/(\d[\w-]+\.md)\)", _text(_DOCS / "architecture.md")))
    assert set(decisions.values()) - listed == {"0000-template.md"}


@cache
def _commands() -> dict[str, str]:
    """Return the help of every command, by its words; docs/commands.md is what the parsers say."""
    parts = re.split(r"^##+ (pos-\w+.*)$", _text(_DOCS / "commands.md"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _named_commands(page: Path) -> list[str]:
    """Return what a page has people type, one command each; continued lines are joined."""
    text = _text(page)
    spans = re.findall(r"`(pos-(?:agent|backoffice) [^`\n]+)`", _FENCE.sub("", text))
    blocks = "\n".join(block.replace("\\\n", " ") for language, block in _FENCE.findall(text) if language != "python")
    return spans + re.findall(r"(?:^|[\s(])(pos-(?:agent|backoffice) [^\n|;<)]+)", blocks)


def _fault(line: str) -> str:
    """Return what is wrong with a command; empty = nothing."""
    words = line.split("#", maxsplit=1)[0].split()
    size = next(size for size in range(4, 0, -1) if " ".join(words[:size]) in _commands())
    help_text = _commands()[" ".join(words[:size])]
    following = "".join(words[size : size + 1])
    if size == 1 or ("ACTION ..." in help_text and re.match(r"[a-z]", following) and "|" not in following):
        return f"no such command: {line}"
    options = re.findall(r"(?<=\s)--[a-z][a-z-]*", " ".join(words))
    missing = [option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", help_text)]
    return f"no {missing}: {line}" if missing else ""


def test_every_command_that_a_page_names_exists_with_its_options() -> None:
    lines = [(page, line) for page in OURS if page.name != "commands.md" for line in _named_commands(page)]
    assert len(lines) > 150
    for page, line in lines:
        assert not _fault(line), f"{_name(page)}: {_fault(line)}"


@pytest.mark.parametrize("line", ["pos-agent outbux", "pos-agent outbox lst", "pos-agent status --jsn"])
def test_command_that_is_not_there_is_told(line: str) -> None:
    assert _fault(line)


def test_every_code_that_a_page_names_is_explained_to_technicians() -> None:
    explained = set(re.findall(r"^\| `(E-\w+)`", _text(_DOCS / "technician.md"), re.MULTILINE))
    for page in OURS:
        assert not set(re.findall(r"\bE-[A-Z]+\d?\b", _text(page))) - explained, _name(page)


def test_every_setting_of_the_till_that_a_page_names_exists() -> None:
    keys: set[str] = set()
    for part in re.split(r"^## `\[", _text(_DOCS / "config.md"), flags=re.MULTILINE)[1:]:
        section = part.split("]")[0]
        keys |= {section} | {f"{section}.{key}" for key in re.findall(r"^\| `(\w+)`", part, re.MULTILINE)}
    sections = "devices|policy|broker|trust|journal|printing|renewal"
    for page in [page for page in OURS if page.parent.name != "decisions"]:  # those stay as they were accepted
        for name in re.findall(rf"`((?:{sections})\.[a-z_.]+)(?: = [^`]*)?`", _text(page)):
            is_room = (_ROOT / "pos_agent" / f"{name.replace('.', '/')}.py").exists()
            assert name in keys or is_room, f"{_name(page)}: {name}"


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in OURS:
        named = re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", _text(page), re.MULTILINE)
        assert {first or second for first, second in named} <= targets, _name(page)


def test_every_alarm_of_the_back_office_has_somebody_who_must_act() -> None:
    rows = re.findall(r"^\| ([a-z_, ]+) \| .* \| .* \|$", _text(_DOCS / "runbooks" / "README.md"), re.MULTILINE)
    named = {alarm for row in rows for alarm in row.split(", ")}
    alarms = {key.removeprefix("alarm.") for key in WORDS if key.startswith("alarm.")}
    assert len(alarms) > 10
    assert not alarms - named
