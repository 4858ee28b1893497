"""The exceptions a caller may want to catch; every one is a `LalError`."""

LONGEST = 500
"""Letters of a message that repeats what a stranger wrote."""


def printable(text: object, *, longest: int = LONGEST) -> str:
    """Return text of unknown origin as one printable line: no escape sequences, no line ends.

    Args:
        text: A text, or an error whose message quotes one; it can say anything.
        longest: Letters that are kept.
    """
    said = "".join(c if c.isprintable() else "?" for c in str(text)[:longest])
    return said or type(text).__name__


def shown(value: object, *, longest: int = 80) -> str:
    """Return what a caller gave as part of a sentence: one line, whatever its type prints as."""
    return printable(" ".join(repr(value).split()), longest=longest)


def quoted(error: BaseException, *, longest: int = LONGEST) -> str:
    """Return the message of a stranger's exception as part of a sentence.

    Of one that is longer the beginning and the end: of a quoted traceback that is what was raised.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    half = longest // 2
    return said if len(said) <= longest else f"{said[:half]} [...] {said[-half:]}"


class LalError(Exception):
    """Base of all errors raised on purpose; scripts print it as one line and exit with 2."""


class UnknownNameError(LalError, KeyError):
    """A name that no registry member carries."""

    def __str__(self) -> str:
        """Return the message itself (KeyError would show its repr)."""
        return str(self.args[0]) if self.args else ""


class DataError(LalError, ValueError):
    """Samples or labels that cannot be used as they are."""


class UsageError(LalError, ValueError):
    """Arguments that contradict each other or the state of the pool."""


class PolicyFileError(LalError, ValueError):
    """A policy file that is damaged, of an unknown version, or unsafe."""


class MissingDependencyError(LalError, ImportError):
    """An optional package is not installed; the message names the install command."""


class FirewallError(LalError, PermissionError):
    """Somebody reached for a label that was not acquired or a part that is not theirs."""


class CheckError(LalError, AssertionError):
    """Something does not keep the contract of its kind; the message says which sentence of it."""


class DataWarning(UserWarning):
    """Samples or labels that may not mean what they seem to; the message says how they are read."""
