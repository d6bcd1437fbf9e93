from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write text, bytes or, from a dict of columns, Parquet; returns the path."""

    def write(content: str | bytes | dict[str, object], name: str = "ratings.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, dict):
            pyarrow.parquet.write_table(pa.table(content), path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
