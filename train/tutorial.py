"""The `tutorial` preset: TensorFlow Recommenders' two MovieLens tutorials, kept as they are.

Retrieval: two towers of StringLookup and Embedding(32), `tfrs.tasks.Retrieval` with `FactorizedTopK`, Adagrad 0.1.
Ranking: the same towers under Dense 256-64-1, mean squared error. Sources: tensorflow.org/recommenders/examples
`basic_retrieval` and `basic_ranking`.
"""

import time

import numpy as np

from ..core.metrics import retrieval_quality, rmse
from ..core.records.record import Json
from .data.ratings import Ratings, histories
from .export.retrieval_indexes import index_exports
from .export.savedmodels import Export
from .tf import Tensor, tf
from .tfrs import tfrs
from .trained_models import TrainedModels, TrainingOptions

DIMENSION = 32
TRAIN_BATCH, TEST_BATCH, EPOCHS, LEARNING_RATE = 8192, 4096, 3, 0.1


def _tower(vocabulary: list[str]) -> Tensor:
    return tf.keras.Sequential(
        [
            tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None),
            tf.keras.layers.Embedding(len(vocabulary) + 1, DIMENSION),
        ]
    )


class RetrievalModel(tfrs.Model):
    """Two towers; scores are dot products."""

    def __init__(self, users: list[str], titles: list[str], *, train_metrics: bool) -> None:
        super().__init__()
        self.user_model, self.movie_model = _tower(users), _tower(titles)
        self.train_metrics = train_metrics
        movies = tf.data.Dataset.from_tensor_slices(titles).batch(128)
        self.task = tfrs.tasks.Retrieval(metrics=tfrs.metrics.FactorizedTopK(candidates=movies.map(self.movie_model)))

    def compute_loss(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        queries, candidates = self.user_model(features["user_id"]), self.movie_model(features["movie_title"])
        return self.task(queries, candidates, compute_metrics=self.train_metrics or not training)


class RankingModel(tfrs.Model):
    """Two towers of its own under an MLP that predicts ratings."""

    def __init__(self, users: list[str], titles: list[str]) -> None:
        super().__init__()
        self.user_model, self.movie_model = _tower(users), _tower(titles)
        self.ratings = tf.keras.Sequential(
            [tf.keras.layers.Dense(n, activation=a) for n, a in ((256, "relu"), (64, "relu"), (1, None))]
        )
        self.task = tfrs.tasks.Ranking(
            loss=tf.keras.losses.MeanSquaredError(), metrics=[tf.keras.metrics.RootMeanSquaredError()]
        )

    def call(self, features: dict[str, Tensor]) -> Tensor:
        embeddings = [self.user_model(features["user_id"]), self.movie_model(features["movie_title"])]
        return self.ratings(tf.concat(embeddings, axis=1))

    def compute_loss(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        return self.task(labels=features["user_rating"], predictions=self(features))


def _dataset(ratings: Ratings, batch: int, shuffle_seed: int | None = None) -> Tensor:
    columns = {
        "user_id": np.array(ratings.users)[ratings.user],
        "movie_title": np.array(ratings.items)[ratings.item],
        "user_rating": ratings.rating,
    }
    rows = np.arange(len(ratings))
    if shuffle_seed is not None:
        rows = np.random.default_rng(shuffle_seed).permutation(len(ratings))
    return (
        tf.data.Dataset.from_tensor_slices({name: column[rows] for name, column in columns.items()})
        .batch(batch)
        .cache()
    )


def _fit(model: Tensor, train: Ratings, test: Ratings, seed: int) -> dict[str, float]:
    model.compile(optimizer=tf.keras.optimizers.Adagrad(LEARNING_RATE))
    model.fit(_dataset(train, TRAIN_BATCH, seed), epochs=EPOCHS, verbose=0)
    return model.evaluate(_dataset(test, TEST_BATCH), return_dict=True, verbose=0)


def _rows_by_id(tower: Tensor) -> np.ndarray:
    """float32[n + 1, d]: StringLookup keeps the unknown row first; ids keep it last, so that id i is candidate i."""
    table = tower.layers[1].embeddings.numpy()
    return np.concatenate([table[1:], table[:1]])


def _strings(name: str, width: int | None = None) -> Tensor:
    return tf.TensorSpec([width], tf.string, name=name)


def _ids(name: str, width: int | None) -> Tensor:
    return tf.TensorSpec([width], tf.int32, name=name)


class QueryTower(tf.Module):
    """`serving_default`: user_id string[n] to query float32[n, d]; `query_encoder`: user int32[1] to the same."""

    def __init__(self, tower: Tensor) -> None:
        self.tower = tower
        self.table = tf.Variable(_rows_by_id(tower), trainable=False)

    def signatures(self) -> dict[str, Tensor]:
        serve = tf.function(lambda user_id: {"query": self.tower(user_id)})
        encode = tf.function(lambda user: {"query": tf.gather(self.table, user)})
        return {
            "serving_default": serve.get_concrete_function(_strings("user_id")),
            "query_encoder": encode.get_concrete_function(_ids("user", 1)),
        }


class CandidateTower(tf.Module):
    """`serving_default`: movie_title string[n] to candidate float32[n, d]."""

    def __init__(self, tower: Tensor) -> None:
        self.tower = tower

    def signatures(self) -> dict[str, Tensor]:
        serve = tf.function(lambda movie_title: {"candidate": self.tower(movie_title)})
        return {"serving_default": serve.get_concrete_function(_strings("movie_title"))}


class Ranker(tf.Module):
    """The ranking model as served, and two forms of it that convert well.

    `serving_default`: the Keras model itself, user_id string[n], movie_title string[n] to rating float32[n, 1].
    `ranker_strings`: the same inputs and output; a reshape between lookup and table keeps the table's shape known to the
    converter, without which it dequantizes whole tables.
    `ranker`: user int32[1], items int32[n] to rating float32[n]; the user's share of the first layer is computed once.
    """

    def __init__(self, model: RankingModel) -> None:
        self.model = model
        self.users = tf.Variable(_rows_by_id(model.user_model), trainable=False)
        self.movies = tf.Variable(_rows_by_id(model.movie_model), trainable=False)
        kernel, bias = model.ratings.layers[0].get_weights()
        self.user_kernel = tf.Variable(kernel[:DIMENSION], trainable=False)
        self.movie_kernel = tf.Variable(kernel[DIMENSION:], trainable=False)
        self.bias = tf.Variable(bias, trainable=False)

    @tf.function(input_signature=[{"user_id": _strings("user_id"), "movie_title": _strings("movie_title")}])
    def __call__(self, features: dict[str, Tensor]) -> Tensor:
        """The loaded model can be called as the tutorial calls it: features by name to rating float32[n, 1]."""
        return self.model(features)

    def _cured(self, tower: Tensor, tokens: Tensor) -> Tensor:
        lookup, embedding = tower.layers
        return tf.gather(embedding.embeddings, tf.reshape(tf.cast(lookup(tokens), tf.int32), [-1]))

    def _strings(self, user_id: Tensor, movie_title: Tensor) -> dict[str, Tensor]:
        rows = [self._cured(self.model.user_model, user_id), self._cured(self.model.movie_model, movie_title)]
        return {"rating": self.model.ratings(tf.concat(rows, axis=1))}

    def _ranker(self, user: Tensor, items: Tensor) -> dict[str, Tensor]:
        from_user = tf.matmul(tf.gather(self.users, user), self.user_kernel) + self.bias
        hidden = tf.nn.relu(tf.matmul(tf.gather(self.movies, items), self.movie_kernel) + from_user)
        for layer in self.model.ratings.layers[1:]:
            hidden = layer(hidden)
        return {"rating": tf.reshape(hidden, [-1])}

    def signatures(self) -> dict[str, Tensor]:
        serve = tf.function(
            lambda user_id, movie_title: {"rating": self.model({"user_id": user_id, "movie_title": movie_title})}
        )
        strings = (_strings("user_id"), _strings("movie_title"))
        return {
            "serving_default": serve.get_concrete_function(*strings),
            "ranker_strings": tf.function(self._strings).get_concrete_function(*strings),
            "ranker": tf.function(self._ranker).get_concrete_function(_ids("user", 1), _ids("items", None)),
        }


def train_tutorial(train: Ratings, test: Ratings, options: TrainingOptions) -> TrainedModels:
    """Train both models on `train`, evaluate them on `test`; candidates are float32[n_items, 32].

    `metrics["tutorial"]` holds the tutorial's own FactorizedTopK accuracies.
    """
    started = time.monotonic()
    retrieval = RetrievalModel(train.users, train.items, train_metrics=options.train_metrics)
    own = _fit(retrieval, train, test, options.seed)
    retrieval_s, started = time.monotonic() - started, time.monotonic()
    ranking = RankingModel(train.users, train.items)
    _fit(ranking, train, test, options.seed)
    ranking_s = time.monotonic() - started
    query_rows, candidates = _rows_by_id(retrieval.user_model), _rows_by_id(retrieval.movie_model)[:-1]
    quality = retrieval_quality(lambda rows: query_rows[rows] @ candidates.T, histories(train), histories(test))
    prefix = "factorized_top_k/"
    accuracies = {key.removeprefix(prefix): float(value) for key, value in own.items() if key.startswith(prefix)}
    exports, scann = _exports(retrieval, ranking, test)
    return TrainedModels(
        exports=exports,
        candidates=candidates,
        metrics={
            "ranking": {"rmse": rmse(_predictions(ranking, test), test.rating)},
            "retrieval": {**quality},
            "tutorial": {**accuracies},
        },
        scann=scann,
        seconds={"retrieval": retrieval_s, "ranking": ranking_s},
    )


def _predictions(model: RankingModel, test: Ratings) -> np.ndarray:
    return np.concatenate([model(batch).numpy().reshape(-1) for batch in _dataset(test, TEST_BATCH)])


def _exports(retrieval: RetrievalModel, ranking: RankingModel, test: Ratings) -> tuple[dict[str, Export], Json]:
    users = np.array(test.users)[test.user[:64]].astype("S")
    titles = np.array([test.items[i].encode() for i in test.item[:64]])
    query, candidate, ranker = QueryTower(retrieval.user_model), CandidateTower(retrieval.movie_model), Ranker(ranking)
    by_user = {"user_id": users}
    towers = {
        "ranking": Export(ranker, ranker.signatures(), {"user_id": users, "movie_title": titles}),
        "query": Export(query, query.signatures(), by_user),
        "candidate": Export(candidate, candidate.signatures(), {"movie_title": titles}),
    }
    candidates = _rows_by_id(retrieval.movie_model)[:-1]
    indexes, scann = index_exports(
        retrieval.user_model, candidates, test.items, by_user, {"user_id": _strings("user_id")}
    )
    return towers | indexes, scann
