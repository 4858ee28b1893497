"""ContractError: an environment breaks a sentence of its contract."""

from lal.errors import LalError


class ContractError(LalError, AssertionError):
    """An environment breaks a contract; the message names it."""
