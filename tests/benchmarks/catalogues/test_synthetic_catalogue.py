import numpy as np
import pytest
from pocketrec.benchmarks.catalogues.synthetic_catalogue import fit_mixture, grow, likeness, projection

from tests.conftest import raises


@pytest.fixture(scope="module")
def trained():
    """Embeddings with clusters, lengths and a spectrum, as trained ones have."""
    rng = np.random.default_rng(3)
    centres, scales = rng.normal(size=(20, 16)), 1 / np.arange(1, 17) ** 0.5
    rows = centres[rng.integers(0, 20, 1200)] + 0.5 * rng.normal(size=(1200, 16))
    return (rows * scales).astype(np.float32)


def test_grown_catalogue_resembles_the_trained_one(trained, tmp_path):
    for dimension in (trained.shape[1], 8):
        known = trained @ projection(trained, dimension)
        grown = grow(fit_mixture(known), 5_000, tmp_path / "items.npy")
        gaps = likeness(grown, known)
        assert grown.shape == (5_000, dimension) and grown.dtype == np.float32
        assert gaps.resembles, gaps
        assert gaps.neighbour_median == pytest.approx(gaps.neighbour_median_trained, rel=0.1)


def noise(trained, rng):
    return rng.normal(size=trained.shape) * trained.std()


def one_gaussian(trained, rng):
    return rng.multivariate_normal(trained.mean(axis=0), np.cov(trained.T), len(trained))


def copies(trained, rng):
    rows = trained[rng.integers(0, len(trained), 5_000)]
    return rows + 0.02 * trained.std() * rng.normal(size=rows.shape)


@pytest.mark.parametrize("wrong", [noise, one_gaussian, copies])
def test_catalogue_without_the_trained_ones_structure_is_told(trained, wrong):
    gaps = likeness(wrong(trained, np.random.default_rng(0)).astype(np.float32), trained)
    assert not gaps.resembles, gaps


def test_same_seed_grows_the_same_bytes_and_another_does_not(trained, tmp_path):
    paths = [tmp_path / f"{n}.npy" for n in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        grow(fit_mixture(trained, seed), 3_000, path, seed)
    first, second, other = (path.read_bytes() for path in paths)
    assert first == second != other


def test_blocks_do_not_change_what_is_drawn(trained, tmp_path, monkeypatch):
    from pocketrec.benchmarks.catalogues import synthetic_catalogue as growing

    mixture = fit_mixture(trained)
    monkeypatch.setattr(growing, "_BLOCK", 1_000)
    small = np.array(grow(mixture, 2_500, tmp_path / "a.npy"))
    large = np.array(grow(mixture, 4_000, tmp_path / "b.npy"))
    np.testing.assert_array_equal(small[:2_000], large[:2_000])
    assert np.isfinite(small).all() and len(np.unique(small, axis=0)) == 2_500


def test_projection_keeps_the_leading_directions(trained):
    by = projection(trained, 8)
    np.testing.assert_allclose(by.T @ by, np.eye(8), atol=1e-5)
    kept = np.linalg.norm(trained @ by) ** 2 / np.linalg.norm(trained) ** 2
    assert kept == pytest.approx(
        (np.linalg.svd(trained, compute_uv=False)[:8] ** 2).sum() / (trained**2).sum(), abs=1e-4
    )


@pytest.mark.parametrize("dimension", [0, 17])
def test_a_width_that_the_vectors_do_not_have_is_refused(trained, dimension):
    with raises("VALUE_OUT_OF_RANGE"):
        projection(trained, dimension)


@pytest.mark.full
def test_a_grown_demo_resembles_it(run, tmp_path):
    known = np.load(run / "trained" / "candidates.npy")
    for dimension in (known.shape[1], 32):
        own = known @ projection(known, dimension)
        assert likeness(grow(fit_mixture(own), 5_000, tmp_path / "items.npy"), own).spectrum_gap < 0.08
