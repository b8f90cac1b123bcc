"""States and triggers of the refund menu, with their time-outs and dead times as data (screens.md sections 2 and 3).

Pure.
"""

from enum import Enum
from typing import Final

from pos_agent.domain.events import Key


class State(Enum):
    """Where the cashier is. The value is the name in logs, drafts and the status socket."""

    SAFE = "SAFE"
    NO_OPERATORS = "NO_OPERATORS"
    LOGIN = "LOGIN"
    RESUME = "RESUME"
    MENU = "MENU"
    SCAN = "SCAN"
    PAY_CODE = "PAY_CODE"
    COLLECT_CODE = "COLLECT_CODE"
    BAD_CODE = "BAD_CODE"
    GOODS = "GOODS"
    AMBIGUOUS = "AMBIGUOUS"
    LOOKUP = "LOOKUP"
    NOT_FOUND = "NOT_FOUND"
    REFUSED = "REFUSED"
    NO_LOOKUP = "NO_LOOKUP"
    SALE = "SALE"
    ITEMS = "ITEMS"
    PAID = "PAID"
    AMOUNT = "AMOUNT"
    REASON = "REASON"
    OTHER_REASON = "OTHER_REASON"
    NOTE = "NOTE"
    CONFIRM = "CONFIRM"
    SUPERVISOR = "SUPERVISOR"
    APPROVAL = "APPROVAL"
    SAVING = "SAVING"
    NOT_SAVED = "NOT_SAVED"
    RESULT = "RESULT"
    FIND = "FIND"
    STATUS = "STATUS"
    WITHDRAW = "WITHDRAW"
    ANSWER = "ANSWER"
    ANSWER_DIGITS = "ANSWER_DIGITS"
    ABANDON = "ABANDON"
    FUNCTION = "FUNCTION"
    HELP = "HELP"
    LAST = "LAST"
    QUEUE = "QUEUE"
    POLICY = "POLICY"
    SERVICE = "SERVICE"
    SHIFT = "SHIFT"


class Trigger(Enum):
    """What can happen."""

    DIGIT = "digit"
    DOT = "dot"
    ENTER = "enter"
    CLEAR = "clear"
    CANCEL = "cancel"
    FN = "fn"
    NEXT = "next"
    F1 = "f1"
    F2 = "f2"
    F3 = "f3"
    F4 = "f4"
    SCAN = "scan"
    #: A typed number was classified.
    CODE = "code"
    #: The scanner read noise for the third time.
    MISREAD = "misread"
    LOOKUP_DONE = "lookup_done"
    #: The look-up takes longer than `LOOKUP_HIDDEN_S`.
    LOOKUP_SLOW = "lookup_slow"
    PIN_CHECKED = "pin_checked"
    COMMITTED = "committed"
    COMMIT_FAILED = "commit_failed"
    TIMEOUT = "timeout"
    DEVICE = "device"
    UPDATE = "update"


#: Rows that every state must have (D3).
OBLIGATORY: Final = (
    Trigger.TIMEOUT,
    Trigger.CANCEL,
    Trigger.CLEAR,
    Trigger.SCAN,
    Trigger.DEVICE,
    Trigger.UPDATE,
)
KEY_TRIGGERS: Final = {
    Key.DOT: Trigger.DOT,
    Key.ENTER: Trigger.ENTER,
    Key.CLEAR: Trigger.CLEAR,
    Key.CANCEL: Trigger.CANCEL,
    Key.FN: Trigger.FN,
    Key.NEXT: Trigger.NEXT,
    Key.F1: Trigger.F1,
    Key.F2: Trigger.F2,
    Key.F3: Trigger.F3,
    Key.F4: Trigger.F4,
}
KEYS: Final = frozenset({Trigger.DIGIT, *KEY_TRIGGERS.values()})

#: Seconds without a key until TIMEOUT. Source: screens.md section 3. A state that is missing here waits for ever.
TIMEOUTS_S: Final[dict[State, float]] = {
    State.NO_OPERATORS: 5.0,
    State.LOGIN: 60.0,
    State.RESUME: 60.0,
    State.MENU: 600.0,
    State.SCAN: 180.0,
    State.PAY_CODE: 180.0,
    State.COLLECT_CODE: 180.0,
    State.BAD_CODE: 180.0,
    State.GOODS: 180.0,
    State.AMBIGUOUS: 60.0,
    State.LOOKUP: 10.0,
    State.NOT_FOUND: 60.0,
    State.REFUSED: 60.0,
    State.NO_LOOKUP: 120.0,
    State.SALE: 120.0,
    State.ITEMS: 120.0,
    State.PAID: 120.0,
    State.AMOUNT: 120.0,
    State.REASON: 120.0,
    State.OTHER_REASON: 120.0,
    State.NOTE: 120.0,
    State.CONFIRM: 60.0,
    State.SUPERVISOR: 60.0,
    # The slip goes to a person elsewhere and the answer comes back by telephone (ADR 0024).
    State.APPROVAL: 600.0,
    State.NOT_SAVED: 120.0,
    State.RESULT: 10.0,
    State.FIND: 60.0,
    State.STATUS: 60.0,
    State.WITHDRAW: 60.0,
    State.ANSWER: 120.0,
    State.ANSWER_DIGITS: 120.0,
    State.ABANDON: 60.0,
    State.FUNCTION: 60.0,
    State.HELP: 60.0,
    State.LAST: 60.0,
    State.QUEUE: 60.0,
    State.POLICY: 120.0,
    State.SERVICE: 120.0,
    State.SHIFT: 60.0,
}
#: The last seconds of a time-out count down on the key line.
COUNTDOWN_S: Final = 10
#: States whose time-out only tidies up: no count-down.
NO_COUNTDOWN: Final = frozenset({State.MENU, State.LOGIN, State.LOOKUP, State.NO_OPERATORS})
#: A look-up that is answered within this time shows no screen of its own.
LOOKUP_HIDDEN_S: Final = 0.3

#: ENTER is dead for this long after the screen changed, from the moment the bytes went to the display.
DEAD_TIME_S: Final = 0.25
DEAD_TIMES_S: Final[dict[State, float]] = {State.CONFIRM: 0.6, State.RESULT: 1.0}

#: States that are saved as a draft, and where a resumed draft goes on: never behind a PIN (trust.md 18).
RESUME_POINTS: Final[dict[State, State]] = {
    State.SALE: State.SALE,
    State.ITEMS: State.SALE,
    State.AMOUNT: State.AMOUNT,
    State.REASON: State.REASON,
    State.OTHER_REASON: State.REASON,
    State.NOTE: State.REASON,
    State.CONFIRM: State.CONFIRM,
}
#: A draft older than this is discarded.
DRAFT_AGE_S: Final = 600.0

#: States that show journal facts.
LIVE: Final = frozenset(
    {State.MENU, State.RESULT, State.STATUS, State.LAST, State.WITHDRAW, State.ANSWER, State.ANSWER_DIGITS, State.QUEUE}
)
#: States whose scanner waits for the answer to an approval question; every other code is dropped there.
AWAITS_ANSWER: Final = frozenset({State.SUPERVISOR, State.APPROVAL})
#: States in which result slips may print.
RESULTS_PRINT: Final = frozenset({State.MENU, State.LOGIN, State.NO_OPERATORS, State.SAFE})
