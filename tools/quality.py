"""Quality of the pocket preset on MovieLens-100K: three seeds, three splits, users never trained on, and the baselines.

Run by `make quality`, or as `python tools/quality.py`.
"""

from collections.abc import Callable, Sequence

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
    models = train_pocket(*by_popularity(*split_ratings(ratings, split, seed)), TrainingOptions(seed, split))
    found = {**models.metrics["ranking"], **models.metrics["retrieval"]}
    return BaselineRow("pocket", *(found[name] for name in MEASURES), sum(models.seconds.values()))


def mean_row(rows: Sequence[BaselineRow]) -> BaselineRow:
    """Mean of every measure over the rows of one model; None where any row has none."""
    columns = [[getattr(row, name) for row in rows] for name in MEASURES]
    means = [None if None in column else float(np.mean(column)) for column in columns]
    return BaselineRow(rows[0].model, *means, float(np.mean([row.seconds for row in rows])))


def split_table(ratings: Ratings, split: str, seeds: str) -> Table:
    """The preset and the baselines on one split."""
    rows = [[quality_of_split(ratings, split, seed) for seed in SEEDS]]
    rows += zip(*(evaluate_baselines(*split_ratings(ratings, split, seed)) for seed in SEEDS), strict=True)
    return quality_table([mean_row(found) for found in rows], f"{split}, {seeds}")


def main(show: Callable[[Table], None]) -> None:
    """Show the tables."""
    ratings = DATASETS["movielens/100k"].load(items_by="id", data_dir=None)
    seeds = f"mean of seeds {', '.join(map(str, SEEDS))}"
    for split in SPLITS:
        show(split_table(ratings, split, seeds))
    found = [quality_of_new_users(ratings, seed) for seed in SEEDS]
    table = Table("users not trained on", "RMSE", title=f"a tenth of the users, {seeds}")
    for name in found[0]:
        table.add_row(name, f"{np.mean([row[name] for row in found]):.4f}")
    show(table)


if __name__ == "__main__":
    from pocketrec.core.native_log import native_stderr_kept_aside

    configure_tensorflow()
    with native_stderr_kept_aside():
        main(Console(width=110).print)
