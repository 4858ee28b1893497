"""The folders of further data."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def further_data() -> Path:
    default = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("LAL_DATA", default))
    if not (folder / "dev" / "manifest.json").is_file():
        pytest.skip("the development data sets are not here; set LAL_DATA to their folder")
    return folder
