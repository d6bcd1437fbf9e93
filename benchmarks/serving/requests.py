"""From the names in a request to `pocketrec serve` to the inputs of a retrieval SavedModel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...core.queries.history_parsing import HistoryEntry, Labels
from ...core.queries.query import Catalogue
from ...core.queries.query_parsing import QueryParser

# Inputs of a retrieval SavedModel by name: a string each, or a row of strings or of ratings.
Inputs = dict[str, list[bytes] | list[list[bytes]] | list[list[float]]]


@dataclass(frozen=True)
class Asked:
    """A parsed request.

    Attributes:
        inputs: of the SavedModel.
        notes: what was left out or changed.
        refused: ids that are left out of the answer: what is disliked, and other items of these titles.
    """

    inputs: Inputs
    notes: list[str] = field(default_factory=list)
    refused: frozenset[str] = frozenset()


_LABELS = Labels(
    query="question",
    parts="history, dislike or preferences",
    dislike="dislike[{place}]",
    history="history[{place}]",
    rating="history[{place}].stars",
    prefer="preferences[{place}]",
    user="user",
    leave_out='leave it out, or pass "skip_unknown": true',
)


class RequestParser:
    """Parses requests by the rules of `pocketrec recommend`.

    Unlike there, an unknown title is refused without the nearest ones: looking for those takes longer than the answer.
    """

    def __init__(
        self, names: Catalogue, titles: Sequence[str], rating_range: Sequence[float], *, reads_dislikes: bool = True
    ) -> None:
        self.names = names
        self._parser = QueryParser(
            names, titles, rating_range, labels=_LABELS, reads_dislikes=reads_dislikes, suggest_nearest=False
        )

    def of_user(self, user: str) -> Asked:
        """Inputs for a known user: `user_id` string[1].

        Raises:
            InputError: an unknown user.
        """
        self._parser.user(user)
        return Asked({"user_id": [user.encode()]})

    def of_history(
        self,
        history: Sequence[HistoryEntry],
        preferences: Sequence[str],
        dislike: Sequence[HistoryEntry] = (),
        *,
        skip_unknown: bool = False,
    ) -> Asked:
        """Inputs for a history, oldest first, preferences and dislikes: `watched` string[1, w], `stars` float32[1, w] (0 for no
        rating), `declared` string[1, p].

        Raises:
            InputError: an unknown id, title (left out instead with `skip_unknown`) or preference, a rating out of range, or nothing
                known at all.
        """
        parsed = self._parser.history(history, preferences, (), dislike, skip_unknown=skip_unknown)
        seen = parsed.query.seen[-self.names.window :].tolist()
        stars = parsed.query.stars[-self.names.window :].tolist()
        watched = [self.names.items[item].encode() for item in seen]
        declared = [token.encode() for token in parsed.query.preferences]
        inputs: Inputs = {"watched": [watched or [b""]], "stars": [stars or [0.0]], "declared": [declared or [b""]]}
        return Asked(inputs, parsed.notes, frozenset(self.names.items[item] for item in parsed.disliked))
