import numpy as np
import pytest
from pocketrec.benchmarks.catalogues.synthetic_catalogue import fit_mixture, grow, likeness, projection, resembles
from pocketrec.core.errors import InputError


@pytest.fixture(scope="module")
def trained(run):
    return np.load(run / "trained" / "candidates.npy")


def test_grown_catalogue_resembles_the_trained_one(trained, tmp_path):
    for dimension in (trained.shape[1], 32):
        known = trained @ projection(trained, dimension)
        grown = grow(fit_mixture(known), 5_000, tmp_path / "items.npy")
        gaps = likeness(grown, known)
        assert grown.shape == (5_000, dimension) and grown.dtype == np.float32
        assert resembles(gaps), gaps
        assert gaps["neighbour_median"] == pytest.approx(gaps["neighbour_median_trained"], rel=0.1)


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
    assert not resembles(gaps), gaps


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
    by = projection(trained, 32)
    np.testing.assert_allclose(by.T @ by, np.eye(32), atol=1e-5)
    kept = np.linalg.norm(trained @ by) ** 2 / np.linalg.norm(trained) ** 2
    assert kept == pytest.approx(
        (np.linalg.svd(trained, compute_uv=False)[:32] ** 2).sum() / (trained**2).sum(), abs=1e-4
    )
    with pytest.raises(InputError, match="1 to 64"):
        projection(trained, 65)
