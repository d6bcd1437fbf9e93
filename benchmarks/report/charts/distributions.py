"""Raw samples as letter values (Hofmann, Wickham and Kafadar 2017): the middle half of the calls, three quarters, and so on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....core.errors import InputError
from ...latency.case_kinds import kind_of, name_of, usual
from ..presentation import duration, significant
from ..vega import INK, Size, Spec, draw, kind_colour, microseconds, present
from .figure import Figure, span

Row = Mapping[str, Any]
_BEYOND = 5  # calls that lie beyond the outermost box on either side, at least


def read_samples(folder: Path, row: Row) -> np.ndarray | None:
    """Sorted microseconds, pooled over processes; None where the row names no file, or the file was not copied along.

    Raises:
        InputError: the file is there and cannot be read, or holds no `samples_ns`.
    """
    if not row.get("samples_file") or not (path := folder / row["samples_file"]).is_file():
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


def distributions(results: list[Row], folder: Path) -> Figure | None:
    """Letter values of every subject of the run's own catalogue whose samples are there.

    Raises:
        InputError: a file of samples is truncated.
    """
    everything = [(row, read_samples(folder, row)) for row in results]  # those that are not drawn may be truncated too
    drawn = usual(results)
    found = [(row, samples) for row, samples in everything if any(row is one for one in drawn)]
    read = [(row, samples) for row, samples in found if samples is not None and len(samples)]
    if not read:
        return None
    boxes, dots, table = [], [], []
    for row, samples in read:
        about = {"kind": kind_of(row), "name": _short(row), "group": row["graph"] or "server"}
        letters = letter_values(samples)
        tail = f"p99 {duration(row['p99_us'])}, slowest {duration(samples[-1])}"
        said = f"{name_of(row)}, {row['runtime']}, {len(samples):,} calls: p50 {duration(row['p50_us'])}, {tail}"
        boxes += [
            {**about, "low": low, "high": high, "depth": depth, "said": said}
            for depth, (_, low, high) in enumerate(letters)
        ]
        dots.append(
            {
                **about,
                "p50": row["p50_us"] or float(np.median(samples)),
                "low": float(samples[0]),
                "max": float(samples[-1]),
                "said": said,
            }
        )
        table.append(
            [
                name_of(row),
                row["runtime"],
                f"{len(samples):,}",
                duration(letters[-1][1]),
                duration(row["p50_us"]),
                duration(letters[-1][2]),
                duration(row["p90_us"]),
                duration(row["p99_us"]),
                duration(samples[-1]),
                str(row["samples_file"]),
            ]
        )
    groups = list(dict.fromkeys(dot["group"] for dot in dots))

    def spec(size: Size) -> Spec:
        low, high = span([*(b["low"] for b in boxes), *(d["max"] for d in dots)], 1.15)
        pick = lambda rows, group: [row for row in rows if row["group"] == group]  # noqa: E731
        panels = [
            _panel(group, pick(boxes, group), pick(dots, group), (low, high), size, present(dots)) for group in groups
        ]
        return {
            "concat": panels,
            "columns": size.columns(2),
            "resolve": {"scale": {"x": "independent", "y": "independent"}},
        }

    missing = len(found) - len(read)
    said = _said([row for row, _ in read]) + (
        f" {missing} subjects left out: no samples beside this latency.json." if missing else ""
    )
    return Figure(
        "distributions",
        "Distributions of single calls",
        said,
        "samples/*.npz named by latency.json results[].samples_file",
        ("subject", "runtime", "calls", "lower quarter", "p50", "upper quarter", "p90", "p99", "slowest", "file"),
        table,
        draw("distributions", spec),
    )


def _short(row: Row) -> str:
    """A label under its graph's heading: the recipe with the runtime's initial, or the server's own name."""
    if row["subject"] != "tflite":
        return name_of(row)
    more = f" {row['threads']}t" if (row.get("threads") or 1) > 1 else ""
    runtime = row["runtime"].replace("-runtime", "").replace("-", " ")
    return f"{row['recipe'] or row['graph']}{more} · {runtime}"


def _panel(
    group: str, boxes: list[Any], dots: list[Any], bounds: tuple[float, float], size: Size, kinds: list[str]
) -> Spec:
    low, high = bounds
    x = microseconds(None, low, high, tight=True)
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 190, "minExtent": 186, "domain": False, "ticks": False},
    }
    colour = kind_colour(kinds, size.columns(4))
    most = max(box["depth"] for box in boxes)
    height = {
        "field": "depth",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, most], "range": [2, 10]},
    }
    opacity = {
        "field": "depth",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, most], "range": [0.35, 0.75]},
    }
    return {
        "title": group,
        "width": size.width // 2 - 215 if size.is_wide else size.width - 200,
        "height": {"step": 15},
        "layer": [
            {
                "data": {"values": boxes},
                "mark": {"type": "rule", "strokeCap": "butt", "aria": False},
                "encoding": {
                    "y": y,
                    "x": {"field": "low", **x},
                    "x2": {"field": "high"},
                    "color": colour,
                    "strokeWidth": height,
                    "opacity": opacity,
                },
            },
            {
                "data": {"values": dots},
                "mark": {"type": "rule", "strokeWidth": 12, "opacity": 0},
                "encoding": {
                    "y": y,
                    "x": {"field": "low", **x},
                    "x2": {"field": "max"},
                    "description": {"field": "said"},
                },
            },
            {
                "data": {"values": dots},
                "mark": {"type": "tick", "aria": False, "thickness": 1.6, "height": 12, "color": INK},
                "encoding": {"y": y, "x": {"field": "p50", **x}},
            },
            {
                "data": {"values": dots},
                "mark": {"type": "point", "aria": False, "size": 9, "filled": True, "opacity": 0.9},
                "encoding": {"y": y, "x": {"field": "max", **x}, "color": colour},
            },
        ],
    }


def _said(rows: list[Row]) -> str:
    tails = [(row["p99_us"] / row["p50_us"], row) for row in rows if row["p99_us"] and row["p50_us"]]
    if not tails:
        return "The samples support no 99th percentile."
    ratios = sorted(ratio for ratio, _ in tails)
    worst, row = max(tails, key=lambda item: item[0])
    return (
        f"Half of all subjects have a p99 within {significant(ratios[len(ratios) // 2], 2)} times their median; the longest "
        f"tail is {name_of(row)} on {row['runtime']}, p99 {significant(worst, 2)} times its median. "
        "Thick: the middle half of the calls; each thinner bar half of what is left; tick: median; dot: the slowest call."
    )
