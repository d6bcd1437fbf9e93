"""The one place pyarrow is imported: `from .arrow import pa`."""

import importlib
from typing import Any, TypeAlias

from ....core.errors import InputError

try:
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pa_parquet
except ImportError as error:
    raise InputError(
        "pyarrow",
        expected="pyarrow, below 26 (26 refuses NumPy 1)",
        given=f"an import error ({error})",
        do="pip install 'pocketrec[train]'",
        code="NOT_INSTALLED",
    ) from error

Module: TypeAlias = Any
pc: Module = importlib.import_module("pyarrow.compute")  # its functions are generated when it is imported

__all__ = ["pa", "pa_csv", "pa_parquet", "pc"]
