"""Data sets of OpenML by number, fetched once and kept in a folder of this machine."""

import os
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lal.data.dataset import Dataset, make_dataset
from lal.data.tables import dataset_from_frame
from lal.errors import DataError
from lal.registry import require

HOME = "LAL_OPENML"
"""Environment variable that names the folder of what was fetched."""


def openml_home() -> Path:
    """Return the folder of what was fetched; not made here."""
    return Path(os.environ.get(HOME) or Path.home() / ".cache" / "lal" / "openml")


def openml_loader(spec: str) -> Callable[[], Dataset]:
    """Return the loader of the data set with a number, for ``"openml:61"``."""
    if not spec.isdecimal():
        raise DataError(
            f"'openml:{spec}' is not a data set; expected a number, for example openml:61"
        )
    return partial(load_openml, int(spec))


def load_openml(data_id: int) -> Dataset:
    """Return a data set of OpenML with its default target.

    The answers are kept under `openml_home`, so a second look, or a copy of the folder on a
    machine without network, needs no connection.

    Raises:
        DataError: OpenML cannot be reached, or the data cannot be used for classification.
    """
    require("pandas", "tables")
    from sklearn.datasets import fetch_openml

    home = openml_home()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A network error occurred")  # said below
            bunch: Any = fetch_openml(
                data_id=data_id, as_frame=True, parser="auto", data_home=str(home), n_retries=1
            )
    except OSError as error:  # what urllib raises, too
        raise DataError(
            f"data set {data_id} cannot be fetched from OpenML ({error}); connect to the network, "
            f"or copy {str(home)!r} from a machine that has it (${HOME} names another folder)"
        ) from error
    except (ValueError, KeyError, EOFError, zlib.error) as error:  # and damaged copies
        raise DataError(f"data set {data_id} of OpenML cannot be used: {error}") from error
    return _named(bunch, data_id)


def _named(bunch: Any, data_id: int) -> Dataset:
    name = str(bunch.details.get("name", f"openml-{data_id}"))
    frame = bunch.data.assign(**{"lal target": bunch.target})
    plain = dataset_from_frame(frame, "lal target", name=name)
    return make_dataset(
        name,
        plain.X,
        plain.y,
        source=f"openml:{data_id}",
        feature_names=plain.feature_names,
        class_names=plain.class_names,
    )
