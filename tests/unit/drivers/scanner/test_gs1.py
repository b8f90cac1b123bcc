"""GTIN and GS1 element strings, with biip as an independent oracle."""

import subprocess
import sys

import biip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scanner import gs1
from drivers.scanner.gs1 import Gs1Content, parse_gs1, split_elements

GTIN = "06901234567892"


@pytest.mark.parametrize(
    ("label", "carrier", "gtin"),
    [
        ("6901234567892", "]E0", GTIN),
        ("96385074", "]E4", "00000096385074"),
        ("036000291452", "]E0", "00036000291452"),  # UPC-A sent with 12 digits
        (f"01{GTIN}", "]C1", GTIN),
        (f"01{GTIN}17261123" + "10ABC123", "]d2", GTIN),
        (f"10ABC\x1d01{GTIN}", "]Q3", GTIN),
        ("10ABC\x1d2142", "]C1", ""),
    ],
)
def test_parse_gs1_gives_the_gtin(label: str, carrier: str, gtin: str) -> None:
    content = parse_gs1(label, carrier)
    assert content is not None
    assert content.gtin == gtin


@pytest.mark.parametrize(
    ("label", "carrier"),
    [
        ("6901234567890", "]E0"),  # wrong check digit
        ("0106901234567890", "]C1"),
        ("01069012345", "]C1"),  # cut off
        ("XY123", "]C1"),
        ("", "]C1"),
        ("6901234567892", ""),  # nothing is guessed
        ("6901234567892", "]C0"),
    ],
)
def test_parse_gs1_what_cannot_be_trusted_is_none(label: str, carrier: str) -> None:
    assert parse_gs1(label, carrier) is None


def test_parse_gs1_without_biip_checks_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gs1, "_has_biip", lambda: False)
    assert parse_gs1(f"01{GTIN}10A", "]C1") == Gs1Content(GTIN, (("01", GTIN), ("10", "A")))
    assert parse_gs1("0106901234567890", "]C1") is None


def test_scanner_driver_does_not_import_biip() -> None:
    code = "import sys, drivers.scanner.serial_scanner, drivers.scanner.gs1; sys.exit('biip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_ELEMENTS = st.one_of(
    st.tuples(st.just("01"), st.just(GTIN)),
    st.tuples(st.sampled_from(("11", "17")), st.dates().map(lambda day: day.strftime("%y%m%d"))),
    st.tuples(st.sampled_from(("10", "21")), st.text("ABC0123456789", min_size=1, max_size=20)),
    st.tuples(st.just("3103"), st.text("0123456789", min_size=6, max_size=6)),
    st.tuples(st.sampled_from(("240", "400")), st.text("ABC0123456789", min_size=1, max_size=12)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ELEMENTS, min_size=1, max_size=5))
def test_split_elements_agrees_with_biip(elements: list[tuple[str, str]]) -> None:
    message = "".join(ai + value + ("" if ai[:2] in gs1._PREDEFINED else "\x1d") for ai, value in elements)
    assert split_elements(message) == tuple(elements)
    parsed = biip.parse("]C1" + message).gs1_message
    assert parsed is not None
    assert [(one.ai.ai, one.value) for one in parsed.element_strings] == elements


@settings(max_examples=80)
@given(st.text(max_size=60))
def test_split_elements_any_text_never_raises(text: str) -> None:
    split_elements(text)
