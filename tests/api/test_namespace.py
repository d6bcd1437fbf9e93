"""`import pocketrec as pr`: light, lazy, and callable whatever was imported before."""

import inspect
import subprocess
import sys

import pytest

import pocketrec as pr


def fresh(program):
    """Run a program in a fresh process; what it printed."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_is_light_and_changes_nothing():
    program = """
import os, sys, warnings, logging
before = dict(os.environ), list(warnings.filters), list(logging.getLogger().handlers)
import pocketrec
assert before == (dict(os.environ), list(warnings.filters), list(logging.getLogger().handlers))
print(len(sys.modules), sorted({"numpy", "tensorflow", "msgspec", "rich", "typer"} & set(sys.modules)))
"""
    n_modules, heavy = fresh(program).split(" ", 1)
    assert heavy.strip() == "[]" and int(n_modules) < 150


@pytest.mark.parametrize("package", ["train", "convert"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "import pocketrec.{0}.stage",
        "from pocketrec.{0}.stage import log",
        "import pocketrec.{0}.stage as stage; assert stage.log",
        "from pocketrec import {0}; assert callable({0})",
        "import importlib, pocketrec.{0}; importlib.reload(pocketrec.{0})",
    ],
)
def test_stage_packages_are_functions_whatever_was_imported(package, before):
    program = f"""
{before.format(package)}
import inspect, pickle
import pocketrec as pr
function = inspect.unwrap(pr.{package})
assert inspect.isfunction(function) and function.__module__.startswith("pocketrec.api.")
assert inspect.signature(pr.{package}) == inspect.signature(function)
assert inspect.getdoc(pr.{package}) == inspect.getdoc(function)
assert pickle.loads(pickle.dumps(pr.{package})) is pr.{package}
import pocketrec.{package}.stage
assert pocketrec.{package}.stage.__name__ == "pocketrec.{package}.stage"
try:
    pr.{package}(**dict.fromkeys(["nonsense"]))
except TypeError as error:
    assert "nonsense" in str(error), error
"""
    fresh(program)


def test_a_stage_package_does_what_its_function_does(tmp_path):
    with pytest.raises(pr.InputError) as caught:
        pr.train(tmp_path / "run", seed=-1)
    assert caught.value.code == "VALUE_OUT_OF_RANGE"


def test_every_public_name_is_there_with_a_docstring():
    assert len(set(pr.__all__)) == len(pr.__all__)
    for name in pr.__all__:
        value = getattr(pr, name)
        assert inspect.getdoc(value), name
        if not inspect.isclass(value):
            function = inspect.unwrap(value)
            documented = inspect.getdoc(value)
            assert [p for p in inspect.signature(function).parameters if f"{p}:" not in documented] == [], name
    assert set(pr.__all__) <= set(dir(pr))


def test_type_checkers_and_the_lazy_table_know_the_same_names():
    import ast
    from pathlib import Path

    tree = ast.parse(Path(pr.__file__).read_text())
    [checking] = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {alias.asname for node in checking.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert declared == set(pr.__all__) == set(pr._HOME_OF)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = pr.trian


def test_version():
    from importlib.metadata import version

    assert pr.__version__ == version("pocketrec")
