"""What trained retrievers leave for an app: item vectors with popularity as their last element."""

import numpy as np


def with_bias(items: np.ndarray, bias: np.ndarray, rated: np.ndarray) -> dict[str, np.ndarray]:
    """Candidates whose last element is their bias.

    The bias is divided by `unit`, which makes it as large as the largest other element of a row is on average: quantized with one
    scale per row, a larger bias would cost the other elements their resolution, a smaller one its own. Items without a single
    rating get the median bias of the others.

    Args:
        items: float32[n_items, d - 1].
        bias: float32[n_items].
        rated: bool[n_items], which items have ratings.

    Returns:
        `candidate` float32[n_items, d], `unit` float32[], the query's last element, and `unrated` float32[], the last element of
        an item without ratings.
    """
    unrated = np.median(bias[rated])
    bias = np.where(rated, bias, unrated)
    unrated, bias = unrated - bias.mean(), bias - bias.mean()
    unit = float(np.abs(bias).mean() / max(np.abs(items).max(axis=1).mean(), 1e-6)) or 1.0
    return {
        "candidate": np.concatenate([items, bias[:, None] / unit], axis=1).astype(np.float32),
        "unit": np.array(unit, np.float32),
        "unrated": np.array(unrated / np.float32(unit), np.float32),
    }
