"""Finding items by id or title."""

from collections.abc import Sequence
from functools import cached_property


class ItemNames:
    """The names of a catalogue's items.

    Args:
        ids: item ids in index order.
        titles: their titles; of several items with one title, the first is meant.
    """

    def __init__(self, ids: Sequence[str], titles: Sequence[str]) -> None:
        self.ids, self.titles = ids, titles
        self._by_id = {token: index for index, token in enumerate(ids)}
        self._by_title: dict[str, int] = {}
        self._repeated: dict[str, list[int]] = {}
        for index, title in enumerate(titles):
            if self._by_title.setdefault(title, index) != index:
                self._repeated.setdefault(title, []).append(index)

    @cached_property
    def _by_folded(self) -> dict[str, int]:
        return {title.casefold(): index for title, index in reversed(self._by_title.items())}

    def by_id(self, name: str) -> int | None:
        """Index of the item with this id."""
        return self._by_id.get(name)

    def by_title(self, name: str) -> int | None:
        """Index of the first item with exactly this title."""
        return self._by_title.get(name)

    def by_folded_title(self, name: str) -> int | None:
        """Index of the first item with this title, compared without case."""
        return self._by_folded.get(name.casefold())

    def same_title(self, index: int) -> list[int]:
        """The later items that share their title with the first one, `index`."""
        return self._repeated.get(self.titles[index], [])

    def all_titled(self, index: int) -> list[int]:
        """Every item with the title of this one, itself among them."""
        title = self.titles[index]
        return [self._by_title[title], *self._repeated.get(title, [])]
