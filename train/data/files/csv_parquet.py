"""Streaming columns of a CSV or Parquet file."""

import contextlib
import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ....core.errors import InputError
from .arrow import pa, pa_csv, pa_parquet
from .columns import SUFFIXES, is_table
from .tally import Tally

# About a million ratings a batch, so that its dictionaries are few and large.
_BLOCK_BYTES = 32 << 20
_BATCH_ROWS = 1 << 20


@dataclass(frozen=True)
class Table:
    """A CSV or Parquet file whose header was read.

    Attributes:
        names: its columns.
        delimiter: what separates them; '' in Parquet.
    """

    path: Path
    names: list[str]
    delimiter: str

    def batches(self, wanted: list[str], tally: Tally) -> Iterator[list[pa.Array]]:
        """Stream the columns `wanted`, about a million rows per batch; those of a CSV are text, null where empty."""
        if not self.delimiter:
            with pa_parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(wanted))):
                    yield [batch.column(batch.schema.names.index(name)) for name in wanted]
            return
        places = [str(self.names.index(name)) for name in wanted]
        with pa.input_stream(str(self.path), compression="gzip" if _is_gzip(self.path) else None) as stream:
            for batch in self._csv(stream, list(dict.fromkeys(places)), tally):
                yield [batch.column(place) for place in places]

    def _csv(self, stream: pa.NativeFile, places: list[str], tally: Tally) -> Iterator[pa.RecordBatch]:
        def skip(row: pa_csv.InvalidRow) -> str:
            tally.reject_malformed(row.number - 1, row.text)
            return "skip"

        return pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                use_threads=False,  # with threads a malformed row does not know its number
                block_size=_BLOCK_BYTES,
                column_names=[str(i) for i in range(len(self.names))],  # a header may name columns twice
                skip_rows_after_names=1,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=places,
                column_types=dict.fromkeys(places, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )


def open_table(path: Path) -> Table:
    """Open a CSV or Parquet file, chosen by its name, and read its header.

    Raises:
        InputError: no such file, it is empty, its name has another ending, or its content is of another kind.
    """
    if not path.is_file():
        given = "a directory" if path.is_dir() else "no such file"
        raise InputError(
            str(path), expected="a CSV or Parquet file", given=given, do="check the path", code="INPUT_MISSING"
        )
    if not is_table(path.name):
        expected = f"a name that ends in {', '.join(SUFFIXES)}"
        raise InputError(
            str(path), expected=expected, given=path.name, do="rename or convert it", code="INPUT_UNREADABLE"
        )
    with readable(path):
        if path.stat().st_size == 0:
            raise _empty(path)
        if path.name.lower().endswith(".parquet"):
            return Table(path, pa_parquet.read_schema(path).names, "")
        return Table(path, *_header(path))


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading `path` may raise into an InputError with code INPUT_UNREADABLE."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
            expected, do = "UTF-8 text", "save it as UTF-8"
        elif "straddles" in str(error):
            expected, do = f"rows below {_BLOCK_BYTES:,} bytes", "look for a quote that is never closed"
        else:
            expected, do = "a readable CSV or Parquet file", "check what it is, or write it again"
        given = f"unreadable ({str(error)[:200]})"
        raise InputError(str(path), expected=expected, given=given, do=do, code="INPUT_UNREADABLE") from error


def _empty(path: Path) -> InputError:
    return InputError(
        str(path),
        expected="a table",
        given="an empty file",
        do="check how it was written",
        code="INPUT_UNREADABLE",
    )


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _header(path: Path) -> tuple[list[str], str]:
    with gzip.open(path) if _is_gzip(path) else path.open("rb") as stream:
        start = stream.read(1 << 20)
    if not start.strip():
        raise _empty(path)
    if b"\0" in start or start.startswith((b"PK\3\4", b"PAR1", b"\x1f\x8b")):
        raise InputError(
            str(path),
            expected="UTF-8 text with a header line",
            given="binary data",
            do="save it as UTF-8 CSV",
            code="INPUT_UNREADABLE",
        )
    first, *rest = re.split(rb"[\r\n]", start, maxsplit=1)
    if not b"".join(rest).strip():
        raise InputError(
            str(path),
            expected="rows",
            given="a header and no rows",
            do="check how it was written",
            code="RATINGS_INVALID",
        )
    line = first.decode("utf-8-sig")
    usual = "\t" if path.name.lower().endswith(".tsv") else ","
    split = {delimiter: next(csv.reader([line], delimiter=delimiter), []) for delimiter in (usual, *",;|\t")}
    delimiter = usual if len(split[usual]) > 1 else max(split, key=lambda each: len(split[each]))
    return [name.strip() for name in split[delimiter]], delimiter
