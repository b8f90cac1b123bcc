"""A seed fixes what is broken when."""

import itertools

from hil.chaos.schedule import WEIGHTS, acquirer_answers, schedule


def test_schedule_same_seed_same_faults() -> None:
    first, second = (list(itertools.islice(schedule(5), 300)) for _ in range(2))
    assert first == second
    assert first != list(itertools.islice(schedule(6), 300))


def test_schedule_long_enough_has_every_fault() -> None:
    assert {step.fault for step in itertools.islice(schedule(1), 3000)} == set(WEIGHTS)


def test_schedule_only_some_faults_has_no_other() -> None:
    assert {step.fault for step in itertools.islice(schedule(1, ("attack", "kill_till")), 50)} == {
        "attack",
        "kill_till",
    }


def test_acquirer_answers_mix_is_fixed_by_the_seed() -> None:
    answers = acquirer_answers(4, 500)
    assert answers == acquirer_answers(4, 500)
    assert {"accepted", "processing", "timeout", "timeout:lost", "failed:NOT_ENOUGH"} <= set(answers)
