"""Sequences that Hypothesis makes up for a state machine."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def any_sequence(
    machine: type[RuleBasedStateMachine], examples: int, steps: int, *, always_the_same: bool
) -> None:
    """Try sequences.

    Args:
        machine: holds what it stands on as attributes of its class.
        examples: how many.
        steps: of each.
        always_the_same: as a test of every run is; a campaign tries others each time.
    """
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=always_the_same,
            suppress_health_check=list(HealthCheck),
        ),
    )
