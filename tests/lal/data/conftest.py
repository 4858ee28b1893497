"""Shared pieces: a learner that only has a name, and the folders of further data."""

import os
from pathlib import Path

import pytest


class Named:
    """Stands in for a learner where only its name is looked at."""

    name = "named"

    def fit(self, X, y, *, n_classes, sample_weight=None, seed=0):
        raise AssertionError("splitting must not fit anything")


@pytest.fixture
def learner():
    return Named()


@pytest.fixture(scope="session")
def further_data() -> Path:
    default = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("LAL_DATA", default))
    if not (folder / "dev" / "manifest.json").is_file():
        pytest.skip("the development data sets are not here; set LAL_DATA to their folder")
    return folder
