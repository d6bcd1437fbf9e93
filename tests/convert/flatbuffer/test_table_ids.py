"""The bytes of a file with lookup tables do not depend on what the process converted before."""

from collections.abc import Callable

import numpy as np
from pocketrec.convert.converter import convert_function
from pocketrec.convert.flatbuffer.editor import Editor
from pocketrec.convert.flatbuffer.table_ids import with_counted_table_ids
from pocketrec.runtimes.runtimes import PHONE_RUNTIMES

from tests.convert.models import converted, outputs_of


def two_tables() -> bytes:
    from pocketrec.train.tf import tf

    def table(tokens: list[str]) -> Callable[..., object]:
        pairs = tf.lookup.KeyValueTensorInitializer(tokens, list(range(len(tokens))), tf.string, tf.int64)
        return tf.lookup.StaticHashTable(pairs, -1)

    users, titles = table(["ann", "bob"]), table(["Speed", "Contact", "Heat"])

    def look_up(user, title):
        return {"both": 10 * users.lookup(user) + titles.lookup(title)}

    module = tf.Module()
    module.tables, module.f = (users, titles), tf.function(look_up)
    specs = (tf.TensorSpec([1], tf.string, name) for name in ("user", "title"))
    return convert_function(module, module.f.get_concrete_function(*specs))


def table_ids(data: bytes) -> list[int]:
    graphs = Editor(data).model.subgraphs
    options = [op.builtinOptions for graph in graphs for op in graph.operators]
    return [one.tableId for one in options if hasattr(one, "tableId")]


def test_a_second_conversion_in_one_process_gives_the_same_bytes():
    from pocketrec.train.tf import tf

    first = two_tables()
    converted(lambda x: {"y": x + 1}, tf.TensorSpec([1], tf.float32, "x"))
    assert two_tables() == first


def test_tables_stay_apart_and_answer():
    data = two_tables()
    assert len(set(table_ids(data))) == 2 and min(table_ids(data)) > 1 << 29
    feeds = {"user": np.array([[b"bob"]]), "title": np.array([[b"Heat"]])}
    for runtime in PHONE_RUNTIMES:
        assert outputs_of(data, feeds, runtime)["both"].tolist() == [[12]]


def test_files_without_tables_are_left_as_they_are():
    from pocketrec.train.tf import tf

    data = converted(lambda x: {"y": x + 1}, tf.TensorSpec([1], tf.float32, "x"))
    assert with_counted_table_ids(data) == data
