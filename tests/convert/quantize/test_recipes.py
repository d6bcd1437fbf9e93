"""The table of recipes: what consumers read from it instead of comparing names."""

import numpy as np
import pytest
from pocketrec.android_assets.writing.candidate_rows import stored_rows
from pocketrec.convert.quantize.recipes import RECIPES, Recipe, coarsest_recipe


def test_exactness_and_storage_follow_from_the_fields():
    assert [name for name, recipe in RECIPES.items() if recipe.is_exact] == ["float32"]
    assert [name for name, recipe in RECIPES.items() if not recipe.is_quantized] == ["float32", "float16"]
    assert coarsest_recipe() == "int4_rows"
    only_dense = Recipe("float32 rows, int8 weights", "float32", "int8")
    assert only_dense.is_quantized and not only_dense.is_exact and not only_dense.has_integer_tables
    assert only_dense.candidates_dtype == "float32"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_summary(name):
    assert RECIPES[name].summary


def test_candidates_of_a_new_recipe_are_stored_as_its_rows_are(monkeypatch):
    monkeypatch.setitem(RECIPES, "toy", Recipe("float32 rows, int8 weights", "float32", "int8"))
    vectors = np.ones((3, 2), np.float32)
    assert stored_rows(vectors, "toy")[0].dtype == np.float32
    assert stored_rows(vectors, "dynamic_int8")[0].dtype == np.int8
