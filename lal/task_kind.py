"""What a label is: the kinds of task that the framework knows, by name."""

from typing import Any, Literal, get_args

from lal.errors import UsageError

TaskKind = Literal["classification", "regression"]
"""classification: a label is the code of one class. regression: a label is a number."""

CLASSIFICATION: TaskKind = "classification"
REGRESSION: TaskKind = "regression"

TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)


def check_task_kind(task: Any) -> TaskKind:
    """Return the kind that an argument ``task=`` names.

    Raises:
        UsageError: No such kind.
    """
    for kind in TASK_KINDS:
        if task == kind:
            return kind
    raise UsageError(f"task must be one of {', '.join(map(repr, TASK_KINDS))}, got {task!r}")


def served_kinds(thing: Any) -> tuple[TaskKind, ...]:
    """Return the kinds that a strategy or a policy serves: its attribute ``kinds``.

    Classification alone where it has none: a rule that was written for class probabilities would
    choose at random elsewhere, without a word.
    """
    kinds: tuple[TaskKind, ...] = getattr(thing, "kinds", (CLASSIFICATION,))
    return kinds


def check_served(thing: Any, kind: TaskKind, *, name: str = "") -> None:
    """Refuse a strategy or a policy for a kind of task that it does not serve.

    Raises:
        UsageError: Names what it serves, and what to take instead.
    """
    if kind in served_kinds(thing):
        return
    who = name or getattr(thing, "name", "") or type(thing).__name__
    instead = {
        CLASSIFICATION: "'margin' or the policy 'default'",
        REGRESSION: "'improved_greedy_sampling' or the policy 'default-regression'",
    }
    raise UsageError(
        f"{who} is for {' and '.join(served_kinds(thing))}, and this is a {kind} task; use "
        f"{instead[kind]}"
    )
