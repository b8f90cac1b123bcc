"""Breaking lines: nothing lost, nothing too wide, no sign on the wrong side of a break."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.escpos.layout import width_of, wrap
from pos_agent.domain.screen import cell_width

_SIGNS = "，。！）》”“（《￥"


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("退款已经提交，请等待", 12, ["退款已经提", "交，请等待"]),  # the comma does not begin the second line
        ("退款已经提交（两联）", 14, ["退款已经提交", "（两联）"]),  # the bracket does not end the first
        ("应退金额是￥128.00", 11, ["应退金额是", "￥128.00"]),
        ("退款原因,质量问题", 8, ["退款原", "因,质量", "问题"]),
        ("Paid to the account.", 12, ["Paid to the", "account."]),
        ("“退”", 3, ["“退", "”"]),
        ("，，，，，，", 4, ["，，", "，，", "，，"]),  # a line of nothing but signs is broken anyway
    ],
)
def test_wrap_keeps_signs_with_what_they_belong_to(text: str, columns: int, lines: list[str]) -> None:
    assert wrap(text, columns, cell_width) == lines


@settings(max_examples=200)
@given(st.text(alphabet="退款申请AB12 .," + _SIGNS, max_size=60), st.integers(2, 24))
def test_wrap_any_text_loses_nothing_and_fits(text: str, columns: int) -> None:
    lines = wrap(text, columns, cell_width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width_of(line, cell_width) <= columns for line in lines)


@settings(max_examples=200)
@given(
    st.text(alphabet="退款申请原路返回" + "，。）", min_size=1, max_size=60).filter(
        lambda text: text[0] not in "，。）"
    )
)
def test_wrap_no_line_begins_with_a_closing_sign_unless_five_stand_together(text: str) -> None:
    lines = wrap(text, 16, cell_width)
    packed = [index for index in range(len(text)) if all(sign in "，。）" for sign in text[index : index + 4])]
    if not packed:
        assert not [line for line in lines[1:] if line[0] in "，。）"]
