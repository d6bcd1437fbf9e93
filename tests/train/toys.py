"""A dataset and a preset that cost nothing: made-up ratings, and models of a few random rows."""

from pathlib import Path

import numpy as np
from pocketrec.train.data.datasets import Dataset, Licence
from pocketrec.train.data.items_by import ItemsBy
from pocketrec.train.data.ratings import Ratings
from pocketrec.train.presets import Preset
from pocketrec.train.trained_models import TrainedModels, TrainingOptions

USERS, ITEMS, EACH = 120, 30, 10
LOADED: list[tuple[ItemsBy, Path | None]] = []
TRAINED: list[tuple[Ratings, Ratings, TrainingOptions]] = []


def toy_ratings(*, items_by: ItemsBy, data_dir: Path | None) -> Ratings:
    LOADED.append((items_by, data_dir))
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(USERS, dtype=np.int32), EACH)
    item = np.concatenate([rng.permutation(ITEMS)[:EACH] for _ in range(USERS)]).astype(np.int32)
    rating = (1 + (item * 7 + user * 3) % 5).astype(np.float32)
    names = [f"{items_by}{i}" for i in range(ITEMS)]
    return Ratings(
        name="not the name in the table",
        user=user,
        item=item,
        rating=rating,
        timestamp=np.arange(len(user), dtype=np.int64),
        users=[f"u{u}" for u in range(USERS)],
        items=names,
        titles=[f"Title {name}" for name in names],
        genres=[["even" if i % 2 == 0 else "odd"] for i in range(ITEMS)],
    )


TOY_DATASET = Dataset("made up", "https://toys.example", Licence("toy", "toys only"), toy_ratings)


def train_toy(train: Ratings, test: Ratings, options: TrainingOptions) -> TrainedModels:
    from pocketrec.train.export.savedmodels import Export
    from pocketrec.train.tf import tf

    TRAINED.append((train, test, options))
    candidates = np.random.default_rng(options.seed).normal(size=(len(train.items), 4)).astype(np.float32)
    module = tf.Module()
    module.table = tf.Variable(np.concatenate([candidates, np.zeros_like(candidates[:1])]), trainable=False)
    encode = tf.function(lambda history: {"query": tf.reduce_mean(tf.gather(module.table, history), 0, keepdims=True)})
    function = encode.get_concrete_function(tf.TensorSpec([None], tf.int32, "history"))
    signatures = {"serving_default": function, "query_encoder": function}
    return TrainedModels(
        exports={"query": Export(module, signatures, {"history": np.array([0, 1], np.int32)})},
        candidates=candidates,
        metrics={
            "ranking": {"rmse": 1.0},
            "retrieval": {"recall_at_10": 0.5, "recall_at_100": 1.0, "ndcg_at_10": 0.25},
        },
        scann={"configuration": "none"},
        seconds={"query": 0.5},
        window=EACH,
        settings={"query": {"dimension": 4}},
        files={"note.txt": lambda path: path.write_text("toy\n") and None},
    )


TOY_PRESET = Preset("a few random rows", items_by="title", trainer=train_toy, by_popularity=False)
