"""The two ways a command ends that are not success: wrong input (2) and a failed check (1)."""

import difflib
from collections.abc import Container, Iterable, Sequence

from .error_codes import ERROR_CODES


class PocketrecError(Exception):
    """Base of every error a user is meant to read; the text is one line.

    Attributes:
        code: a key of `ERROR_CODES`.
        exit_code: process exit status the command ends with.
    """

    exit_code = 2

    def __init__(self, text: str, *, code: str) -> None:
        assert code in ERROR_CODES, code
        super().__init__(" ".join(text.split()))
        self.code = code


class InputError(PocketrecError):
    """Input or usage is wrong: says what was expected, what was given and what to do. Exit status 2."""

    def __init__(self, what: str, *, expected: str, given: object, do: str, code: str) -> None:
        super().__init__(f"{what}: expected {expected}, got {given}; {do}", code=code)


class CheckFailed(PocketrecError):
    """A gate, a verification or a reload comparison failed. Exit status 1."""

    exit_code = 1

    def __init__(self, text: str, *, code: str) -> None:
        super().__init__(text, code=code)


def nearest(name: str, names: Iterable[str], n: int = 3) -> list[str]:
    """Up to `n` of `names` that resemble `name`, best first, compared without case."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=n, cutoff=0.4)
    inside = [folded for folded in by_folded if len(name) > 3 and name.casefold() in folded and folded not in close]
    return [by_folded[folded] for folded in (close + sorted(inside, key=len))[:n]]


def suggest(name: str, names: Sequence[str]) -> str:
    """What to do about an unknown name: the nearest ones, if any resemble it."""
    close = nearest(name, names)
    return f"did you mean {' or '.join(repr(n) for n in close)}?" if close else "nothing resembles it"


def pick(what: str, name: str, table: Iterable[str]) -> str:
    """Return `name` if `table` holds it.

    Raises:
        InputError: it does not; the line lists the valid names and the nearest one.
    """
    names = list(table)
    if name in names or (isinstance(table, Container) and name in table):
        return name
    hint = nearest(name, names, n=1)
    do = f"did you mean {hint[0]}?" if hint else f"choose one of {', '.join(names)}"
    raise InputError(what, expected=f"one of {', '.join(names)}", given=repr(name), do=do, code="NAME_UNKNOWN")
