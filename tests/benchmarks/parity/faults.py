"""Faults that tests plant, and the measure that catches each; docs/parity.md shows the same table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pocketrec.convert.flatbuffer.operators import GraphEditor
from pocketrec.convert.other_converters import OTHERS, Source
from pocketrec.convert.stage import convert_run
from pocketrec.core.files.hashing import sha256_bytes
from pocketrec.core.queries.model_inputs import FEEDS
from pocketrec.core.records.variants import Variant
from pocketrec.core.run_dir import Run
from pocketrec.runtimes.runtimes import CURRENT_RUNTIME, RUNTIMES

from tests.variants import change_variants

OLDEST_RUNTIME = next(iter(RUNTIMES))
# Items that a retriever returns here.
K = 10


@dataclass(frozen=True)
class Planted:
    """A run that a fault may damage: its variants are cut to the one that is judged."""

    run: Run
    monkeypatch: pytest.MonkeyPatch

    @property
    def variant(self) -> Variant:
        (variant,) = self.run.variants
        return variant

    @property
    def file(self) -> Path:
        return self.run.converted / self.variant.file

    @property
    def n_rows(self) -> int:
        """Rows of a table of items: the vocabulary, and one for unknown items."""
        return len((self.run.trained / "vocabularies" / "items.txt").read_text().splitlines()) + 1

    def rewrite(self, data: bytes) -> None:
        """Another file in the variant's place, recorded as if it had been converted."""
        self.file.write_bytes(data)
        change_variants(self.run, lambda known: [replace(known[0], sha256=sha256_bytes(data))])

    def feed(self, name: str, make: Callable) -> None:
        """Make an input in another way."""
        self.monkeypatch.setitem(FEEDS, name, make)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong without an error.

    Attributes:
        name: as the documentation names it.
        caught_by: metrics, or edge cases, that catch it.
        graph, recipe: of the variant it is planted in.
        plant: does it.
        refresh: whether it changes what the SavedModels are asked.
        runtime: where it is seen.
        harmless_on: a runtime on which nothing is wrong.
    """

    name: str
    caught_by: tuple[str, ...]
    graph: str
    recipe: str
    plant: Callable[[Planted], None]
    refresh: bool = False
    runtime: str = CURRENT_RUNTIME
    harmless_on: str | None = None


def swap_vocabulary_rows(planted: Planted) -> None:
    """The two most rated items change places after training."""
    path = planted.run.trained / "vocabularies" / "items.txt"
    lines = path.read_text().splitlines()
    lines[0], lines[1] = lines[1], lines[0]
    path.write_text("\n".join(lines) + "\n")


def window(values: np.ndarray, padding: int, length: int) -> np.ndarray:
    row, kept = np.full(length, padding, np.int32), values[-length:]
    row[length - len(kept) :] = kept
    return row


def shift_ids(planted: Planted) -> None:
    def shifted(query, names):
        return window((query.seen + 1) % len(names.items), len(names.items), names.window)

    planted.feed("history", shifted)


def pad_with_a_real_item(planted: Planted) -> None:
    planted.feed("history", lambda query, names: window(query.seen, 0, names.window))


def map_unknown_to_a_real_item(planted: Planted) -> None:
    def known(query, names):
        seen = np.where(query.seen < len(names.items), query.seen, 0)
        return window(seen, len(names.items), names.window)

    planted.feed("history", known)


def reverse_history(planted: Planted) -> None:
    def backwards(query, names):
        return window(query.seen[-names.window :][::-1], len(names.items), names.window)

    planted.feed("history", backwards)


def ignore_the_mask(planted: Planted) -> None:
    planted.feed("seen", lambda query, names: np.zeros(len(names.items), bool))


def corrupt_one_scale(planted: Planted) -> None:
    """The scale of one row of the items' table becomes the largest there is."""
    editor, n_rows = GraphEditor(planted.file.read_bytes()), planted.n_rows
    scales = next(
        index
        for index in range(len(editor.graph.tensors))
        if (found := editor.constant(index)) is not None and found.shape == (n_rows, 1) and found.dtype == np.int8
    )
    buffer = editor.model.buffers[editor.tensor(scales).buffer]
    buffer.data = np.array(buffer.data)
    buffer.data[np.argmin(buffer.data[:-1])] = 127
    planted.rewrite(editor.pack())


def roll_candidates(planted: Planted) -> None:
    path = planted.run.trained / "candidates.npy"
    np.save(path, np.roll(np.load(path), 1, axis=0))
    convert_run(planted.run, graphs=[planted.variant.graph], recipes=[planted.variant.recipe], k=K)


def permute_tables(planted: Planted) -> None:
    editor, n_rows, n_changed = GraphEditor(planted.file.read_bytes()), planted.n_rows, 0
    for index in range(len(editor.graph.tensors)):
        values = editor.constant(index)
        if values is not None and values.ndim == 2 and len(values) == n_rows:
            buffer = editor.model.buffers[editor.tensor(index).buffer]
            buffer.data = np.random.default_rng(0).permutation(values).view(np.uint8).reshape(-1)
            n_changed += 1
    assert n_changed, "no table of items was found"
    planted.rewrite(editor.pack())


def convert_per_channel(planted: Planted) -> None:
    """A file of another converter, whose scales the oldest runtime does not read, under the name of one of ours."""
    plain = planted.run.converted / planted.variant.file.replace(planted.variant.recipe, "float32")
    source = Source(planted.run.root, "serving_default", plain.read_bytes())
    planted.rewrite(OTHERS["litert-quantizer dynamic_wi8_afp32"](source, {}))


UNKNOWN_EDGES = ("only unknown items", "unknown items between")
FAULTS = [
    Fault("two vocabulary rows swapped", ("max_abs_diff",), "retriever", "float32", swap_vocabulary_rows, refresh=True),
    Fault(
        "two vocabulary rows swapped",
        ("max_diff_of_range",),
        "retriever",
        "dynamic_int8",
        swap_vocabulary_rows,
        refresh=True,
    ),
    Fault("ids off by one", ("top_k_overlap",), "retriever", "dynamic_int8", shift_ids),
    Fault("unknown mapped to a real row", ("top_k_overlap",), "retriever", "dynamic_int8", pad_with_a_real_item),
    Fault("history reversed", ("top_k_overlap",), "retriever", "float32", reverse_history),
    Fault("seen mask ignored", ("seen_returned",), "retriever", "dynamic_int8", ignore_the_mask),
    Fault("one row's scale corrupted", ("max_diff_of_range",), "retriever", "dynamic_int8", corrupt_one_scale),
    Fault("stale `candidates.npy`", ("top_k_overlap",), "retriever", "dynamic_int8", roll_candidates),
    Fault("tables of another run", ("kendall_tau",), "ranker", "dynamic_int8", permute_tables),
    Fault(
        "mislabelled per-channel file",
        ("top_k_overlap",),
        "retriever",
        "dynamic_int8",
        convert_per_channel,
        runtime=OLDEST_RUNTIME,
        harmless_on=CURRENT_RUNTIME,
    ),
    Fault(
        "unknown items of a history mapped to a real row",
        UNKNOWN_EDGES,
        "retriever",
        "float32",
        map_unknown_to_a_real_item,
    ),
]
