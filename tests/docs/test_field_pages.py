"""Pages of surveys and tutorials: what they name exists, and what they count is right."""

import numpy as np
import pytest

from scripts.row_checks.pages import FIELD, STEPS, named, unknown
from scripts.row_checks.theory import count_queries

PAGES = sorted(page.name for page in FIELD.glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_name_in_the_tables_of_a_page_is_in_a_registry(page):
    names = named(page)
    assert len(names) >= 8
    assert unknown(names) == []


def test_a_name_that_does_not_exist_is_noticed():
    assert unknown(["margin", "lal/Pool-v0", "outliers", "margn"]) == ["margn"]


def test_the_tutorial_has_its_steps_in_order():
    names = named("tutorial.md")
    places = [names.index(step) for step in STEPS]
    assert places == sorted(places)


def test_queries_of_a_threshold_by_hand():
    # 0.5 is asked (1), 0.9 is inferred, 0.2 is asked (0), 0.1 is inferred, 0.3 is asked (0)
    assert count_queries(np.array([0.5, 0.9, 0.2, 0.1, 0.3]), 0.4) == (3, 0.0)


def test_a_wrong_answer_spoils_what_is_inferred():
    rng = np.random.default_rng(0)
    points = np.array([0.5, 0.6, 0.9, 0.2])
    # every answer is wrong: 0.5 is taken for a 0, then 0.6 and 0.9 too; 0.2 is inferred, rightly
    assert count_queries(points, 0.4, 1.0, rng) == (3, 0.0)
    # 0.2 is taken for a 1, and everything behind it is inferred: 0.3 wrongly
    assert count_queries(np.array([0.2, 0.3, 0.5]), 0.4, 1.0, rng) == (1, 0.5)
