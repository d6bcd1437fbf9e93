"""What a client of `pocketrec serve` says, as inputs of a retrieval SavedModel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import InputError
from ...core.queries.query import Catalogue

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A film of a history: its id or its title, and stars where any were given."""

    id: str | None
    title: str | None
    stars: float | None


class Questions:
    """From what a client says to the inputs of a retrieval SavedModel, by the rules of `pocketrec recommend`.

    Unlike there, an unknown title comes back without the nearest ones: looking for those takes longer than the answer.
    """

    def __init__(self, names: Catalogue, titles: Sequence[str], rating_range: Sequence[float]) -> None:
        self.names, self._range = names, (float(rating_range[0]), float(rating_range[1]))
        self._by_id = {item: number for number, item in enumerate(names.items)}
        self._by_title = {title: number for number, title in reversed(list(enumerate(titles)))}
        self._users = frozenset(names.users)
        short = {token.partition(":")[2].casefold(): token for token in names.preferences}
        self._preferences = {token.casefold(): token for token in names.preferences} | short

    def of_user(self, user: str) -> Inputs:
        """Inputs for a known user: `user_id` string[1].

        Raises:
            InputError: nobody of that id.
        """
        if user not in self._users:
            raise InputError(
                "user", expected=f"one of {len(self._users)} known users", given=repr(user), do="name another"
            )
        return {"user_id": [user.encode()]}

    def of_history(
        self, history: Sequence[Entry], preferences: Sequence[str], *, skip_unknown: bool = False
    ) -> tuple[Inputs, list[str]]:
        """Inputs for a history, oldest first, and preferences: `watched` string[1, w], `declared` string[1, p]; and notes.

        Raises:
            InputError: an unknown id, title (left out instead with `skip_unknown`) or preference, stars out of range, or nothing
                known at all.
        """
        found, notes = [], []
        for place, entry in enumerate(history):
            number = self._item(entry)
            if number is not None:
                self._check_stars(place, entry)
                found.append(number)
            elif skip_unknown:
                notes.append(f"left out {entry.id or entry.title!r}: not in the catalogue")
            else:
                what, name = ("id", entry.id) if entry.id is not None else ("title", entry.title)
                raise InputError(
                    f"history[{place}]", expected=f"{'an' if what == 'id' else 'a'} {what} of the catalogue", given=repr(name),
                    do='leave it out, or pass "skip_unknown": true',
                )  # fmt: skip
        declared = [self._preference(place, text) for place, text in enumerate(preferences)]
        seen = list(dict.fromkeys(found))
        if len(seen) < len(found):
            notes.append(f"{len(found) - len(seen)} films were named more than once; the last stars count")
        if len(seen) > self.names.window:
            notes.append(f"{len(seen)} films given; the newest {self.names.window} count")
        if not seen and not declared:
            raise InputError("question", expected="at least one known film or preference", given="none", do="name one")
        watched = [self.names.items[item].encode() for item in seen[-self.names.window :]]
        return {"watched": [watched or [b""]], "declared": [[token.encode() for token in declared] or [b""]]}, notes

    def _item(self, entry: Entry) -> int | None:
        return self._by_id.get(entry.id) if entry.id is not None else self._by_title.get(entry.title or "")

    def _check_stars(self, place: int, entry: Entry) -> None:
        low, high = self._range
        if entry.stars is not None and not low <= entry.stars <= high:
            raise InputError(
                f"history[{place}].stars",
                expected=f"{low:g} to {high:g}",
                given=entry.stars,
                do="choose stars in that range",
            )

    def _preference(self, place: int, text: str) -> str:
        token = self._preferences.get(text.casefold())
        if token is None:
            raise InputError(
                f"preferences[{place}]",
                expected="a genre or another declared preference",
                given=repr(text),
                do="leave it out",
            )
        return token
