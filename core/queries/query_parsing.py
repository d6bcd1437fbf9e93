"""From names (items with ratings, preferences, genres, a user) to a query. The command, the server and bundles share these rules.

Of an item that is named more than once the last place and the last rating count, as training keeps a user's last rating of an item.
Where several items share the title that was named, the first of them enters the history and none of them is recommended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError, nearest, suggest
from .dislikes import Disliked, dislike_rating
from .history_parsing import FoundItem, History, HistoryEntry, HistoryParser, Labels
from .item_names import ItemNames
from .query import Catalogue, Query


@dataclass(frozen=True)
class ParsedQuery:
    """A query, and notes on what was left out or counted once.

    Attributes:
        disliked: items that are disliked, and others of their titles.
    """

    query: Query
    notes: list[str] = field(default_factory=list)
    disliked: tuple[int, ...] = ()


class QueryParser:
    """Parses queries against one catalogue. Indexes are built once; one parser serves many queries and threads.

    Args:
        names: vocabularies and window.
        titles: titles of the items, in id order.
        rating_range: lowest and highest rating.
        labels: what errors call the parts of a query.
        reads_dislikes: whether the query model takes ratings and counts low ones against what is alike.
        suggest_nearest: whether an unknown name is refused with the nearest ones, which takes milliseconds.
    """

    def __init__(
        self,
        names: Catalogue,
        titles: Sequence[str],
        rating_range: Sequence[float],
        *,
        labels: Labels | None = None,
        reads_dislikes: bool = True,
        suggest_nearest: bool = True,
    ) -> None:
        self.names, self.items = names, ItemNames(names.items, titles)
        self._labels, self._suggests = labels or Labels(), suggest_nearest
        self._histories = HistoryParser(self.items, rating_range, self._labels, suggest_nearest=suggest_nearest)
        of_dislikes = replace(self._labels, history=self._labels.dislike)
        self._dislikes = HistoryParser(self.items, rating_range, of_dislikes, suggest_nearest=suggest_nearest)
        self._disliked = Disliked(dislike_rating(rating_range) if reads_dislikes else None, names.window)
        self._users = {token: index for index, token in enumerate(names.users)}
        short = {token.partition(":")[2].casefold(): token for token in names.preferences}
        self._preferences = {token.casefold(): token for token in names.preferences} | short
        self._genres = {genre.casefold(): genre for genre in names.genres}

    def user(self, user: str) -> int:
        """Index of a known user.

        Raises:
            InputError: unknown (USER_UNKNOWN), or the models know no users (QUERY_UNSUPPORTED).
        """
        what, users = self._labels.user, self.names.users
        if not users:
            raise InputError(
                what,
                expected="models keyed by user id",
                given="models whose query is a history",
                do='pass --history "TITLE=RATING"',
                code="QUERY_UNSUPPORTED",
            )
        if user not in self._users:
            close = nearest(user, users) if self._suggests else []
            others = f"users look like {', '.join(users[:3])}" if self._suggests else "name another"
            do = f"did you mean {' or '.join(close)}?" if close else others
            raise InputError(
                what, expected=f"one of {len(users)} known users", given=repr(user), do=do, code="USER_UNKNOWN"
            )
        return self._users[user]

    def history(
        self,
        history: History,
        prefer: Sequence[str] = (),
        genres: Sequence[str] = (),
        dislike: Sequence[str | HistoryEntry] = (),
        *,
        skip_unknown: bool = False,
    ) -> ParsedQuery:
        """A query from a history, oldest first, declared preferences such as `Sci-Fi` or `gender:F`, genres to narrow lists to, and
        disliked items.

        A history longer than the window keeps its newest items.

        Args:
            dislike: titles or ids; see dislikes.py.
            skip_unknown: leave unknown items out, with a note, instead of refusing them.

        Raises:
            InputError: nothing given (OPTION_MISSING) or known (ITEM_UNKNOWN), models without a history (QUERY_UNSUPPORTED), an
                unknown name (ITEM_UNKNOWN, PREFERENCE_UNKNOWN, GENRE_UNKNOWN), a rating that cannot be (STARS_INVALID).
        """
        entries = list(history.items()) if isinstance(history, Mapping) else list(history)
        if not entries and not prefer and not genres and not dislike:
            raise InputError(
                self._labels.query,
                expected=self._labels.parts,
                given="none of them",
                do="pass one",
                code="OPTION_MISSING",
            )
        found, notes = self._histories.parse(entries, skip_unknown=skip_unknown)
        self._require_window()
        declared = [self._preference(place, text) for place, text in enumerate(prefer)]
        wanted = self.genres(genres)
        ratings, excluded = self._once(found, notes)
        refused, left_out = self._disliked_items(dislike, skip_unknown=skip_unknown)
        if not ratings and not declared and not wanted and not refused:
            raise InputError(
                self._labels.query,
                expected="at least one known item, dislike or preference",
                given="none",
                do="name another",
                code="ITEM_UNKNOWN",
            )
        seen = np.array(list(ratings), np.int32)
        values = np.array([0.0 if value is None else value for value in ratings.values()], np.float32)
        nothing = np.empty(0, np.int32)
        query = Query(-1, nothing, nothing.astype(np.float32), seen, values, declared, wanted, excluded)
        return self._with(query, refused, [*notes, *left_out])

    def with_dislikes(
        self, query: Query, dislike: Sequence[str | HistoryEntry], *, skip_unknown: bool = False
    ) -> ParsedQuery:
        """A known user's query with disliked items.

        Raises:
            InputError: an unknown item (ITEM_UNKNOWN), or what is no name (INPUT_INVALID).
        """
        refused, notes = self._disliked_items(dislike, skip_unknown=skip_unknown)
        return self._with(query, refused, notes)

    def _disliked_items(
        self, dislike: Sequence[str | HistoryEntry], *, skip_unknown: bool
    ) -> tuple[list[int], list[str]]:
        """Each disliked item once, at its last place, and notes. A name is taken whole: a dislike has no rating."""
        entries = [
            HistoryEntry(one) if isinstance(one, str) else one if isinstance(one, HistoryEntry) else (one,)
            for one in dislike
        ]
        found, notes = self._dislikes.parse(entries, skip_unknown=skip_unknown)
        newest = dict.fromkeys(one.item for one in reversed(found))
        return [*newest][::-1], notes

    def _with(self, query: Query, disliked: list[int], notes: list[str]) -> ParsedQuery:
        same = {other for item in disliked for other in self.items.all_titled(item)} - {*disliked}
        changed, noticed = self._disliked.applied(query, disliked, sorted(same))
        return ParsedQuery(changed, [*notes, *noticed], (*disliked, *sorted(same)))

    def genres(self, genres: Sequence[str]) -> list[str]:
        """Genres as the catalogue writes them.

        Raises:
            InputError: the models know no such genre.
        """
        for place, name in enumerate(genres):
            if name.casefold() not in self._genres:
                expected = "one of the catalogue's genres" if self._genres else "models whose items have genres"
                do = self._do(name, self.names.genres, "leave it out")
                what = self._labels.genre.format(place=place)
                raise InputError(what, expected=expected, given=repr(name), do=do, code="GENRE_UNKNOWN")
        return [self._genres[name.casefold()] for name in genres]

    def _require_window(self) -> None:
        if not self.names.window:
            raise InputError(
                self._labels.history.format(place=0),
                expected="models whose query is a history",
                given="models keyed by user id",
                do="pass --user ID",
                code="QUERY_UNSUPPORTED",
            )

    def _once(self, found: Sequence[FoundItem], notes: list[str]) -> tuple[dict[int, float | None], np.ndarray]:
        """Each item once, at its last place with its last rating; and int32[n], items that share a title that was named."""
        ratings: dict[int, float | None] = {}
        repeated, excluded = set(), set()
        for one in found:
            if one.item in ratings:
                repeated.add(one.item)
                del ratings[one.item]
            ratings[one.item] = one.rating
            if one.by_title:
                excluded.update(self.items.same_title(one.item))
        if repeated:
            notes.append(f"items named more than once: {len(repeated)}; the last place and rating count")
        if len(ratings) > self.names.window:
            notes.append(f"{len(ratings)} items given; the newest {self.names.window} count")
        return ratings, np.array(sorted(excluded - ratings.keys()), np.int32)

    def _preference(self, place: int, text: str) -> str:
        token = self._preferences.get(text.casefold())
        if token is None:
            names = [token.partition(":")[2] for token in self.names.preferences]
            raise InputError(
                self._labels.prefer.format(place=place),
                expected="a genre or another declared preference",
                given=repr(text),
                do=self._do(text, names, "leave it out"),
                code="PREFERENCE_UNKNOWN",
            )
        return token

    def _do(self, name: str, names: Sequence[str], otherwise: str) -> str:
        return suggest(name, names) if self._suggests else otherwise
