"""Representative inputs, on which activation ranges are calibrated."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..core.errors import InputError
from ..core.queries.held_out import HeldOut
from ..core.queries.model_inputs import feeds_for
from ..core.run_dir import Run
from ..runtimes.model_file.reader import PortDict
from ..runtimes.npz_inputs import feeds_of_npz

LEAST_GIVEN = 2

# A model's input ports to packed arrays by input name (core/queries/packing.py).
Representative: TypeAlias = Callable[[Sequence[PortDict]], Mapping[str, np.ndarray]]


def training_histories(run: Run) -> Representative:
    """Training histories of a run, never held-out ones."""
    data = HeldOut(run)
    return lambda ports: feeds_for([port["name"] for port in ports], data.representative, data.catalogue)


def file_of_inputs(path: Path) -> Representative:
    """Arrays of an .npz file, for a model of any origin.

    Raises:
        InputError: when called: the file does not fit the ports, or holds fewer than `LEAST_GIVEN` queries.
    """

    def read(ports: Sequence[PortDict]) -> Mapping[str, np.ndarray]:
        feeds = feeds_of_npz(path, ports, "--representative")
        given = len(next(iter(feeds.values())))
        if given < LEAST_GIVEN:
            raise InputError(
                "--representative",
                expected=f"at least {LEAST_GIVEN} queries, better hundreds",
                given=given,
                do="take more from real traffic",
                code="INPUT_MISMATCH",
            )
        return feeds

    return read
