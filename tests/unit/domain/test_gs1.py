"""GTIN and GS1 element strings, with biip as an independent oracle; what the till takes for goods."""

from datetime import date

import biip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain import gs1
from pos_agent.domain.codes import ClassifyContext, Code, CodeKind, classify
from pos_agent.domain.gs1 import gtin_of, split_elements

GTIN = "06901234567892"
_CONTEXT = ClassifyContext(today=date(2026, 11, 23), window_days=365)


def kind_of(label: str, carrier: str) -> CodeKind:
    code = classify(label, carrier, context=_CONTEXT)
    assert code.kind is not CodeKind.GOODS or code == Code(CodeKind.GOODS, len(label.strip())), "goods keep no digits"
    return code.kind


@pytest.mark.parametrize(
    ("label", "carrier"),
    [
        ("6901234567892", "]E0"),
        ("96385074", "]E4"),
        ("036000291452", "]E0"),  # UPC-A sent with 12 digits
        (f"01{GTIN}", "]C1"),
        (f"01{GTIN}17261123" + "10ABC123", "]d2"),
        (f"10ABC\x1d01{GTIN}", "]Q3"),
        (f"01{GTIN}3103000125", "]e0"),  # weighed goods
    ],
)
def test_classify_goods_by_the_gtin_of_their_carrier(label: str, carrier: str) -> None:
    assert kind_of(label, carrier) is CodeKind.GOODS


@pytest.mark.parametrize(
    ("label", "carrier", "kind"),
    [
        ("6901234567890", "]E0", CodeKind.BAD_CHECK_DIGIT),
        ("0106901234567890", "]C1", CodeKind.BAD_CHECK_DIGIT),
        ("010690123456789010ABC", "]C1", CodeKind.AMBIGUOUS),  # wrong check digit: perhaps an order number; asked
        ("10ABC123", "]C1", CodeKind.ORDER_NO),  # a batch, or an order number printed as GS1-128
        (f"01{GTIN}10A", "]C0", CodeKind.AMBIGUOUS),  # no GS1 carrier: nothing is guessed
        (f"01{GTIN}10A", "", CodeKind.AMBIGUOUS),
    ],
)
def test_classify_what_is_no_certain_gtin_is_not_goods(label: str, carrier: str, kind: CodeKind) -> None:
    assert kind_of(label, carrier) is kind


@pytest.mark.parametrize("message", ["0106901234567", "XY123", "", "01069012345678AB", "1", "3103", f"02{GTIN}"])
def test_gtin_of_a_message_that_is_cut_off_or_names_none_is_empty(message: str) -> None:
    assert gtin_of(message) == ""


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
