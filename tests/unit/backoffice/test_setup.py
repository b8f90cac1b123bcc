"""``pos-backoffice setup``: a shop in one file, in one transaction, safe to repeat."""

import io
import json
import shutil
from base64 import b64encode
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice import audit, shop_file
from backoffice.cli import main
from backoffice.clock import system_now
from backoffice.shop_file import OperatorEntry, PersonEntry, TerminalEntry
from backoffice.store.database import Database, open_database, upgrade
from backoffice.store.schema import Account, AuditLine, Merchant, Operator, Person, Terminal, WebSession
from backoffice.web.auth import check_password, hash_password, open_session
from hil.rig.toml_text import toml_text
from pos_agent.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER_KEY = (b64encode(bytes([n] * 32)).decode() for n in (1, 2))
PASSWORD = "twelve letters"
SHOP: dict[str, list[dict[str, Any]]] = {
    "terminals": [
        {"id": "t-1", "merchant": "M1", "merchant_name": "Dawn", "device_kid": "d1", "device_key": KEY},
        {"id": "t-2", "merchant": "M1", "device_kid": "d1", "device_key": KEY},
    ],
    "persons": [{"login": "li", "name": "Li Na", "role": "finance", "password": PASSWORD}],
    "operators": [
        {"merchant": "M1", "no": "01", "person": "li"},
        {"merchant": "M1", "no": "02", "person": "wang", "name": "Wang"},
    ],
}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database: migrations are slow, and no test here but the first is about them."""
    path = tmp_path_factory.mktemp("migrated") / "backoffice.db"
    upgrade(f"sqlite:///{path}")
    return path


class Desk:
    """A folder with a configuration, perhaps a database, and what setup said there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.database = folder / "backoffice.db"
        self.config = folder / "backoffice.toml"
        self.config.write_text("")
        self._capsys = capsys

    def setup(self, shop: Any, *options: str, name: str = "shop.json") -> tuple[int, str, str]:
        """Run the command with a file of this content; returns status, output and errors."""
        path = self.folder / name
        content = shop if isinstance(shop, bytes) else json.dumps(shop).encode()
        path.write_bytes(content)
        path.chmod(0o600)
        status = main(["setup", str(path), "--config", str(self.config), *options])
        shown = self._capsys.readouterr()
        return status, shown.out, shown.err

    def counts(self, shop: Any, *options: str) -> list[tuple[int, int, int]]:
        """Return added, changed and unchanged of tills, persons and operators."""
        status, out, err = self.setup(shop, "--json", *options)
        assert status == 0, err
        said = json.loads(out)
        found = [tuple(said[kind].values()) for kind in ("terminals", "persons", "operators")]
        assert said["is_changed"] == any(added or changed for added, changed, _ in found)
        return found

    def open(self) -> Any:
        return open_database(f"sqlite:///{self.database}")


