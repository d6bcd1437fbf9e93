"""Folded tables as variables of a SavedModel, with the vocabularies that lead to them."""

import numpy as np

from ..tf import Tensor, tf


def lookup(tokens: list[str]) -> Tensor:
    """A table from tokens to ids; anything else gets the id one past them."""
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(tokens), tf.range(len(tokens), dtype=tf.int32))
    return tf.lookup.StaticHashTable(pairs, default_value=len(tokens))


def spec(name: str, shape: list[int | None], dtype: Tensor) -> Tensor:
    return tf.TensorSpec(shape, dtype, name)


class SavedTables(tf.Module):
    """Folded tables as variables, and the vocabularies that lead to them."""

    def __init__(self, tables: dict[str, np.ndarray], items: list[str], preferences: list[str], window: int) -> None:
        self.n_items, self.n_preferences, self.window = len(items), len(preferences), window
        self.items, self.preferences = lookup(items), lookup(preferences) if preferences else None
        for name, table in tables.items():
            setattr(self, f"table_{name}", tf.Variable(table, trainable=False))

    def declared(self, tokens: Tensor) -> Tensor:
        """Tokens string[n, p] to indicators float32[n, n_preferences]; unknown ones and repetitions are ignored."""
        if self.preferences is None:
            return tf.zeros([tf.shape(tokens)[0], 0])
        marks = tf.one_hot(self.preferences.lookup(tokens), self.n_preferences)
        return tf.reduce_max(tf.concat([marks, tf.zeros_like(marks[:, :1])], axis=1), axis=1)

    def query_specs(self) -> dict[str, Tensor]:
        """Id-keyed user inputs: the history, and preferences where the data has any."""
        specs = {"history": spec("history", [self.window], tf.int32)}
        if self.n_preferences:
            specs["preferences"] = spec("preferences", [self.n_preferences], tf.float32)
        return specs

    def no_preferences(self) -> Tensor:
        return tf.zeros([0])

    def by_place(self, table: Tensor, history: Tensor) -> Tensor:
        """The last elements of `table`, float32[window], as many as `history` has places."""
        return table if history.shape[-1] == self.window else table[self.window - tf.shape(history)[-1] :]
