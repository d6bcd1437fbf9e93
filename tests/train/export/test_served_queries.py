"""Several queries in one call get what each gets alone."""

from dataclasses import replace

import numpy as np
import pytest
from pocketrec.core.queries.held_out import HeldOut
from pocketrec.core.queries.query import Catalogue
from pocketrec.core.run_dir import Run


@pytest.mark.parametrize(("model", "output"), [("query", "query"), ("ranking", "rating")])
def test_padding_changes_no_answer(tiny, model, output):
    """Histories and candidates of different lengths, one of them empty and one longer than the window."""
    from pocketrec.train.export.savedmodels import load_signature
    from pocketrec.train.export.served_queries import ask, ask_together

    data, signature = HeldOut(Run(tiny)), load_signature(Run(tiny).saved_model(model), "serving_default")
    known, longest = data.queries[0], np.resize(data.queries[1].seen, data.catalogue.window + 7)
    queries = [
        known,
        replace(known, seen=known.seen[:0], stars=known.stars[:0], preferences=(), items=known.items[:1]),
        replace(known, seen=longest, stars=np.resize(known.stars, len(longest))),
        *data.queries[2:6],
    ]
    together = ask_together(signature, queries, data.catalogue, output)
    for query, found in zip(queries, together, strict=True):
        alone = ask(signature, query, data.catalogue)[output]
        assert found.reshape(-1) == pytest.approx(alone.reshape(-1), abs=1e-5)
        assert len(found) == (len(query.items) if model == "ranking" else 1)


class UserKeyed:
    """Adds the lengths of its two inputs, row by row, as the tutorial's models read rows."""

    class Spec:
        class shape:  # noqa: N801
            rank = 1

    specs = {"user_id": Spec(), "movie_title": Spec()}  # noqa: RUF012

    def __call__(self, *, user_id, movie_title):
        class Tensor:
            @staticmethod
            def numpy():
                return np.array([[float(len(u) + len(t))] for u, t in zip(user_id, movie_title, strict=True)])

        return {"rating": Tensor}


def test_rows_of_user_keyed_models_follow_each_other(tiny):
    from pocketrec.train.export.served_queries import ask_together

    names = Catalogue(["a", "bb", "ccc"], ["u", "vv"], [], [], 0)
    known = HeldOut(Run(tiny)).queries[0]
    queries = [
        replace(known, user=0, items=np.array([2, 0], np.int32)),
        replace(known, user=1, items=np.array([1], np.int32)),
    ]
    found = ask_together(UserKeyed(), queries, names, "rating")
    assert [values.reshape(-1).tolist() for values in found] == [[4.0, 2.0], [4.0]]
