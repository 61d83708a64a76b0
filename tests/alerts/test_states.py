"""The table of steps: what is possible, what is not, and that nothing is left without an end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.states import (
    ENDED,
    OPEN,
    TRANSITIONS,
    UNANSWERED,
    UNENDED,
    NotAllowed,
    State,
    Step,
    after,
    diagram,
    steps_from,
)


def test_every_state_is_open_or_ended_and_none_is_both() -> None:
    assert set(UNENDED) | set(ENDED) == set(State)
    assert not set(UNENDED) & set(ENDED)


def test_every_state_can_be_reached_from_a_raised_or_held_alert() -> None:
    reached = {after(None, Step.RAISE), after(None, Step.HOLD)}
    while more := {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize("state", OPEN)
def test_an_open_alert_can_always_be_withdrawn_closed_dismissed_and_passed_on(state: State) -> None:
    assert {Step.WITHDRAW, Step.CLOSE, Step.DISMISS, Step.REASSIGN} <= set(steps_from(state))


@pytest.mark.parametrize("state", OPEN)
def test_a_worse_value_makes_any_open_alert_unanswered_again(state: State) -> None:
    assert after(state, Step.WORSEN) is State.RAISED


@pytest.mark.parametrize("step", [Step.JOIN, Step.AMEND, Step.FLAG])
@pytest.mark.parametrize("state", OPEN)
def test_news_that_is_not_worse_keeps_the_state(state: State, step: Step) -> None:
    assert after(state, step) is state


def test_a_withdrawn_alert_stays_withdrawn() -> None:
    assert steps_from(State.WITHDRAWN) == ()


@pytest.mark.parametrize("state", [State.ACKNOWLEDGED, *ENDED])
def test_an_answered_alert_cannot_be_acknowledged_again(state: State) -> None:
    with pytest.raises(NotAllowed) as refused:
        after(state, Step.ACKNOWLEDGE)
    assert (refused.value.state, refused.value.step) == (state, Step.ACKNOWLEDGE)


@pytest.mark.parametrize("state", list(State))
def test_an_alert_is_raised_only_once(state: State) -> None:
    with pytest.raises(NotAllowed):
        after(state, Step.RAISE)


@given(st.lists(st.sampled_from(list(Step))))
def test_no_walk_leaves_the_table_or_ends_an_alert_without_a_step_that_ends_it(steps: list[Step]) -> None:
    state = after(None, Step.RAISE)
    for step in steps:
        before = state
        if (before, step) not in TRANSITIONS:
            with pytest.raises(NotAllowed):
                after(before, step)
            continue
        state = after(before, step)
        if before in OPEN and state in ENDED:
            assert step in (Step.DISMISS, Step.RESOLVE, Step.CLOSE, Step.WITHDRAW)
        if before in ENDED and state in OPEN:
            assert step is Step.REOPEN
        if state in UNANSWERED and before not in UNANSWERED:
            assert step in (Step.WORSEN, Step.REASSIGN, Step.REOPEN, Step.LAPSE)


def test_the_diagram_shows_every_state_and_every_step_that_changes_one() -> None:
    drawn = diagram()
    assert all(state.replace("-", "_") in drawn for state in State)
    changing = {step for (state, step), to in TRANSITIONS.items() if state is not to}
    assert all(step in drawn for step in changing)