@pytest.fixture
def desk(tmp_path: Path, migrated: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    shutil.copy(migrated, tmp_path / "backoffice.db")
    return Desk(tmp_path, capsys)


def _rows(database: Database) -> dict[str, int]:
    with database.reading() as session:
        return {table.__tablename__: session.query(table).count() for table in (Merchant, Terminal, Person, Account)}


def _changed(kind: str, number: int, **change: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the shop with some keys of an entry changed; None takes a key out."""
    shop = deepcopy(SHOP)
    entry = {**shop[kind][number], **change}
    shop[kind][number] = {key: value for key, value in entry.items() if value is not None}
    return shop


def test_setup_without_a_database_makes_it_and_repeated_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, capsys)
    assert desk.counts(SHOP) == [(2, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert desk.counts(SHOP) == [(0, 0, 2), (0, 0, 1), (0, 0, 2)]
    assert desk.setup(SHOP)[1].startswith("nothing changed\nterminals: 0 added, 0 changed, 2 unchanged\n")
    with desk.open() as database, database.writing() as session:
        till, operator = session.get_one(Terminal, "t-2"), session.get_one(Operator, ("M1", "02"))
        assert (till.merchant_id, till.device_keys) == ("M1", {"d1": KEY})
        assert session.get_one(Merchant, "M1").name == "Dawn"
        assert session.get_one(Person, operator.person_id).name == "Wang"
        assert check_password(session, "li", PASSWORD, system_now) == ""
        deeds = session.query(AuditLine).filter_by(refund_request_id=audit.OFFICE).all()
        assert [(deed.after, deed.detail.split(";")[0]) for deed in deeds] == [
            ("sign_in_added", "li, finance, person li"),
            ("set_up", "terminals: 2 added, 0 changed, 0 unchanged"),
        ], "what changed nothing is no deed"
        assert audit.verify(session).differences == {}


def test_setup_toml_and_json_and_standard_input_say_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"[[{kind}]]\n{toml_text(entry)}" for kind, entries in SHOP.items() for entry in entries]
    assert desk.setup("\n".join(lines).encode(), name="shop.toml")[0] == 0
    assert desk.counts(SHOP) == [(0, 0, 2), (0, 0, 1), (0, 0, 2)]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(SHOP).encode())))
    assert main(["setup", "-", "--config", str(desk.config)]) == 0


def test_setup_takes_the_file_that_the_documentation_shows(desk: Desk) -> None:
    page = (ROOT / "docs" / "backoffice.md").read_text("utf-8")
    example = page.split("```toml\n", 2)[1].split("```")[0]
    assert desk.setup(example.encode(), name="shop.toml")[1].splitlines() == [
        "terminals: 1 added, 0 changed, 0 unchanged",
        "persons: 2 added, 0 changed, 0 unchanged",
        "operators: 2 added, 0 changed, 0 unchanged",
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_setup_on_postgresql_is_the_same(desk: Desk, postgresql: str) -> None:
    desk.config.write_text(f'[database]\nurl = "{postgresql}"\n')
    assert desk.counts(SHOP) == [(2, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert desk.counts(SHOP, "--dry-run") == [(0, 0, 2), (0, 0, 1), (0, 0, 2)]
    assert desk.setup(_changed("terminals", 1, merchant="M2", merchant_name="Dusk"))[0] == 2
    with open_database(postgresql) as database:
        assert _rows(database) == {"merchants": 1, "terminals": 2, "persons": 2, "accounts": 1}


@pytest.mark.parametrize(
    ("shop", "place", "words"),
    [
        ({"terminal": []}, "unknown key", "did you mean terminals?"),
        (_changed("persons", 0, rol="x"), "persons[0].rol: unknown key", "did you mean persons[0].role?"),
        (_changed("persons", 0, role=None), "persons[0].role:", "missing"),
        (_changed("persons", 0, role="boss"), "persons[0].role:", "viewer, approver, finance, manager"),
        (_changed("persons", 0, login="Li Na"), "persons[0].login:", "a-z"),
        (_changed("persons", 0, password="short"), "persons[0].password:", "at least 10"),
        (_changed("persons", 0, password=None), "persons[0].password:", "needs a password"),
        (_changed("persons", 0, password=["x"]), "persons[0].password:", "Expected `str`"),
        (_changed("persons", 0, password_hash="x"), "persons[0].password_hash:", "give one of them"),
        (_changed("persons", 0, password=None, password_hash="md5"), "persons[0].password_hash:", "argon2id"),
        (_changed("terminals", 1, id="T_1"), "terminals[1].id:", "a-z, 0-9, dash"),
        (_changed("terminals", 1, device_key="AAAA"), "terminals[1].device_key:", "32 bytes"),
        (_changed("terminals", 1, device_key="?"), "terminals[1].device_key:", "32 bytes"),
        (_changed("terminals", 1, merchant=""), "terminals[1].merchant:", "length >= 1"),
        (_changed("terminals", 1, merchant="M" * 65), "terminals[1].merchant:", "length <= 64"),
        (_changed("terminals", 1, merchant="M\0"), "terminals[1].merchant:", "NUL"),
        (_changed("terminals", 1, id="t-1"), "terminals[1].device_kid:", "the same as in terminals[0]"),
        (_changed("terminals", 1, merchant_name="Dusk"), "terminals[1].merchant_name:", "terminals[0].merchant_name"),
        (_changed("operators", 1, no="1"), "operators[1].no:", "two digits"),
        (_changed("operators", 1, no="01"), "operators[1].no:", "the same as in operators[0]"),
        (_changed("operators", 1, name=None), "operators[1].person:", "no person wang; give a name"),
        (_changed("operators", 1, person="li"), "operators[1].name:", "li has another name in persons[0].name"),
    ],
)
def test_setup_with_a_wrong_entry_names_its_place_and_leaves_nothing(
    desk: Desk, shop: Any, place: str, words: str
) -> None:
    status, out, err = desk.setup(shop)
    assert (status, out) == (2, "")
    assert place in err
    assert words in err
    with desk.open() as database:
        assert set(_rows(database).values()) == {0}


def test_setup_names_every_fault_once_and_none_that_only_follows_from_another(desk: Desk) -> None:
    shop = _changed("persons", 0, password="short")
    shop["terminals"][1]["id"] = "no"
    shop["operators"].append({"merchant": "M1", "no": "x", "person": "q", "name": "Q"})
    _, _, err = desk.setup(shop)
    places = [line.split(":")[0].strip() for line in err.splitlines()[-3:]]
    assert places == ["persons[0].password", "terminals[1].id", "operators[2].no"]
    assert "3 faults, nothing is written" in err


def test_setup_with_many_faults_counts_the_rest(desk: Desk) -> None:
    _, _, err = desk.setup({"terminals": [{}] * 25})
    assert "25 faults" in err
    assert err.endswith("  and 5 more\n")


def test_setup_that_contradicts_what_is_known_leaves_all_as_it_was(desk: Desk) -> None:
    desk.counts(SHOP)
    with desk.open() as database:
        before = _rows(database)
        moved = _changed("terminals", 1, merchant="M2", merchant_name="Dusk")
        assert "terminals[1].merchant: t-2 belongs to M1" in desk.setup(moved)[2]
        other = _changed("persons", 0, person="wang", name="Wang", password=None)
        assert "persons[0].person: li is a sign-in of li" in desk.setup(other)[2]
        assert _rows(database) == before


def test_setup_changes_what_the_file_says_and_nothing_else(desk: Desk) -> None:
    desk.counts(SHOP)
    with desk.open() as database, database.writing() as session:
        open_session(session, "li", system_now, hours=1)
    assert desk.counts({"persons": [{"login": "li", "role": "manager"}]}) == [(0, 0, 0), (0, 1, 0), (0, 0, 0)]
    assert desk.counts({"terminals": [{**SHOP["terminals"][0], "device_key": OTHER_KEY}]})[0] == (0, 1, 0)
    assert desk.counts({"terminals": [{**SHOP["terminals"][0], "device_kid": "d2"}]})[0] == (0, 1, 0)
    assert desk.counts({"terminals": [{**SHOP["terminals"][1], "merchant_name": "Dusk"}]})[0] == (0, 1, 0)
    assert desk.counts({"operators": [{"merchant": "M1", "no": "01", "person": "wang"}]})[2] == (0, 1, 0)
    with desk.open() as database, database.reading() as session:
        assert session.get_one(Account, "li").role == "manager"
        assert session.get_one(Person, "li").name == "Li Na"
        assert session.get_one(Terminal, "t-1").device_keys == {"d1": OTHER_KEY, "d2": KEY}
        assert session.get_one(Terminal, "t-2").device_keys == {"d1": KEY}
        assert session.get_one(Merchant, "M1").name == "Dusk"
        assert session.get_one(Operator, ("M1", "01")).person_id == "wang"
        assert session.query(WebSession).count() == 1


def test_setup_with_another_password_ends_what_is_open_under_the_old_one(desk: Desk) -> None:
    desk.counts(SHOP)
    with desk.open() as database, database.writing() as session:
        open_session(session, "li", system_now, hours=1)
    secret = hash_password("another password")
    shop = {"persons": [{"login": "li", "role": "finance", "password_hash": secret}]}
    assert [desk.counts(shop)[1], desk.counts(shop)[1]] == [(0, 1, 0), (0, 0, 1)]
    with desk.open() as database, database.writing() as session:
        assert session.query(WebSession).count() == 0
        assert check_password(session, "li", PASSWORD, system_now) == "wrong"
        assert check_password(session, "li", "another password", system_now) == ""


def test_setup_dry_run_says_what_would_change_and_writes_nothing(desk: Desk) -> None:
    assert desk.counts(SHOP, "--dry-run") == [(2, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert desk.setup(SHOP, "--dry-run")[1].endswith("dry run: nothing is written\n")
    with desk.open() as database:
        assert set(_rows(database).values()) == {0}
    desk.database.unlink()
    assert desk.counts(SHOP, "--dry-run") == [(2, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert not desk.database.exists(), "a dry run made the database"


def test_setup_of_a_file_with_passwords_that_others_may_read_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    path = desk.folder / "shop.json"
    for shop, expected in ((SHOP, 2), (_changed("persons", 0, password=None, password_hash="$argon2id$"), 2)):
        path.write_text(json.dumps(shop))
        path.chmod(0o640)
        assert main(["setup", str(path), "--config", str(desk.config)]) == expected
        assert "others may read it; chmod 600" in capsys.readouterr().err
    path.write_text(json.dumps({"terminals": SHOP["terminals"]}))
    assert main(["setup", str(path), "--config", str(desk.config)]) == 0


@pytest.mark.parametrize("change", [{}, {"role": "boss"}, {"name": 1}, {"password_hash": "x"}, {"login": PASSWORD}])
def test_i7_setup_never_says_logs_or_keeps_a_password(
    desk: Desk, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    _, out, err = desk.setup(_changed("persons", 0, **change))
    assert PASSWORD not in out + err + caplog.text
    for path in desk.folder.glob("backoffice.db*"):
        assert PASSWORD.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"["),
        ("a.json", b"[]"),
        ("a.json", b'{"persons": {}}'),
        ("a.json", b'{"persons": [1]}'),
        ("a.json", b"[" * 100_000),
        ("a.json", b'"\xff"'),
        ("a.toml", b"persons = 1979-05-27"),
        ("a.toml", b"= ="),
        ("a.toml", b"\xff"),
        ("a.yaml", b"{}"),
    ],
)
def test_setup_of_what_is_no_such_file_is_refused_in_words(desk: Desk, name: str, content: bytes) -> None:
    status, _, err = desk.setup(content, name=name)
    assert status == 2
    assert err.startswith("pos-backoffice: ")


def test_setup_of_a_missing_file_or_an_unusable_database_is_refused_in_words(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", str(desk.folder / "none.toml"), "--config", str(desk.config)]) == 2
    desk.database.unlink()
    desk.database.mkdir()
    assert "No such file" in capsys.readouterr().err
    status, _, err = desk.setup(SHOP)
    assert (status, err.splitlines()[-1]) == (1, "pos-backoffice: database: unable to open database file")


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode), suffix=st.sampled_from(["json", "toml"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_setup_file_of_any_bytes_is_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"any.{suffix}"
    path.write_bytes(content)
    try:
        assert isinstance(shop_file.read(path), shop_file.Shop)
    except ConfigError as error:
        assert str(error)


_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["", "li", "M1", "t-1", "01", KEY, "finance", "x" * 300, "a\0", 7, None, ["x"], {}, True, 1.5]
)


def _entries(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    names = [*kind.__struct_fields__, "nmae"]
    return st.lists(st.dictionaries(st.sampled_from(names), _VALUES, min_size=2), max_size=3) | _VALUES


@given(
    shop=st.fixed_dictionaries(
        {},
        optional={
            "terminals": _entries(TerminalEntry),
            "persons": _entries(PersonEntry),
            "operators": _entries(OperatorEntry),
        },
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_setup_of_any_entries_ends_in_words_and_a_refused_one_leaves_nothing(desk: Desk, shop: Any) -> None:
    status, out, err = desk.setup(shop, "--dry-run")
    assert (status, bool(out)) in {(0, True), (2, False)}
    assert "Traceback" not in err
    with desk.open() as database:
        assert set(_rows(database).values()) == {0}
