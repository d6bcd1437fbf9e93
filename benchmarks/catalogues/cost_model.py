"""The cost of a full scan: time = fixed + bytes / bandwidth + top_k_per_element * scores through a heap, fitted to measurements.

A plain scan puts every score through the heap, a two-stage top k only the blocks' maxima and k blocks: measured together they
separate two costs that grow with the catalogue alike. float32 rows would too, but no longer fit a cache that holds int8 rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ...core.records.latency import LatencyRow
from ...core.records.sweep import CostModel, CostResidual

# Bytes per item besides its codes, as LiteRT moves them: XNNPACK packs a scale, a sum of the codes and a bias with every row (12);
# the float32 score is written and read (8), and for the two-stage top k copied into blocks (8 more).
_BESIDE = {"full_scan": 20, "two_stage": 28}
_LEAST_ROWS = 4


def fit_cost(bytes_moved: np.ndarray, through_heap: np.ndarray, time_us: np.ndarray) -> tuple[float, float, float]:
    """Least squares without negative coefficients (Lawson and Hanson 1974), over relative errors: sizes span decades.

    Args:
        bytes_moved, through_heap, time_us: float64[m], one measurement each; forms that put different numbers of scores through
            a heap separate sorting from reading.

    Returns:
        fixed microseconds, microseconds per byte, microseconds per score.
    """
    from scipy.optimize import nnls

    columns = np.stack([np.ones(len(time_us)), bytes_moved, through_heap], axis=1) / np.asarray(time_us)[:, None]
    size = np.maximum(np.abs(columns).max(axis=0), 1e-300)
    found, _ = nnls(columns / size, np.ones(len(time_us)))
    fixed, a_byte, an_item = (float(value) for value in found / size)
    return fixed, a_byte, an_item


def cost_models(rows: Sequence[LatencyRow], read_gb_s: Mapping[int, float]) -> list[CostModel]:
    """One model for each runtime and number of threads with enough measurements, with its residuals.

    A form's time is the median of the fastest process: other work on the machine only ever adds.

    Args:
        rows: measured rows of latency.json.
        read_gb_s: speed of plain reading by size of the catalogue.
    """
    groups: dict[tuple[str, int | None], list[LatencyRow]] = {}
    for row in rows:
        if row.form in _BESIDE and row.p50_us_by_process:
            groups.setdefault((row.runtime, row.threads), []).append(row)
    return [_model(members, read_gb_s) for members in groups.values() if len(members) >= _LEAST_ROWS]


def bytes_moved(row: LatencyRow) -> int:
    """Bytes that a full scan reads and writes."""
    assert row.n_items is not None and row.dimension is not None and row.form is not None
    return row.n_items * (row.dimension + _BESIDE[row.form])


def through_heap(row: LatencyRow) -> int:
    """Scores that TOPK_V2 looks at."""
    assert row.n_items is not None and row.k is not None
    size = (row.settings or {}).get("block_size")
    return -(-row.n_items // size) + size * row.k if isinstance(size, int) else row.n_items


def _model(rows: Sequence[LatencyRow], read_gb_s: Mapping[int, float]) -> CostModel:
    moved, heaped = (np.array([count(row) for row in rows], np.float64) for count in (bytes_moved, through_heap))
    time = np.array([min(row.p50_us_by_process) for row in rows])  # the process least disturbed
    fixed, per_byte, per_score = fit_cost(moved, heaped, time)
    fitted = fixed + per_byte * moved + per_score * heaped
    residuals = [
        _residual(row, read_gb_s, int(moved[i]), int(heaped[i]), float(time[i]), float(fitted[i]))
        for i, row in enumerate(rows)
    ]
    return CostModel(
        runtime=rows[0].runtime,
        threads=rows[0].threads or 1,
        fixed_us=fixed,
        bandwidth_gb_s=1e-3 / per_byte if per_byte > 0 else None,
        top_k_ns_per_element=per_score * 1e3,
        max_residual=max(abs(row.residual) for row in residuals),
        residuals=residuals,
    )


def _residual(
    row: LatencyRow, read_gb_s: Mapping[int, float], moved: int, heaped: int, time_us: float, fitted_us: float
) -> CostResidual:
    assert row.form is not None and row.n_items is not None and row.dimension is not None
    plain = read_gb_s[row.n_items] * 1e3 * time_us  # bytes that plain reading would have read in the time
    return CostResidual(
        form=row.form,
        n_items=row.n_items,
        bytes_moved=moved,
        through_heap=heaped,
        p50_us=time_us,
        fitted_us=fitted_us,
        residual=time_us / fitted_us - 1,
        moved_of_reading=moved / plain,
        rows_of_reading=row.n_items * row.dimension / plain,
    )
