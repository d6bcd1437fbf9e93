import pickle

import numpy as np
import pytest
from pocketrec.train.data.packaged.pandas_pickles import read_columns

from tests.train.data.packaged.made_packages import pickled_frame


class Calls:
    def __reduce__(self):
        return print, ("run",)


def test_columns_come_back_by_name_from_blocks_of_several_types(monkeypatch):
    columns = {
        "n": np.array([1.0, 2.0]),
        "name": np.array(["a", float("nan")], object),
        "m": np.array([3.5, float("nan")]),
    }
    found = read_columns(pickled_frame(columns, monkeypatch))
    assert set(found) == set(columns)
    assert found["n"].tolist() == [1, 2] and np.isnan(found["m"][1])
    assert found["name"][0] == "a" and found["name"][1] != found["name"][1]


def test_a_pickle_that_names_anything_else_is_refused_and_not_run(capsys):
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print"):
        read_columns(pickle.dumps(Calls()))
    assert capsys.readouterr().out == ""
