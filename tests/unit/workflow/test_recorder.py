"""The flight recorder: what it keeps runs again the same way, and no payment code or PIN is in it (I7)."""

import msgspec
import pytest

from pos_agent.domain.events import DeviceName, DeviceStatusChanged, ScanGarbled
from pos_agent.errors import IncidentFileError
from pos_agent.workflow.model import Context, Input
from pos_agent.workflow.recorder import RING, Step
from pos_agent.workflow.replay import read_incident, replay
from pos_agent.workflow.states import State
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, at_menu, running

PAY_CODE = "139912345678901234"
PIN = "2468"
#: Typed where the operator's number belongs.
OTHER_PIN = "36091060"


async def save(till: Till) -> bytes:
    await till.press("FN", "9", "1")
    assert "现场记录已存" in till.text
    await till.press("CLEAR")
    return till.incidents.files[-1]


def differences(data: bytes) -> list[str]:
    return [one.difference for one in replay(*read_incident(data)) if one.difference]


async def whole_story(till: Till) -> bytes:
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    await till.press(*OTHER_PIN, "ENTER", "1", "1", "1", "1", "ENTER", "CANCEL")
    await till.sign_in()
    await till.online()
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, "EPTR_REC_EMPTY"))
    await till.put(ScanGarbled("overflow", 9000))
    await till.scan(PAY_CODE)
    await till.press("CLEAR", *PAY_CODE, "ENTER", "CANCEL")
    await till.scan(WECHAT_ORDER)
    await till.press("2", "3", "ENTER", "1", "ENTER")
    assert till.state == "RESULT"
    await till.press("3", "ENTER", "2", "ENTER", "CLEAR", "F4", "F4")
    return await save(till)


async def test_recorder_incident_of_a_whole_story_replays_the_same_way() -> None:
    till = Till()
    async with running(till):
        data = await whole_story(till)
    header, records = read_incident(data)
    played = list(replay(header, records))
    assert [one.difference for one in played if one.difference] == []
    steps = [record for record in records if isinstance(record, Step)]
    assert sum(bool(one.found) for one in played) == len(steps) > 40
    assert {"RESULT", "PAY_CODE", "CONFIRM", "SERVICE"} <= {step.after.value for step in steps}
    assert [one.record.what for one in played if not isinstance(one.record, Step)] == [
        "LinkChanged",
        "DeviceStatusChanged",
        "ScanGarbled",
    ]


async def test_i7_recorder_holds_no_payment_code_and_no_pin() -> None:
    till = Till()
    async with running(till):
        data = await whole_story(till)
    text = data.decode()
    assert PAY_CODE[:8] not in text
    assert OTHER_PIN not in text
    _, records = read_incident(data)
    keys = "".join(record.data.key for record in records if isinstance(record, Step) and record.trigger == "digit")
    assert PIN not in keys
    assert PAY_CODE[1:7] not in keys
    assert "*" * 6 in keys


@pytest.mark.parametrize("place", range(1, 18))
async def test_i7_payment_code_split_over_two_reads_is_in_no_incident(place: int) -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        for part in (PAY_CODE[:place], PAY_CODE[place:]):
            await till.scan(part)
            await till.press("CLEAR", "CANCEL")
        text = (await save(till)).decode()
    parts = [part for part in (PAY_CODE[:place], PAY_CODE[place:]) if len(part) >= 6]
    assert not [part for part in parts if part in text]


async def test_i7_payment_code_typed_as_an_amount_is_in_no_incident() -> None:
    async with at_menu() as till:
        await till.scan(WECHAT_ORDER)
        await till.press("2", *PAY_CODE)
        _, records = read_incident(await save(till))
    keys = "".join(
        record.data.key for record in records if isinstance(record, Step) and record.before.value == "AMOUNT"
    )
    assert PAY_CODE[:9] not in keys
    assert keys.startswith(PAY_CODE[:8] + "00")


async def test_recorder_ring_is_bounded_and_a_cut_one_starts_at_a_clean_state() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        for _ in range(RING):
            await till.press("1", "CLEAR", after_s=1.0)
        data = await save(till)
    _, records = read_incident(data)
    assert len(records) == RING
    assert differences(data) == []


async def test_recorder_file_is_cut_to_its_size_oldest_first() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.press(*["1", "CLEAR"] * 50)
        till.incidents.max_bytes = 20_000
        data = await save(till)
    assert len(data) <= 20_000
    _, records = read_incident(data)
    last = records[-1]
    assert isinstance(last, Step)
    assert last.before.value == "SERVICE"
    assert differences(data) == []


async def test_recorder_full_disk_is_told_and_the_till_goes_on() -> None:
    till = Till()
    till.incidents.is_full = True
    async with running(till):
        await till.sign_in()
        await till.press("FN", "9", "1")
        assert "现场记录没存上" in till.text
        await till.press("CLEAR")
        assert till.state == "MENU"


async def test_recorder_crash_of_the_menu_leaves_an_incident() -> None:
    till = Till()

    async def crash(_digits: str) -> object:
        raise ZeroDivisionError

    till.journal.refunds_by_tail = crash  # type: ignore[assignment,method-assign]
    with pytest.raises(ZeroDivisionError):
        async with running(till):
            await till.sign_in()
            await till.press("2", *"123456")
            till.inbox.put_nowait(_enter(till))
            await till.settle()
    header, _ = read_incident(till.incidents.files[0])
    assert header.cause == "crash"


def _enter(till: Till):  # type: ignore[no-untyped-def]
    from pos_agent.domain.events import Key, KeyPressed

    till.clock.boottime += 2
    return KeyPressed(Key.ENTER, till.clock.boottime)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff\n", b'{"type":"header","format":1}', b'{"type":"\xff"}', b"[" * 90_000]
)
def test_replay_of_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(IncidentFileError):
        read_incident(data)


async def test_replay_of_a_step_that_raises_says_so_and_goes_on() -> None:
    """Found by fuzzing: a file can begin in a state that its context does not fit."""
    till = Till()
    async with running(till):
        data = await whole_story(till)
    header, records = read_incident(data)
    steps = [record for record in records if isinstance(record, Step)]
    at_look_up = next(step for step in steps if step.before is State.LOOKUP)
    begun = msgspec.structs.replace(at_look_up, trigger="timeout", context=Context())
    again = msgspec.structs.replace(at_look_up, trigger="digit", data=Input(facts=at_look_up.data.facts, key="1"))
    played = list(replay(header, [begun, again, *steps[:2]]))
    assert played[1].difference.startswith("raises ")
    assert len(played) == 4


async def test_replay_of_times_without_a_zone_is_refused() -> None:
    """Found by fuzzing: a wait between such a time and a whole one cannot be computed."""
    till = Till()
    async with running(till):
        whole = await whole_story(till)
    read_incident(whole)
    with pytest.raises(IncidentFileError, match="time without a zone"):
        read_incident(whole.replace(b'Z"', b'"').replace(b'+00:00"', b'"'))


async def test_replay_names_the_step_that_goes_another_way() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.press("1", "CLEAR")
        data = await save(till)
    assert differences(data.replace(b'"after":"SCAN"', b'"after":"FIND"', 1)) == ["recorded FIND"]
