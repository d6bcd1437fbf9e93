"""Representative inputs, which static quantization measures activations on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.queries.held_out import HeldOut
from ..core.queries.model_inputs import feeds_for
from ..core.run_dir import Run
from ..runtimes.npz_inputs import feeds_of_npz

LEAST_GIVEN = 2

# A file's input ports (name, shape, dtype) to arrays by input name; axis 0 indexes queries.
Representative = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, np.ndarray]]


def training_histories(run: Run) -> Representative:
    """Real training histories of a run, never held-out ones."""
    data = HeldOut(run)
    return lambda ports: feeds_for([port["name"] for port in ports], data.representative, data.catalogue)


def file_of_inputs(path: Path) -> Representative:
    """Arrays of an .npz file, for a model of any origin.

    Raises:
        InputError: when called, the file does not fit the ports, or holds fewer than `LEAST_GIVEN` queries.
    """

    def read(ports: Sequence[Mapping[str, Any]]) -> Mapping[str, np.ndarray]:
        feeds = feeds_of_npz(path, ports, "--representative")
        given = len(next(iter(feeds.values())))
        if given < LEAST_GIVEN:
            raise InputError(
                "--representative",
                expected=f"at least {LEAST_GIVEN} queries, better hundreds",
                given=given,
                do="take more from real traffic",
            )
        return feeds

    return read
