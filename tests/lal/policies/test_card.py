"""Cards: the same facts as text, Markdown and HTML; a file cannot make them fail or inject."""

import copy
import json
import pickle
from dataclasses import replace

import pytest

from lal.errors import PolicyFileError
from lal.policies.card import Card
from lal.policies.kinds import list_policies, load_policy

CARD = {
    "summary": "A summary.",
    "n_states": 12,
    "share_synthetic": 0.5,
    "data": {"wine": {"family": "wine"}},
    "families_held_out": ["rings"],
    "learners": ["gaussian_nb", "gaussian_nb", "knn"],
    "budget": 40,
    "ranges": {"n_classes": [2, 10]},
    "evidence": {
        "metric": "accuracy",
        "n_sets": 3,
        "command": "python -m scripts.evaluate",
        "against": {
            "margin": {"points": 1.5, "low": -0.25, "high": 2, "wins_ties_losses": [2, 0, 1]}
        },
        "worst": ["car", -5.7],
    },
    "did_it_learn": {"learned": False, "shuffled": [0.01, 0.02], "margin": [9, 9]},
    "do_not_use_when": ["classes are rare"],
}
ROW = {"points": 1.0, "low": 0.0, "high": 2.0, "wins_ties_losses": [1, 0, 0]}
SAID = (
    "A summary.",
    "12 states",
    "share of synthetic tasks: 50%",
    "data sets: wine",
    "families held out: rings",
    "learners: gaussian_nb, knn",
    "budget: 40 labels",
    "classes: 2 to 10",
    "margin@1",
    "n_labelled@1",
    "batch: gumbel",
    "screening 'hashed' chooses 20000 rows",
    "3 data sets it was not trained on",
    "points of area, accuracy",
    "+1.50",
    "[-0.25, +2.00]",
    "2/0/1",
    "[-1.00, +3.00]",
    "not measured",
    "classes are rare",
    "like car, where it was worst: -5.70 points",
    "did it learn (ahead of random, untrained and shuffled copies): NO",
)


@pytest.fixture
def card(make_policy) -> Card:
    made: Card = make_policy(card=CARD, selection="gumbel", screening="hashed").card
    return made


def test_every_form_says_the_same(card):
    text, page, cell = str(card), card.to_markdown(), card.to_html()
    for said in SAID:
        assert said in text
        assert said in page
        assert said.replace("'", "&#x27;") in cell
    assert card._repr_html_() == cell
    assert "\n| margin | +1.50 | [-0.25, +2.00] | 2/0/1 |\n" in page


def test_a_card_is_the_dictionary_of_the_file(card, make_policy, tmp_path):
    assert card == CARD
    assert json.loads(json.dumps(card)) == CARD
    for other in (copy.deepcopy(card), pickle.loads(pickle.dumps(card))):
        assert other == card
        assert str(other) == str(card)
    path = tmp_path / "p.safetensors"
    make_policy(card=CARD).save(path)
    assert str(load_policy(path).card).splitlines()[1] == "A summary."


def test_an_empty_card_admits_it(make_policy):
    text = str(make_policy().card)
    assert text.count("the file does not say") == 3
    assert text.count("not measured") == 4


def test_html_is_escaped(make_policy):
    evil = "<script>alert(1)</script>"
    card = make_policy(name=evil, card={"summary": evil, "do_not_use_when": [evil]}).card
    assert "<script>" not in card.to_html()


@pytest.mark.parametrize("name", list_policies("pool"))
def test_shipped_cards(name):
    card = load_policy(name).card
    for form in (str(card), card.to_markdown(), card.to_html()):
        assert card["summary"].split()[0] in form
        assert "Do not use when" in form


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": [1]}, "'ranges' must be an object"),
        ({"ranges": {"n_classes": [2]}}, "range of 'n_classes' must be two numbers"),
        ({"ranges": {"n_classes": [2, "9"]}}, "range of 'n_classes' must be two numbers"),
        ({"did_it_learn": {"learned": "yes"}}, "'learned' of the card's 'did_it_learn'"),
        ({"evidence": 3}, "'evidence' must be an object or a text"),
        ({"evidence": {"against": {"margin": {"points": 1}}}}, "comparison with 'margin'"),
        ({"evidence": {"worst": ["car"]}}, "'worst' must be a name and a number"),
        ({"do_not_use_when": 5}, "'do_not_use_when' must be a list"),
        ({"share_synthetic": "half"}, "'share_synthetic' must be a number"),
        ({"data": 7}, "'data' must be an object or a list"),
    ],
)
def test_malformed_cards_are_refused(change, message, make_policy):
    with pytest.raises(PolicyFileError, match=message):
        make_policy(card=change)


HOSTILE = "<img src=x onerror=alert(1)> \x1b[31m \x1b]0;title\x07 a|b [go](javascript:1) \u202egnp"


def test_what_a_stranger_wrote_is_shown_and_not_obeyed(policy):
    """Escape sequences reach no terminal, HTML and links no page, wherever they stand."""
    card = dict(
        CARD, summary=HOSTILE, data=[HOSTILE], learners=HOSTILE, measure=HOSTILE,
        do_not_use_when=[HOSTILE], evidence={"against": {HOSTILE: ROW}, "worst": [HOSTILE, 1.0]},
    )  # fmt: skip
    shown = replace(policy, name=HOSTILE, card=card).card
    for text in (str(shown), shown.to_markdown(), shown.to_html()):
        assert text.replace("\n", "").isprintable()
        assert "onerror" in text
    for page in (shown.to_markdown(), shown.to_html()):
        assert "<img" not in page
    assert "](javascript" not in shown.to_markdown()
    table = [line for line in shown.to_markdown().splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
