"""Every word exists in both languages, and every key that code and templates name exists."""

import re
from pathlib import Path

from backoffice import web
from backoffice.deeds import Deed
from backoffice.rules import RANKS
from backoffice.states import State
from backoffice.web.fleet import VIEWS
from pos_agent.i18n import words
from pos_agent.i18n.backoffice import WORDS, text

TEMPLATES = Path(web.__file__).parent / "templates"


def test_words_have_both_languages_and_the_same_blanks() -> None:
    for key, (zh, en) in WORDS.items():
        assert zh, key
        assert en, key
        assert set(re.findall(r"{(\w+)}", zh)) == set(re.findall(r"{(\w+)}", en)), key


def test_words_named_in_templates_exist() -> None:
    for template in TEMPLATES.glob("*.html"):
        for key in re.findall(r't\("([a-z_]+\.[a-zA-Z_]+)"', template.read_text()):
            assert key in WORDS, f"{template.name}: {key}"


def test_words_named_in_code_exist() -> None:
    for module in Path(web.__file__).parents[1].rglob("*.py"):
        source = module.read_text()
        for key in re.findall(r'\btext\("([a-z_]+\.[a-z_]+)"', source):
            assert key in WORDS, f"{module.name}: {key}"
        for code in re.findall(r'DecisionError\("([a-z_]+)"', source):
            assert f"error.{code}" in WORDS, f"{module.name}: {code}"


def test_words_of_the_till_exist_for_every_refused_look_up() -> None:
    source = (Path(web.__file__).parents[1] / "ingest" / "lookup.py").read_text()
    rules = (Path(web.__file__).parents[1] / "rules.py").read_text()
    sale_rules = rules[rules.index("def refuse_sale") : rules.index("def refuse_amount")]
    codes = set(re.findall(r'Refusal\("([a-z_]+)"', source + sale_rules))
    assert codes == {"training", "terminated", "no_online_refund", "past_window", "frozen", "nothing_left"}
    for code in codes - {"no_online_refund"} | {"other"}:
        assert f"refused.{code}" in words.WORDS, code


def test_words_exist_for_every_suspicion_role_and_problem() -> None:
    source = (Path(web.__file__).parents[1] / "fraud.py").read_text()
    codes = set(re.findall(r'code="([a-z_]+)"', source)) | {"after_hours", "after_hours_alone"}
    problems = {"denied", "suspect", "missing", "undelivered"}
    keys = {f"suspicion.{code}" for code in codes} | {f"role.{role}" for role in RANKS}
    assert keys | {f"problem.{name}" for name in problems} | {f"terminals.{view}" for view in VIEWS} <= set(WORDS)


def test_words_exist_for_every_deed() -> None:
    assert {f"deed.{deed}" for deed in Deed} <= set(WORDS)


def test_words_exist_for_every_state() -> None:
    assert {f"state.{state}" for state in State} <= set(WORDS)


def test_text_of_an_unknown_key_is_shown_not_raised() -> None:
    assert text("flag.brand_new", "en") == "brand_new"


def test_words_exist_for_every_alarm_that_the_back_office_raises() -> None:
    package = Path(web.__file__).parents[1]
    calls = re.findall(
        r"alarm\(\s*session,[^,]+,\s*\"([a-z_]+)\"", "".join(p.read_text() for p in package.rglob("*.py"))
    )
    assert {"review_overdue", "token_lost", "id_conflict"} <= set(calls)
    assert {f"alarm.{name}" for name in calls} <= set(WORDS)
