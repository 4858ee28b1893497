"""The name of `lal.integrations` in the first release; importing it warns."""

import sys
import warnings

from lal import integrations

warnings.warn(
    "lal.hosts is now lal.integrations; the old name goes with the next release",
    DeprecationWarning,
    stacklevel=2,
)
sys.modules[__name__] = integrations
