"""The machine alone, signed in, and what it is given."""

from datetime import UTC, datetime

from pos_agent.domain.codes import Code, CodeKind
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Context, Facts, Rules
from pos_agent.workflow.states import State
from tests.fakes.samples import PHRASES, REASONS, WECHAT_ORDER, make_sale

AT = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
RULES = Rules(policy=PolicyConfig(), reasons=REASONS, phrases=PHRASES)


def facts() -> Facts:
    return Facts(now=AT, is_broker_connected=True, is_back_office_present=True)


def machine(state: State = State.MENU) -> RefundMachine:
    return RefundMachine(RULES, initial=state, context=Context(operator_no="01", operator_person="p1"))


def order_code() -> Code:
    return Code(CodeKind.ORDER_NO, 31, WECHAT_ORDER)


def found() -> LookUpResult:
    return LookUpResult(lookup_id="1", outcome=LookUpOutcome.FOUND, sale=make_sale())
