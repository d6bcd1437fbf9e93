"""Raw samples as letter values (Hofmann, Wickham and Kafadar 2017): the middle half of the calls, three quarters, and so on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ....core.errors import InputError
from ....core.records.latency import LatencyRow
from ...latency.case_kinds import kind_of, name_of, usual
from ..columns import Column
from ..presentation import count, duration, significant
from ..tables import called
from ..vega import INK, Size, Spec, kind_colour, microseconds, present, values
from .chart import Chart, Results, span

_BEYOND = 5  # calls that lie beyond the outermost box on either side, at least


def read_samples(folder: Path, row: LatencyRow) -> np.ndarray | None:
    """Sorted microseconds float64[n], pooled over processes; None where the row names no file, or the file is not there.

    Raises:
        InputError: the file is there and cannot be read, or holds no `samples_ns`.
    """
    if not row.samples_file or not (path := folder / row.samples_file).is_file():
        return None
    try:
        with np.load(path) as arrays:
            samples = arrays["samples_ns"]
    except Exception as error:  # zipfile, zlib, EOF, KeyError and ValueError all mean the same to a reader
        raise InputError(
            str(path),
            expected="an .npz with samples_ns",
            given=f"unreadable ({error or type(error).__name__})",
            do="run `pocketrec latency RUN` again",
            code="INPUT_UNREADABLE",
        ) from error
    return np.sort(samples.reshape(-1)) / 1e3


def letter_values(ordered: np.ndarray) -> list[tuple[float, float, float]]:
    """(share of the calls inside, low, high) of sorted samples, widest first; at least `_BEYOND` calls lie beyond each side."""
    deepest = math.floor(math.log2(len(ordered) / _BEYOND)) if len(ordered) >= 4 * _BEYOND else 1
    found = []
    for level in range(max(deepest, 2), 1, -1):
        tail = 0.5**level
        low, high = (float(np.quantile(ordered, q)) for q in (tail, 1 - tail))
        found.append((1 - 2 * tail, low, high))
    return found


@dataclass(frozen=True)
class Samples:
    """A case of the run's own catalogue with its raw samples.

    Attributes:
        ordered: float64[n], sorted, microseconds.
        n_missing: cases left out of the chart because their samples are not there.
    """

    row: LatencyRow
    ordered: np.ndarray
    n_missing: int

    @cached_property
    def letters(self) -> list[tuple[float, float, float]]:
        return letter_values(self.ordered)

    @property
    def about(self) -> Spec:
        return {"kind": kind_of(self.row), "name": _short(self.row), "group": self.group}

    @property
    def group(self) -> str:
        return self.row.graph or "server"

    @property
    def n_calls(self) -> int:
        return len(self.ordered)

    @property
    def slowest(self) -> float:
        return float(self.ordered[-1])

    @property
    def quarters(self) -> tuple[float, float]:
        _, low, high = self.letters[-1]
        return low, high

    @property
    def said(self) -> str:
        row = self.row
        tail = f"p99 {duration(row.p99_us)}, slowest {duration(self.slowest)}"
        return f"{name_of(row)}, {row.executor}, {self.n_calls:,} calls: p50 {duration(row.p50_us)}, {tail}"

    @property
    def boxes(self) -> list[Spec]:
        return [
            {**self.about, "low": low, "high": high, "depth": depth, "said": self.said}
            for depth, (_, low, high) in enumerate(self.letters)
        ]

    @property
    def dot(self) -> Spec:
        p50 = self.row.p50_us or float(np.median(self.ordered))
        return {**self.about, "p50": p50, "low": float(self.ordered[0]), "max": self.slowest, "said": self.said}


def _select(results: Results) -> list[Samples]:
    read = [(row, read_samples(results.folder, row)) for row in results.rows]  # what is not drawn may be truncated too
    drawn = usual(results.rows)
    found = [(row, ordered) for row, ordered in read if any(row is one for one in drawn)]
    there = [(row, ordered) for row, ordered in found if ordered is not None and len(ordered)]
    return [Samples(row, ordered, len(found) - len(there)) for row, ordered in there]


def _short(row: LatencyRow) -> str:
    """A label under its graph's heading: the recipe with the runtime, or the server's own name."""
    if not row.is_tflite:
        return name_of(row)
    more = f" {row.threads}t" if (row.threads or 1) > 1 else ""
    runtime = row.executor.replace("-runtime", "").replace("-", " ")
    return f"{row.recipe or row.graph}{more} · {runtime}"


def _spec(samples: Sequence[Samples], size: Size) -> Spec:
    boxes = [box for one in samples for box in one.boxes]
    dots = [one.dot for one in samples]
    bounds = span([*(box["low"] for box in boxes), *(dot["max"] for dot in dots)], 1.15)
    panels = []
    for group in dict.fromkeys(one.group for one in samples):
        own_boxes, own_dots = ([datum for datum in data if datum["group"] == group] for data in (boxes, dots))
        panels.append(_panel(group, own_boxes, own_dots, bounds, size, present(dots)))
    scales = {"scale": {"x": "independent", "y": "independent"}}
    return {"concat": panels, "columns": size.columns(2), "resolve": scales}


def _panel(
    group: str,
    boxes: Sequence[Spec],
    dots: Sequence[Spec],
    bounds: tuple[float, float],
    size: Size,
    kinds: Sequence[str],
) -> Spec:
    x = microseconds(None, *bounds, tight=True)
    axis = {"title": None, "labelLimit": 190, "minExtent": 186, "domain": False, "ticks": False}
    y = {"field": "name", "type": "nominal", "sort": None, "axis": axis}
    colour = kind_colour(kinds, size.columns(4))
    most = max(box["depth"] for box in boxes)
    return {
        "title": group,
        "width": size.width // 2 - 215 if size.is_wide else size.width - 200,
        "height": {"step": 15},
        "layer": [_letter_bars(boxes, x, y, colour, most), *_marks(dots, x, y, colour)],
    }


def _letter_bars(boxes: Sequence[Spec], x: Spec, y: Spec, colour: Spec, most: int) -> Spec:
    depth = {"field": "depth", "type": "quantitative", "legend": None}
    return {
        "data": values(boxes),
        "mark": {"type": "rule", "strokeCap": "butt", "aria": False},
        "encoding": {
            "y": y,
            "x": {"field": "low", **x},
            "x2": {"field": "high"},
            "color": colour,
            "strokeWidth": {**depth, "scale": {"domain": [0, most], "range": [2, 10]}},
            "opacity": {**depth, "scale": {"domain": [0, most], "range": [0.35, 0.75]}},
        },
    }


def _marks(dots: Sequence[Spec], x: Spec, y: Spec, colour: Spec) -> list[Spec]:
    """An invisible rule that says what it is, the median, and the slowest call."""
    data, span_ = values(dots), {"y": y, "x": {"field": "low", **x}, "x2": {"field": "max"}}
    median = {"type": "tick", "aria": False, "thickness": 1.6, "height": 12, "color": INK}
    slowest = {"type": "point", "aria": False, "size": 9, "filled": True, "opacity": 0.9}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeWidth": 12, "opacity": 0},
            "encoding": {**span_, "description": {"field": "said"}},
        },
        {"data": data, "mark": median, "encoding": {"y": y, "x": {"field": "p50", **x}}},
        {"data": data, "mark": slowest, "encoding": {"y": y, "x": {"field": "max", **x}, "color": colour}},
    ]


def _caption(samples: Sequence[Samples]) -> str:
    missing = samples[0].n_missing
    left_out = f" {missing} cases left out: their samples are not beside this latency.json." if missing else ""
    tails = [(one.row.p99_us / one.row.p50_us, one.row) for one in samples if one.row.p99_us and one.row.p50_us]
    if not tails:
        return f"The samples are too few for a 99th percentile.{left_out}"
    ratios = sorted(ratio for ratio, _ in tails)
    worst, row = max(tails, key=lambda item: item[0])
    return (
        f"Half of all cases have a p99 within {significant(ratios[len(ratios) // 2], 2)} times their median; the longest "
        f"tail is {name_of(row)} on {row.executor}, p99 {significant(worst, 2)} times its median. "
        "Thick: the middle half of the calls; each thinner bar half of what is left; tick: median; dot: the slowest call."
        f"{left_out}"
    )


DISTRIBUTIONS = Chart(
    name="distributions",
    title="Distributions of single calls",
    short_title="Distributions",
    command="pocketrec latency RUN",
    source="samples/*.npz named by latency.json results[].samples_file",
    select=_select,
    columns=(
        Column("subject", "row", called, is_number=False),
        Column("runtime", "row.executor", is_number=False),
        Column("calls", "n_calls", count),
        Column("lower quarter", "quarters", lambda quarters: duration(quarters[0])),
        Column("p50", "row.p50_us", duration),
        Column("upper quarter", "quarters", lambda quarters: duration(quarters[1])),
        Column("p90", "row.p90_us", duration),
        Column("p99", "row.p99_us", duration),
        Column("slowest", "slowest", duration),
        Column("file", "row.samples_file"),
    ),
    spec=_spec,
    caption=_caption,
)
