"""Histories as batches of sequences to train on."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ...core.queries.histories import Histories


def epoch_of(
    seen: Histories, n_items: int, length: int, tokens: int, random: np.random.Generator, *, ordered: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One pass: every event of every user once, in batches of sequences of about the same length, in random order.

    A history longer than `length` is cut, each time at other places.

    Args:
        tokens: places of a batch, at most, where a sequence fits.
        ordered: keep the order of events; without it each history is shuffled, since what is held out comes between its events.

    Yields:
        Users int32[b], and items int32[b, n], oldest first; unused places, behind, hold `n_items`.
    """
    pieces = [piece for user in range(len(seen.offsets) - 1) for piece in _pieces(seen, user, length, random)]
    sizes = np.array([stop - start for _, start, stop in pieces])
    order = np.lexsort((random.random(len(pieces)), -sizes))
    batches = _batches(sizes[order], tokens)
    for number in random.permutation(len(batches)):
        first, last = batches[number]
        chosen = [pieces[place] for place in order[first:last]]
        items = np.full((len(chosen), sizes[order[first]]), n_items, np.int32)
        for row, (_, start, stop) in enumerate(chosen):
            events = seen.item[start:stop]
            items[row, : stop - start] = events if ordered else random.permutation(events)
        yield np.array([user for user, _, _ in chosen], np.int32), items


def _pieces(seen: Histories, user: int, length: int, random: np.random.Generator) -> list[tuple[int, int, int]]:
    """(user, first event, end) of the pieces of a history."""
    start, stop = int(seen.offsets[user]), int(seen.offsets[user + 1])
    if stop - start <= length:
        return [(user, start, stop)] if stop > start else []
    first = start + int(random.integers(1, length + 1))
    bounds = [start, *range(first, stop, length), stop]
    return [(user, a, b) for a, b in pairwise(bounds)]


def _batches(sizes: np.ndarray, tokens: int) -> list[tuple[int, int]]:
    """(first, end) of runs of `sizes`, which fall, of at most `tokens` places each."""
    found, first = [], 0
    while first < len(sizes):
        last = min(len(sizes), first + max(1, tokens // int(sizes[first])))
        found.append((first, last))
        first = last
    return found
