"""Rounding numbers to codes: pure functions of arrays."""

import numpy as np

LEVELS8, LEVELS4 = 127, 7
# Share of the Hessian's mean diagonal added to it: how much an element's own error counts beside the products', because rows are
# also summed over histories.
DAMPING = 0.1


def row_codes(
    table: np.ndarray, levels: int, hessian: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """Quantize rows, each under its own scale.

    The scales are codes themselves (double quantization: Dettmers et al. 2023, "QLoRA", section 3), rounded up, and the rows' codes
    are made for the rounded scale: that costs resolution, never range.

    Args:
        table: float32[n, d].
        levels: largest code, 127 for int8, 7 for int4.
        hessian: float64[d, d], mean of q q^T over representative queries q that rows will be multiplied with; without it
            every element is rounded by itself.

    Returns:
        codes int8[n, d] within +-levels, scale codes int8[n] of 1 to 127, and the step: row i is about
        `codes[i] * scale_codes[i] * step`.
    """
    needed = np.abs(table).max(axis=1, initial=0).astype(np.float64) / levels
    step = np.float32(needed.max(initial=0) / LEVELS8) or np.float32(1)
    scale_codes = np.clip(np.ceil(needed / step), 1, LEVELS8).astype(np.int8)
    scales = scale_codes.astype(np.float64) * step
    codes = table.astype(np.float64) / scales[:, None]
    if hessian is not None and hessian.any():
        codes = gptq_round(codes, levels, hessian)
    return np.clip(np.round(codes), -levels, levels).astype(np.int8), scale_codes, step


def gptq_round(codes: np.ndarray, levels: int, hessian: np.ndarray) -> np.ndarray:
    """Round columns one by one and compensate each column's error in the columns still to come.

    Products with queries like the representative ones then keep what single elements lose (GPTQ: Frantar et al. 2022, section 3;
    columns with the largest diagonal first).

    Args:
        codes: float64[n, d], not yet rounded.
        levels: largest code.
        hessian: float64[d, d].

    Returns:
        float64[n, d], whole numbers within +-levels.
    """
    damped = hessian + DAMPING * np.mean(np.diag(hessian)) * np.eye(len(hessian))
    order = np.argsort(-np.diag(damped), kind="stable")
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left, rounded = codes[:, order], np.empty_like(codes)
    for j in range(left.shape[1]):
        rounded[:, order[j]] = np.clip(np.round(left[:, j]), -levels, levels)
        error = (left[:, j] - rounded[:, order[j]]) / upper[j, j]
        left[:, j + 1 :] -= error[:, None] * upper[j, j + 1 :]
    return rounded


def affine_codes(values: np.ndarray) -> tuple[np.ndarray, np.float32, int]:
    """int8 codes of numbers, their scale and zero point: value is about (code - zero point) * scale; 0 is kept exactly."""
    scale, zero_point = affine(float(values.min(initial=0)), float(values.max(initial=0)))
    return np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8), scale, zero_point


def affine(low: float, high: float) -> tuple[np.float32, int]:
    """Scale and zero point by which int8 covers a range, 0 exactly (Jacob et al. 2018, section 2.1)."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255) or np.float32(1)
    return scale, int(np.clip(np.round(-128 - low / float(scale)), -128, 127))
