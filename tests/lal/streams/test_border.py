"""The border of streams: whatever is passed is decided on or refused in one sentence."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import lal
from lal.errors import DataError, LalError, UsageError
from lal.streams.features import StreamEvent, StreamItem
from lal.streams.strategies import STREAM_STRATEGIES

QUICK = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
STRATEGIES = {
    "stream-dqn": lal.load_policy("stream-dqn"),
    **{name: STREAM_STRATEGIES[name](0) for name in STREAM_STRATEGIES.names()},
}
LOOK_AT_ROWS = (
    "abstention", "active_vote", "disagreement", "finite_disagreement", "peers", "reject_option",
    "reject_option_ramp",
)  # fmt: skip
EVEN = StreamItem(np.array([0.5, 0.5]))

DTYPES = st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "?", "U2", "c8", "M8[s]"])
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
ARRAYS = DTYPES.flatmap(lambda dtype: SHAPES.flatmap(lambda shape: arrays.arrays(dtype, shape)))
OBJECTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(max_size=3),
    st.binary(max_size=2), st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=1)),
    max_size=4), st.dictionaries(st.text(max_size=1), st.floats(), max_size=2), ARRAYS,
)  # fmt: skip
PROBAS = st.lists(st.floats(0, 1), min_size=2, max_size=5).map(
    lambda values: np.array(values) / (sum(values) or 1.0)
)


@QUICK
@given(
    fields=st.fixed_dictionaries(
        {"proba": st.one_of(PROBAS, OBJECTS)},
        optional={"cost": OBJECTS, "confidence": OBJECTS, "content": OBJECTS, "x": OBJECTS},
    ),
    asked=st.one_of(st.booleans(), OBJECTS),
    error=st.one_of(st.none(), st.floats(0, 1), OBJECTS),
)
@example(fields={"proba": [0.5, 0.5], "cost": None}, asked=True, error=None)
@example(fields={"proba": [0.5, 0.5], "confidence": np.ones(2)}, asked=True, error=None)
@example(fields={"proba": [0.5, 0.5]}, asked=np.ones(2), error=None)
@example(fields={"proba": [0.5, 0.5]}, asked=True, error=np.ones(1))
def test_items_and_events_of_any_type(fields, asked, error):
    try:
        item = StreamItem(**fields)
        event = StreamEvent(item, asked, error)
    except LalError as refusal:
        said = str(refusal)
        event = None
    if event is None:
        assert "\n" not in said
        assert 10 < len(said) < 600
        return
    for name, strategy in STRATEGIES.items():
        memory = strategy.start({"budget": 0.5})
        assert strategy.act(memory, item) in (True, False)
        later = strategy.update(memory, event)
        assert all(np.isfinite(np.asarray(a, dtype=float)).all() for a in later.values())
        assert strategy.act(later, item) in (True, False)
        with contextlib.suppress(DataError):  # rules that look at rows refuse one of another form
            assert strategy.act(later, item) in (True, False)
        same_form = item.x is None and item.proba.shape == EVEN.proba.shape
        if same_form or name not in LOOK_AT_ROWS:  # the others refuse an item of another form
            assert strategy.act(later, EVEN) in (True, False)


@pytest.mark.parametrize("name", STRATEGIES)
@QUICK
@given(thing=OBJECTS)
def test_what_is_not_an_item_is_refused(name, thing):
    strategy = STRATEGIES[name]
    memory = strategy.start()
    with pytest.raises(DataError, match=r"expected a StreamItem, got .*StreamItem\(proba\)"):
        strategy.act(memory, thing)
    with pytest.raises(DataError, match=r"expected a StreamEvent\(item, asked, error\), got"):
        strategy.update(memory, thing)
    with pytest.raises(DataError, match="expected a StreamItem"):
        StreamEvent(thing, asked=True)


@pytest.mark.parametrize("name", STRATEGIES)
@QUICK
@given(
    memory=st.one_of(OBJECTS, st.dictionaries(
        st.sampled_from(["statistics", "state", "rng", "budget"]), OBJECTS))
)  # fmt: skip
@example(memory={"statistics": np.full(10, np.nan), "state": np.full(3, np.nan)})
def test_memories_of_any_content(name, memory):
    strategy = STRATEGIES[name]
    for use in (strategy.act, strategy.update):
        given_next = EVEN if use == strategy.act else StreamEvent(EVEN, asked=True)
        with contextlib.suppress(LalError):  # anything else is a foreign traceback
            use(memory, given_next)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("budget", ["0.1", None, [0.1], np.array([0.1]), 1j, 0, np.nan, 1.01, "x"])
def test_a_budget_is_one_number(name, budget):
    with pytest.raises(UsageError, match="budget must lie above 0 and up to 1, got"):
        STRATEGIES[name].start({"budget": budget})


@pytest.mark.parametrize("name", STRATEGIES)
def test_numbers_of_any_type_decide_alike(name):
    strategy = STRATEGIES[name]
    memory = strategy.start({"budget": np.float64(0.3)})
    plain = StreamItem(np.array([0.75, 0.25]), 2.0, 0.75)
    pandas = pytest.importorskip("pandas")
    torch = pytest.importorskip("torch")
    ways: list[tuple[Any, Any]] = [
        ([0.75, 0.25], 2), (np.array([0.75, 0.25], "f2"), np.int8(2)),
        ((0.75, 0.25), np.float32(2)), (pandas.Series([0.75, 0.25]), np.float16(2)),
        (torch.tensor([0.75, 0.25]), 2.0), (torch.tensor([0.75, 0.25], requires_grad=True), 2.0),
    ]  # fmt: skip
    share: Any = np.float32(0.75)
    answer: Any = np.True_
    for proba, number in ways:
        item = StreamItem(proba, number, share)
        assert strategy.act(memory, item) == strategy.act(memory, plain)
        one = strategy.update(memory, StreamEvent(item, answer, 1))
        other = strategy.update(memory, StreamEvent(plain, True, 1.0))
        for key, array in one.items():
            np.testing.assert_array_equal(array, other[key])


def test_masked_probabilities_and_infos_that_are_not_mappings_are_refused():
    with pytest.raises(DataError, match="proba has masked cells; expected numbers"):
        StreamItem(np.ma.MaskedArray([0.5, 0.5], mask=[False, True]))
    for strategy in STRATEGIES.values():
        with pytest.raises(UsageError, match="info must be a mapping as"):
            strategy.start([0.1])
