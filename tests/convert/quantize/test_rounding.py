"""Rounding: codes and scales as promised."""

import numpy as np
import pytest
from pocketrec.convert.quantize.rounding import affine, row_codes


@pytest.mark.parametrize("levels", [127, 7])
def test_codes_times_scales_are_within_half_a_step_of_every_element(levels):
    rng = np.random.default_rng(0)
    table = (rng.normal(size=(300, 33)) * rng.uniform(0.05, 2, size=(300, 1))).astype(np.float32)
    codes, scale_codes, step = row_codes(table, levels)
    scales = scale_codes.astype(np.float64) * step
    assert np.abs(codes).max() <= levels and scale_codes.min() >= 1
    assert (np.abs(codes * scales[:, None] - table) <= scales[:, None] * 0.5001).all()
    assert (scales >= np.abs(table).max(axis=1) / levels * 0.9999).all()


def test_rows_of_zeros_and_single_numbers_are_kept():
    codes, scale_codes, step = row_codes(np.zeros((3, 4), np.float32), 127)
    assert not codes.any() and (scale_codes >= 1).all() and step > 0
    codes, scale_codes, step = row_codes(np.array([[0, 0], [2, -2]], np.float32), 7)
    np.testing.assert_allclose(codes[1].astype(float) * scale_codes[1] * step, [2, -2], rtol=1e-6)


def test_gptq_rounding_keeps_products_with_representative_queries():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(400, 24)).astype(np.float32)
    queries = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 24))
    hessian = queries.T @ queries / len(queries)

    def error(*arguments):
        codes, scale_codes, step = row_codes(table, 7, *arguments)
        rows = codes * (scale_codes.astype(np.float64) * step)[:, None]
        return np.sqrt(np.mean((queries @ (rows - table).T) ** 2))

    assert error(hessian) < 0.5 * error()


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"), [(0.0, 2.55, 0.01, -128), (-1.0, 1.55, 0.01, -28), (0.0, 0.0, 1.0, -128)]
)
def test_affine_grids_hold_their_range_and_zero(low, high, scale, zero):
    assert affine(low, high) == (pytest.approx(scale), zero)
