from dataclasses import replace

import numpy as np
import pytest
from pocketrec.benchmarks.catalogues.cost_model import bytes_moved, cost_models, fit_cost, through_heap
from pocketrec.convert.retrieval.search_graphs import block_size
from pocketrec.core.records.latency import LatencyRow

SIZES = (10_000, 100_000, 1_000_000)


def row(form, n_items, runtime="litert-2.3.0", settings=None, p50=1.0):
    return LatencyRow(
        subject="tflite",
        runtime=runtime,
        threads=1,
        form=form,
        n_items=n_items,
        dimension=32,
        k=100,
        settings=settings or {},
        p50_us_by_process=[2 * p50, p50],
    )


def made_up(sizes, fixed=20.0, gb_s=25.0, top_k_ns=1.3, runtime="litert-2.3.0"):
    """Rows whose times follow the model exactly."""
    rows = []
    for form in ("full_scan", "two_stage"):
        for n in sizes:
            settings = {"block_size": block_size(n, 100)} if form == "two_stage" else {}
            bare = row(form, n, runtime, settings)
            time = fixed + bytes_moved(bare) / (gb_s * 1e3) + top_k_ns * through_heap(bare) / 1e3
            rows.append(row(form, n, runtime, settings, time))
    return rows


def models(rows):
    return cost_models(rows, {row.n_items: 25.0 for row in rows})


def test_known_coefficients_are_recovered():
    (model,) = models(made_up(SIZES))
    assert model.fixed_us == pytest.approx(20) and model.bandwidth_gb_s == pytest.approx(25)
    assert model.top_k_ns_per_element == pytest.approx(1.3) and model.max_residual < 1e-9
    assert len(model.residuals) == 6
    # Time for bytes alone would be all of reading; the heap and the fixed part leave less.
    assert all(0 < one.rows_of_reading < one.moved_of_reading < 1 for one in model.residuals)


def test_noise_moves_them_little_and_shows_in_the_residuals():
    rng = np.random.default_rng(0)
    rows = [
        replace(row, p50_us_by_process=[row.p50_us_by_process[1] * (1 + 0.02 * rng.standard_normal())])
        for row in made_up((5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000))
    ]
    (model,) = models(rows)
    assert model.bandwidth_gb_s == pytest.approx(25, rel=0.1)
    assert model.top_k_ns_per_element == pytest.approx(1.3, rel=0.2)
    assert 0.005 < model.max_residual < 0.08


def test_coefficients_are_never_negative():
    moved, n = np.array([1e5, 1e6, 1e7, 4e7]), np.array([1e3, 1e4, 1e5, 1e5])
    fixed, per_byte, per_score = fit_cost(moved, n, np.array([50.0, 49.0, 48.0, 47.0]))
    assert fixed > 40 and per_byte == 0 == per_score


def test_one_size_is_too_little_to_fit():
    assert models(made_up((10_000,))) == []


def test_runtimes_are_fitted_apart_and_other_forms_left_out():
    sizes = (10_000, 100_000)
    rows = [*made_up(sizes), *made_up(sizes, gb_s=5, runtime="other"), row("partitioned", 100_000, "other")]
    assert {m.runtime: round(m.bandwidth_gb_s or 0) for m in models(rows)} == {"litert-2.3.0": 25, "other": 5}
