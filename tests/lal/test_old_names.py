"""Names of the first release that people import still lead to what they meant."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lal.hosts.numpy_loop:label_loop", "lal.integrations.numpy_loop:label_loop"),
        ("lal.features.stream:StreamItem", "lal.streams.features:StreamItem"),
    ],
)
def test_old_import_works_and_warns(old, new):
    (old_module, name), new_module = old.split(":"), new.split(":")[0]
    code = (
        "import warnings\nwith warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        f"    from {old_module} import {name} as old\n"
        f"from {new_module} import {name} as new\n"
        "assert old.__qualname__ == new.__qualname__\n"
        f"assert any('{new_module.rsplit('.', 1)[0]}' in str(w.message) for w in caught)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
