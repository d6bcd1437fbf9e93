"""RecBole's models on the very split that the pocket preset is measured on: each user's last item, in the source's order.

Two steps, since RecBole has an environment of its own:

    .venv/bin/python tools/beside_recbole.py export FOLDER [--data movielens/100k]
    python3.10 -m venv recbole && recbole/bin/pip install -r tools/recbole.txt && recbole/bin/pip install --no-deps recbole==1.2.1
    recbole/bin/python tools/beside_recbole.py rows FOLDER [--model SASRec] [--seed 42]

RecBole picks the pass to keep on each user's last but one item; before the last item is asked for, models that read a
history read that one too, as the pocket preset does. Its own defaults are used, except for `LOSS`. Items of the history
are left out of the lists.
"""

import argparse
import csv
import json
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np

MODELS = ("EASE", "GRU4Rec", "SASRec")
NAME = "split"
# Cross entropy over all items and no sampled negatives, for the two that are trained by gradients.
LOSS = {"loss_type": "CE", "train_neg_sample_args": None}


def export(folder: Path, data: str) -> None:
    """Write FOLDER/split/split.inter: every event, with its place in the history as its time."""
    from pocketrec.train.data.datasets import DATASETS
    from pocketrec.train.data.ratings import histories, split_ratings

    ratings = DATASETS[data].load(items_by="id", data_dir=None)
    train, test = split_ratings(ratings, "leave-last-out", 42)
    seen, last = histories(train), histories(test)
    (folder / NAME).mkdir(parents=True, exist_ok=True)
    with (folder / NAME / f"{NAME}.inter").open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["user_id:token", "item_id:token", "timestamp:float"])
        for user in range(len(ratings.users)):
            items = [*seen.items_of(user), *last.items_of(user)]
            writer.writerows((f"u{user}", f"i{item}", place) for place, item in enumerate(items))


def settings(folder: Path, name: str, seed: int) -> dict[str, object]:
    """What RecBole is told."""
    return {
        "data_path": str(folder),
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        "metrics": ["Recall", "NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "use_gpu": False,
        "seed": seed,
        "show_progress": False,
        "state": "ERROR",
        "checkpoint_dir": str(folder / "checkpoints"),
        **({} if name == "EASE" else LOSS),
    }


def row(folder: Path, name: str, seed: int) -> dict[str, object]:
    """Train one of RecBole's models and ask it for every user's last item."""
    recbole = {part: import_module(f"recbole.{part}") for part in ("config", "data", "utils", "utils.case_study")}
    sys.argv = sys.argv[:1]  # which RecBole reads as well
    config = recbole["config"].Config(model=name, dataset=NAME, config_dict=settings(folder, name, seed))
    recbole["utils"].init_seed(seed, reproducibility=True)
    dataset = recbole["data"].create_dataset(config)
    train, valid, test = recbole["data"].data_preparation(config, dataset)
    model = recbole["utils"].get_model(name)(config, train.dataset)
    trainer = recbole["utils"].get_trainer(config["MODEL_TYPE"], name)(config, model)
    started = time.process_time()
    trainer.fit(train, valid, show_progress=False)
    seconds = time.process_time() - started
    trainer.evaluate(test, load_best_model=True)
    users = test.dataset["user_id"].numpy()
    scores = recbole["utils.case_study"].full_sort_scores(users, model, test, device="cpu").numpy().astype(np.float64)
    scores[:, 0] = -np.inf  # RecBole's padding
    events = (dataset.inter_feat[name].numpy() for name in ("user_id", "item_id", "timestamp"))
    return {"model": name, "seed": seed, **quality(scores, users, *events), "cpu_s": round(seconds, 1)}


def quality(
    scores: np.ndarray, users: np.ndarray, user: np.ndarray, item: np.ndarray, place: np.ndarray
) -> dict[str, float]:
    """Recall and NDCG of each user's last item; of the same score the one that comes first is ahead.

    Args:
        scores: float64[n_users, n_items].
        users: int[n_users], whose they are.
        user, item, place: int[n_events] each, every event.
    """
    order = np.lexsort((place, user))
    user, item = user[order], item[order]
    is_last = np.append(user[1:] != user[:-1], True)
    last = dict(zip(user[is_last].tolist(), item[is_last].tolist(), strict=True))
    ranks = []
    for line, each in zip(scores, users.tolist(), strict=True):
        wanted, known = last[each], item[(user == each) & ~is_last]
        left = line.copy()
        left[known] = -np.inf
        ranks.append(int((left > left[wanted]).sum() + (left[:wanted] == left[wanted]).sum()))
    rank = np.array(ranks)
    return {
        "users": len(rank),
        "recall_at_10": float((rank < 10).mean()),
        "recall_at_100": float((rank < 100).mean()),
        "ndcg_at_10": float(np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean()),
    }


def main() -> None:
    """Export the split, or print a row of JSON per model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("export", "rows"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="movielens/100k")
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    if given.step == "export":
        export(given.folder, given.data)
        return
    for name in given.model or MODELS:
        print(json.dumps(row(given.folder, name, given.seed)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
