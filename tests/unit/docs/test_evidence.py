"""The documents name tests as evidence (`test_pages`): no scenario, rule of the field or threat is left without one."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
DOCS = _ROOT / "docs"
#: A heading of one scenario in trust.md: "8. **Restore …**" at the beginning of a line.
_SCENARIO = re.compile(r"^(\d+)\. \*\*", re.MULTILINE)


def test_every_scenario_of_trust_has_a_line_with_a_test_or_says_that_it_is_open() -> None:
    scenarios = set(_SCENARIO.findall((DOCS / "reference" / "trust.md").read_text("utf-8")))
    assert scenarios == {str(number) for number in range(1, 27)}
    lines = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", (DOCS / "reliability.md").read_text("utf-8"), re.MULTILINE)
    assert {number for number, _ in lines} == scenarios
    for number, shown_by in lines:
        assert re.search(r"`test_|\*open|\]\(", shown_by), f"scenario {number}: {shown_by}"


def test_every_rule_of_the_field_that_concerns_a_device_has_a_row_with_tests() -> None:
    rules = set(re.findall(r"^\*\*(\d+)\.", (DOCS / "reference" / "field.md").read_text("utf-8"), re.MULTILINE))
    devices, others = (DOCS / "field-rules.md").read_text("utf-8").split("## Rules about other things")
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|", devices, re.MULTILINE)
    elsewhere = {number for row in re.findall(r"^\| ([\d, ]+) \|", others, re.MULTILINE) for number in row.split(", ")}
    assert {number for number, _ in rows} | elsewhere == rules
    assert not elsewhere & {number for number, _ in rows}
    for number, tests in rows:
        assert "`test_" in tests, f"rule {number} names no test"


def test_threats_of_the_model_each_have_a_test() -> None:
    section = (DOCS / "threat-model.md").read_text("utf-8").split("## Threats")[1].split("## What remains")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) >= 30
    for row in rows:
        assert "`test_" in row, row


def _sheets() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (DOCS / "conformance").glob("*-*.md")}


def test_every_rig_has_a_conformance_sheet_and_every_sheet_a_rig() -> None:
    rigs = "".join(path.read_text("utf-8") for path in (_ROOT / "tests" / "contract").glob("*.py"))
    assert set(re.findall(r'^ +sheet = "([^"]+)"', rigs, re.MULTILINE)) - {""} == set(_sheets())


def test_conformance_sheets_hold_every_rule_of_the_suites_and_no_failure() -> None:
    files = (*(_ROOT / "tests" / "contract").glob("test_*.py"), *(_ROOT / "drivers" / "contract").glob("*.py"))
    rules: set[str] = set()
    for path in files:
        text = path.read_text("utf-8")
        rules |= set(re.findall(r"^@rule\((?:.|\n)*?^(?:async )?def (test_\w+)", text, re.MULTILINE))
    shown = set(re.findall(r"`(test_\w+)`", "".join(_sheets().values())))
    assert len(rules) >= 80
    assert shown == rules, "run make docs"
    assert not [name for name, text in _sheets().items() if "| failed |" in text]
