"""Small copies of the tiny run for the tests of parity."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pocketrec.core.run_dir import Run

from tests.variants import keep_variants


@pytest.fixture
def stored(tiny: Path, tmp_path: Path) -> Callable[..., Run]:
    """Make a copy of the tiny run that holds what was stored of some cells, and none of the models."""

    def make(graph: str, *recipes: str) -> Run:
        run = Run(tmp_path / "run")
        shutil.copytree(tiny / "trained", run.trained)
        (run.reports / "raw").mkdir(parents=True)
        run.converted.mkdir()
        shutil.copy(tiny / "converted" / "variants.json", run.converted)
        shutil.copy(tiny / "reports" / "reference.npz", run.reports)
        document = json.loads((tiny / "reports" / "parity.json").read_text())
        document["results"] = [r for r in document["results"] if r["graph"] == graph and r["recipe"] in recipes]
        (run.reports / "parity.json").write_text(json.dumps(document))
        for recipe in recipes:
            for path in (tiny / "reports" / "raw").glob(f"{graph}-{recipe}@*.npz"):
                shutil.copy(path, run.reports / "raw")
        return run

    return make


@pytest.fixture
def cut(tiny: Path, tmp_path: Path) -> Callable[..., Run]:
    """Make a copy of the tiny run with some variants of one graph and the stored reference."""

    def make(graph: str, *recipes: str) -> Run:
        run = Run(tmp_path / "run")
        shutil.copytree(tiny / "trained", run.trained)
        run.reports.mkdir(parents=True)
        shutil.copy(tiny / "reports" / "reference.npz", run.reports)
        run.converted.mkdir()
        shutil.copy(tiny / "converted" / "variants.json", run.converted)
        keep_variants(run, lambda variant: variant.graph == graph and variant.recipe in recipes)
        for variant in run.variants:
            shutil.copy(tiny / "converted" / variant.file, run.converted)
        return run

    return make
