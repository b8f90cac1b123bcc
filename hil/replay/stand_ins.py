"""What is typed and scanned in the place of what an incident does not hold: PINs, numbers, codes. Pure."""

from typing import Any, Final

from hil.replay.incident import Act, Record

#: By the scheme of a payment code: its first digits and its length where the record has none (payments.md 3).
_PAY_HEADS: Final = {"wechat": "13", "alipay": "28", "unionpay": "62", "ecny": "01"}
#: By kind of code: what is that and nothing else.
_CODES: Final = {
    "goods": "6901234567892",
    "bad_check_digit": "6901234567890",
    "collect_code": "wxp://f2f0-replay",
    "unrecognised": "?",
}
_WANTED: Final = {"channel_trade_no": "alipay"}


class Fields:
    """Where the digits of LOGIN go: operator number, then PIN. Follows CLEAR and ENTER as the till does.

    Args:
        operators: By role, as the bench's ``/info`` names them.
    """

    def __init__(self, operators: dict[str, dict[str, str]]) -> None:
        self._operators = operators
        self._typed = ""
        self._is_pin = False

    def key(self, act: Act, coming: Record) -> str:
        """Return the digit to press.

        Args:
            act: A digit at LOGIN or SUPERVISOR.
            coming: How the check of this PIN ended; empty if it was given up.
        """
        role = (
            "supervisor" if act.record["before"] == "SUPERVISOR" or coming.get("role") == "supervisor" else "operator"
        )
        wanted = self._operators[role]["pin" if self._is_pin else "no"]
        place = len(self._typed)
        digit = wanted[place] if place < len(wanted) else "0"
        if self._is_pin and not coming.get("is_right", False) and coming:
            digit = str((int(digit) + 1) % 10)
        self._typed += digit
        return digit

    def pressed(self, trigger: str, *, after: str) -> None:
        """Follow another key; ``after`` is the state behind it."""
        if trigger == "clear" and self._typed:
            self._typed = self._typed[:-1]
        elif trigger == "enter" and after in ("LOGIN", "SUPERVISOR"):
            self._is_pin, self._typed = not self._is_pin, ""
        elif trigger != "digit":
            self._is_pin, self._typed = False, ""


def code_of(act: Act, sales: list[dict[str, Any]]) -> str:
    """Return what to scan: the same kind of code, of the bench's own sales where one was found."""
    code: Record = act.data.get("code") or {}
    kind, length = str(code.get("kind", "")), int(code.get("length", 0))
    if kind == "pay_code":
        head = _PAY_HEADS.get(str(code.get("scheme", "")), "13")
        return head.ljust(length or 18, "5")
    if kind in _CODES:
        return _CODES[kind]
    answer = act.own_data("lookup_done", "answer")
    if answer and answer.get("outcome") != "found":
        return "8" + "9" * max(11, length - 1)
    paid_minor = (answer.get("sale") or {}).get("paid_minor")
    same = [sale for sale in sales if sale["kind"] == _WANTED.get(kind) or sale["paid_minor"] == paid_minor]
    return str((same or sales)[0]["code"])


def pin_digits(acts: list[Act]) -> int:
    """Return how long the PINs of this till are; 4 if none was typed."""
    count, is_pin = 0, False
    for act in acts:
        if act.record.get("before") != "LOGIN":
            continue
        count += act.trigger == "digit"
        if act.trigger == "enter" and is_pin:
            return max(4, count)
        if act.trigger == "enter":
            count, is_pin = 0, True
    return 4
