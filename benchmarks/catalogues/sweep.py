"""What a sweep over catalogue sizes measures: its sizes, and the catalogue and queries in a space of the wanted width."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...core.errors import InputError
from ...core.queries.held_out import HeldOut
from ...core.run_dir import Run
from ..latency.latency_queries import latency_queries
from ..latency.stage import results_per_call
from ..parity.reference import load_reference
from .synthetic_catalogue import Mixture, fit_mixture, projection

# A .tflite file addresses its bytes with 31 bits.
_MOST_BYTES = 2**31 - 2**20
# The run's own catalogue is the first size of a sweep, unless it is too small for partitions to mean anything.
LEAST_OWN = 1_000


@dataclass(frozen=True)
class Sweep:
    """What every size of a sweep has in common.

    Attributes:
        own: float32[n, d], the run's own catalogue in the space of the sweep.
        mixture: what larger catalogues are drawn from.
        queries: float32[q, d], those that are measured.
        representative: float32[m, d], those that searches are set up with.
        sizes: catalogue sizes, rising; that of `own` is the run itself.
    """

    own: np.ndarray
    mixture: Mixture
    queries: np.ndarray
    representative: np.ndarray
    sizes: list[int]
    k: int
    seed: int


def prepare_sweep(run: Run, items: Iterable[int], dimension: int | None, seed: int) -> Sweep:
    """Check sizes and width, and bring catalogue and queries into the space of the sweep.

    Args:
        items: sizes of the synthetic catalogues.
        dimension: width of the space; None for the run's own.
        seed: of the mixture.

    Raises:
        InputError: a size or the width is out of range.
    """
    data, trained = HeldOut(run), np.load(run.trained / "candidates.npy")
    k = results_per_call(run.variants, len(data.items))
    width = trained.shape[1] if dimension is None else dimension
    to_space = projection(trained, width)
    sizes = check_sizes(items, len(trained), k, width)
    vectors = load_reference(run, data)["query"]
    measured = latency_queries(data).rows
    others = np.setdiff1d(np.arange(len(vectors)), measured)
    own = trained @ to_space
    return Sweep(
        own=own,
        mixture=fit_mixture(own, seed),
        queries=vectors[measured] @ to_space,
        representative=vectors[others if len(others) else measured] @ to_space,
        sizes=sizes if len(own) < LEAST_OWN else sorted({len(own), *sizes}),
        k=k,
        seed=seed,
    )


def check_sizes(items: Iterable[int], n_trained: int, k: int, dimension: int) -> list[int]:
    """The sizes, smallest first, each once.

    Raises:
        InputError: too small or too large.
    """
    sizes, most = sorted(set(items)), _MOST_BYTES // (4 * dimension)
    for size in sizes:
        if size < k:
            expected, do = f"{k} or more, the results per call", "choose a larger size"
        elif size < n_trained:
            expected = f"{n_trained:,} or more, the items of the run's own catalogue"
            do = "leave --items out to measure that catalogue"
        elif size > most:
            expected = f"at most {most:,} items of {dimension} float32, what a .tflite file can hold"
            do = "choose fewer, or a smaller --dimension"
        else:
            continue
        raise InputError("--items", expected=expected, given=f"{size:,}", do=do, code="VALUE_OUT_OF_RANGE")
    return sizes
