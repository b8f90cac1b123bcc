"""Profiles: the shipped files, and what a file may not say."""

from pathlib import Path

import pytest

from drivers.escpos.profile import Profile, TextMode, Tier, parse_profile
from pos_agent.errors import ConfigValueError

FOLDER = Path(__file__).parents[4] / "config" / "devices"


def load(name: str, **overrides: str) -> Profile:
    return parse_profile((FOLDER / f"{name}.toml").read_text(encoding="utf-8"), profile_id=name, **overrides)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_profile_is_read(path: Path) -> None:
    assert load(path.stem).profile_id == path.stem


@pytest.mark.parametrize(("name", "columns"), [("generic-80mm", 48), ("generic-58mm", 32), ("epson-tm-t20iii", 48)])
def test_shipped_profile_has_the_columns_of_its_paper(name: str, columns: int) -> None:
    assert load(name).columns == columns


def test_unknown_printers_get_no_status_commands_and_the_lowest_tier() -> None:
    for name in ("generic-80mm", "generic-58mm", "raster-80mm"):
        profile = load(name)
        assert (profile.has_asb, profile.has_dle_eot, profile.tier) == (False, False, Tier.SENT)


def test_text_mode_of_the_till_overrides_the_profile_and_changes_its_identity() -> None:
    plain, drawn = load("generic-80mm"), load("generic-80mm", text_mode="raster")
    assert drawn.text_mode is TextMode.RASTER
    assert plain.identity != drawn.identity


def test_tier_of_the_till_lowers_but_never_raises() -> None:
    assert load("epson-tm-t20iii", tier="sent").tier is Tier.SENT
    assert load("generic-80mm", tier="sent_clean").tier is Tier.SENT


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        'name = "x"\nwidht_dots = 576',
        'name = "x"\nwidth_dots = 577',
        'name = "x"\ntext_mode = "utf8"',
        'name = "x"\ncode_page = "klingon"',
        'name = "x"\nspeed_mm_s = 0',
        'name = "x"\ncode_page_number = 300',
        'name = "x"\ncell_dots = 60',
        'name = "x"\ntext_mode = "raster"\nhas_raster = false',
    ],
)
def test_profile_that_no_printer_can_have_is_refused(text: str) -> None:
    with pytest.raises(ConfigValueError, match=r"devices\.printer\.profile"):
        parse_profile(text, profile_id="x")
