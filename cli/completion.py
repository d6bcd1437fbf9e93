"""Shell completion of the names that options take; the tables are imported only when a shell asks."""

from collections.abc import Callable, Iterator


def names_of(table: str) -> Callable[[str], Iterator[tuple[str, str]]]:
    """A completion of the names of a table, each with its summary."""

    def complete(incomplete: str) -> Iterator[tuple[str, str]]:
        from ..api.tables import names

        return ((name, summary) for name, summary in names(table).items() if name.startswith(incomplete))

    return complete


def tables(incomplete: str) -> Iterator[str]:
    """A completion of the names of the tables themselves."""
    from ..api.tables import TABLES

    return (name for name in TABLES if name.startswith(incomplete))
