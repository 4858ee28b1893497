"""Cards to the letter: what three made-up ones say as text, Markdown and HTML, in ``cards.txt``.

After a change that is meant, look at the difference that this command makes::

    python tests/lal/policies/test_card_text.py
"""

from pathlib import Path
from typing import Any

import pytest

from lal.errors import PolicyFileError
from lal.policies.card import Card, check_card

GOLDEN = Path(__file__).parent / "cards.txt"
BETWEEN = "\n=====\n"

FULL: dict[str, Any] = {
    "summary": "Learned on made-up tasks.",
    "trained_on": ["rings", "xor", "rings"],
    "n_states": 12,
    "n_rows": 240,
    "steps": 512,
    "share_synthetic": 0.256,
    "data": {"wine": {"family": "wine"}, "car": {"family": "car"}},
    "families_held_out": ["iris", "yeast"],
    "control": "untrained",
    "made_by": {"command": "python -m scripts.train", "commit": "c0ffee"},
    "learners": {"linear": ["lr", "svm"], "trees": "forest"},
    "budget": [20, 100],
    "ranges": {
        "n_classes": [2, 10],
        "n_columns": [1, 50],
        "n_labelled": [2, 200],
        "n_pool": [40, 2000],
        "depth": [1, 3],
    },
    "evidence": {
        "metric": "balanced_accuracy",
        "n_sets": 36,
        "command": "python -m scripts.evaluate",
        "against": {
            "random": {"points": 4.5, "low": 2.84, "high": 6.22, "wins_ties_losses": [30, 4, 2]},
            "entropy": {"points": -0.25, "low": -1, "high": 0.5},
        },
        "worst": ["car", -5.7],
    },
    "did_it_learn": {
        "learned": True,
        "shuffled": [0.03, 0.01],
        "random": [9.0, 9.0],
        "linear": [-0.02, 0.005],
    },
    "do_not_use_when": ["classes are rare", "rows are images"],
}
ABOUT: dict[str, Any] = {
    "name": "mine",
    "candidate_features": ("margin@1", "rank@1"),
    "context_features": ("n_labelled@1",),
    "batch_rule": "greedy",
    "screening": "half_uncertain",
    "screened": 20000,
    "class_symmetric": False,
}
FEW: dict[str, Any] = {
    "evidence": "it is the baseline",
    "do_not_use_when": "one class is labelled",
    "measure": "RMSE",
    "did_it_learn": {"learned": False},
    "trained_on": "nothing",
}
PLAIN: dict[str, Any] = {
    **ABOUT,
    "context_features": (),
    "screening": "none",
    "class_symmetric": True,
}
UNSHOWN: dict[str, Any] = {
    "summary": "",
    "measure": "points of RMSE",
    "did_it_learn": {"learned": False},
    "share_synthetic": 1,
    "control": "none",
    "evidence": {"n_sets": 2},
}

CARDS = {
    "everything": Card(FULL, ABOUT),
    "a few words": Card(FEW, PLAIN),
    "not measured": Card(UNSHOWN, PLAIN),
}


def forms() -> list[str]:
    return [f(c) for c in CARDS.values() for f in (str, Card.to_markdown, Card.to_html)]


def test_cards_say_what_they_said() -> None:
    assert forms() == GOLDEN.read_text(encoding="utf-8").split(BETWEEN)


def test_a_line_of_a_stranger_is_cut() -> None:
    card = Card({"do_not_use_when": ["a" * 30_000]}, {"name": "mine", "inputs": ("items",)})
    (line,) = [line for part in card.sections() for line in part.lines if "aaa" in line]
    assert line == "a" * 20_000


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"evidence": "words"},
        {"evidence": {"worst": None}},
        {"evidence": {"worst": ["car", 0]}},
        {"evidence": {"against": {"margin": {"points": 0, "low": -1.5, "high": 1}}}},
        {"share_synthetic": 1},
        {"data": ["wine"]},
        {"do_not_use_when": ("a", "b")},
        {"ranges": {"n_pool": (1, 10**11)}},
        {"did_it_learn": {"learned": True, "random": [1, 0.5]}},
    ],
)
def test_what_a_card_may_hold(good: dict[str, Any]) -> None:
    check_card(good)


COMPARED = {"points": 0.0, "low": -1.0, "high": 1.0}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"ranges": {"n_pool": [1, 2, 3]}}, "range of 'n_pool' must be two numbers"),
        ({"ranges": {"n_pool": [1, 10**12]}}, "range of 'n_pool' must be two numbers"),
        ({"ranges": {"n_pool": [True, 2]}}, "range of 'n_pool' must be two numbers"),
        ({"ranges": {"n_pool": "12"}}, "range of 'n_pool' must be two numbers"),
        ({"did_it_learn": [1]}, "'did_it_learn' must be an object"),
        ({"did_it_learn": {"random": True}}, "'random' of the card's 'did_it_learn' must be a"),
        ({"did_it_learn": {"learned": [1, 2]}}, "'learned' of the card's 'did_it_learn'"),
        ({"evidence": {"against": [1]}}, "the card's 'against' must be an object"),
        ({"evidence": {"against": {"margin": 3}}}, "with 'margin' must hold points, low and high"),
        (
            {"evidence": {"against": {"a": {**COMPARED, "wins_ties_losses": "1/2"}}}},
            "with 'a' must",
        ),
        (
            {"evidence": {"against": {"a": {**COMPARED, "high": float("nan")}}}},
            "with 'a' must hold",
        ),
        ({"evidence": {"worst": ["car", "bad"]}}, "'worst' must be a name and a number"),
        ({"evidence": {"worst": ["car", 1, 2]}}, "'worst' must be a name and a number"),
        ({"evidence": {"worst": "car"}}, "'worst' must be a name and a number"),
    ],
)
def test_what_a_card_may_not_hold(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyFileError, match=message):
        check_card(bad)


if __name__ == "__main__":
    GOLDEN.write_text(BETWEEN.join(forms()), encoding="utf-8")
