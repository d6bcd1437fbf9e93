"""Models with the layers of TFRS' own tutorials, small and untrained, as SavedModels with real inputs beside them."""

from pathlib import Path

import numpy as np
from pocketrec.train.tf import tf

import tensorflow_recommenders as tfrs  # isort: skip  (after .tf, which selects Keras 2)

USERS = [str(number) for number in range(1, 201)]
TITLES = [f"Movie {number} ({1910 + number % 90})" for number in range(1, 301)]
STRINGS = ("movie_id", "user_id", "user_zip_code", "user_occupation_text")
INTEGERS = ("user_gender", "bucketized_user_age")


def embedded(vocabulary):
    lookup = tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None)
    return tf.keras.Sequential([lookup, tf.keras.layers.Embedding(len(vocabulary) + 1, 32)])


def strings(name):
    return tf.TensorSpec([None], tf.string, name)


def text_retrieval(folder):
    """Query: user id, timestamp as buckets and as a number. Candidate: title and its words."""
    users, titles = embedded(USERS), embedded(TITLES)
    buckets = tf.keras.Sequential(
        [tf.keras.layers.Discretization(np.linspace(0, 1e9, 1000).tolist()), tf.keras.layers.Embedding(1001, 32)]
    )
    scaled = tf.keras.layers.Normalization(axis=None, mean=5e8, variance=1e16)
    words = tf.keras.layers.TextVectorization(max_tokens=1000, name="title_text")
    words.adapt(TITLES)
    text = tf.keras.Sequential(
        [words, tf.keras.layers.Embedding(1000, 32, mask_zero=True), tf.keras.layers.GlobalAveragePooling1D()]
    )
    query_top, candidate_top = tf.keras.layers.Dense(32), tf.keras.layers.Dense(32)

    def query(user_id, timestamp):
        parts = [users(user_id), buckets(timestamp), tf.reshape(scaled(timestamp), (-1, 1))]
        return {"query": query_top(tf.concat(parts, axis=1))}

    def candidate(movie_title):
        return {"candidate": candidate_top(tf.concat([titles(movie_title), text(movie_title)], axis=1))}

    module = tf.Module()
    module.parts = [users, titles, buckets, scaled, text, query_top, candidate_top]
    query(tf.constant(USERS[:1]), tf.constant([1e8]))
    candidate(tf.constant(TITLES[:1]))
    signatures = {
        "query": tf.function(query).get_concrete_function(
            strings("user_id"), tf.TensorSpec([None], tf.float32, "timestamp")
        ),
        "candidate": tf.function(candidate).get_concrete_function(strings("movie_title")),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


class MultiTask(tfrs.Model):
    """Retrieval towers and a rating head over both."""

    def __init__(self):
        super().__init__()
        self.users, self.titles = embedded(USERS), embedded(TITLES)
        layers = [tf.keras.layers.Dense(n, activation="relu") for n in (256, 128)]
        self.rating = tf.keras.Sequential([*layers, tf.keras.layers.Dense(1)])

    def call(self, features):
        user, title = self.users(features["user_id"]), self.titles(features["movie_title"])
        return {"user": user, "title": title, "rating": self.rating(tf.concat([user, title], axis=1))}


def multi_task(folder):
    model = MultiTask()
    model({"user_id": tf.constant(USERS[:1]), "movie_title": tf.constant(TITLES[:1])})
    serve = tf.function(lambda user_id, movie_title: model({"user_id": user_id, "movie_title": movie_title}))
    signature = serve.get_concrete_function(strings("user_id"), strings("movie_title"))
    tf.saved_model.save(model, str(folder), signatures={"serving_default": signature})


class DeepCross(tfrs.Model):
    """DCN-v2 ranking over string and integer features."""

    def __init__(self):
        super().__init__()
        self.embeddings = {name: embedded(USERS) for name in STRINGS}
        for name in INTEGERS:
            lookup = tf.keras.layers.IntegerLookup(vocabulary=list(range(8)), mask_value=None, name=f"{name}_lookup")
            self.embeddings[name] = tf.keras.Sequential([lookup, tf.keras.layers.Embedding(9, 32)])
        self.cross = tfrs.layers.dcn.Cross(kernel_initializer="glorot_uniform")
        self.deep = tf.keras.Sequential([tf.keras.layers.Dense(192, activation="relu") for _ in range(2)])
        self.logit = tf.keras.layers.Dense(1)

    def rate(self, rows):
        return {"rating": self.logit(self.deep(self.cross(tf.concat(rows, axis=1))))}

    def call(self, features):
        return self.rate([self.embeddings[name](features[name]) for name in (*STRINGS, *INTEGERS)])

    def by_id(self, features):
        return self.rate(
            [tf.gather(self.embeddings[name].layers[1].embeddings, features[name]) for name in (*STRINGS, *INTEGERS)]
        )


def dcn(folder):
    model = DeepCross()
    model({**{name: tf.constant(["1"]) for name in STRINGS}, **{name: tf.constant([1], tf.int64) for name in INTEGERS}})
    served = {**{n: strings(n) for n in STRINGS}, **{n: tf.TensorSpec([None], tf.int64, n) for n in INTEGERS}}
    ids = {name: tf.TensorSpec([None], tf.int32, name) for name in (*STRINGS, *INTEGERS)}
    signatures = {
        "serving_default": tf.function(lambda **features: model(features)).get_concrete_function(**served),
        "by_id": tf.function(lambda **features: model.by_id(features)).get_concrete_function(**ids),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)


def build(folder: Path) -> None:
    """Write text_retrieval, multi_task and dcn, and an .npz of 40 queries for each."""
    tf.keras.utils.set_random_seed(1)
    text_retrieval(folder / "text_retrieval")
    multi_task(folder / "multi_task")
    dcn(folder / "dcn")
    rng = np.random.default_rng(0)
    users, titles = (np.array(rng.choice(names, 40)).astype("S") for names in (USERS, TITLES))
    np.savez(folder / "text_retrieval.npz", user_id=users, timestamp=rng.uniform(0, 1e9, 40).astype(np.float32))
    np.savez(folder / "multi_task.npz", user_id=users, movie_title=titles)
    ids = {name: rng.integers(0, 201 if name in STRINGS else 9, 40, dtype=np.int32) for name in (*STRINGS, *INTEGERS)}
    np.savez(folder / "dcn.npz", **ids)
