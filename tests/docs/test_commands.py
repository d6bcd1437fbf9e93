"""What README and pages say to type is typed: commands run, their output is as shown, Python runs."""

import re
import shlex
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LANGUAGES = {"sh", "console", "python", "kotlin", "toml", "text"}


def blocks(language: str, text: str) -> list[list[str]]:
    return [block.rstrip().splitlines() for block in re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)]


def console(text: str) -> list[tuple[list[str], list[str]]]:
    """(arguments of a `pocketrec` command, the lines shown below it) of every console block."""
    found: list[tuple[list[str], list[str]]] = []
    for line in (line for lines in blocks("console", text) for line in lines):
        if line.startswith("$ pocketrec "):
            found.append((shlex.split(line)[2:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_code_block_is_of_a_kind_that_is_checked(page):
    assert set(re.findall(r"^```(\w+)\n", page.read_text(encoding="utf-8"), re.M)) <= LANGUAGES


# How far a number may lie from the one shown, as a share of it, by what stands in its line.
TOLERANCES = {"trained": 0.02, ".tflite": 0.02, "bundled": 0.02, "passed": 0.0}
SECONDS = re.compile(r"\bin \d+ s\b")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def words(line: str) -> list[str]:
    """A line without its numbers, lines of tables and spacing."""
    return re.sub(r"[│┃,]", " ", NUMBER.sub("#", SECONDS.sub("", line))).split()


def numbers(line: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(SECONDS.sub("", line))]


def agrees(shown: str, real: str) -> bool:
    """Whether a shown line begins a real one: the same words, and numbers within the tolerance of such a line."""
    wanted = words(shown)
    if words(real)[: len(wanted)] != wanted:
        return False
    tolerance = next(share for mark, share in TOLERANCES.items() if mark in shown)
    pairs = zip(numbers(shown), numbers(real), strict=False)
    return all(abs(ours - theirs) <= tolerance * abs(ours) for ours, theirs in pairs)


def films(lines: list[str]) -> dict[str, float]:
    """Title to score of a table of recommendations."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if re.match(r"│ +\d+ +│", line)]
    return {row[1]: float(row[3]) for row in rows}


def test_numbers_that_are_shown_are_compared():
    shown = "bundled recommender dynamic_int8: 6 files, 427,529 bytes in bundle"
    assert agrees(shown, "bundled recommender dynamic_int8: 6 files, 427,630 bytes in bundle, signed by key 1a")
    assert not agrees(shown, "bundled recommender dynamic_int8: 6 files, 447,529 bytes in bundle")
    assert not agrees(shown, "bundled retriever dynamic_int8: 6 files, 427,529 bytes in bundle")
    assert not agrees("144 of 144 passed", "143 of 144 passed")
    assert agrees("trained pocket in 33 s: rmse 0.8943", "trained pocket in 99 s: rmse 0.8950")


@pytest.mark.full
def test_the_commands_of_the_readme_print_what_it_shows(demo, own_run, pocketrec):
    """All are run again on a copy of the demo's run, but for training, whose lines are those of the demo."""
    parts = console(README)
    assert [arguments[0] for arguments, _ in parts] == ["train", "convert", "parity", "bundle", "recommend"]
    for arguments, shown in parts:
        printed = demo[1].out
        if arguments[0] != "train":
            # As wide as the lines shown, and without what `doctor --install` adds.
            bare = {"COLUMNS": "160", "POCKETREC_CACHE": str(own_run.parent / "cache")}
            done = pocketrec(*arguments, cwd=own_run.parent, env=bare)
            assert done.code == 0, (arguments, done.err)
            printed = done.out
        real = printed.splitlines()
        listed = films(shown)
        missing = [line for line in shown if not listed and not any(agrees(line, other) for other in real)]
        assert missing == [], (arguments, printed)
        if listed:  # another processor's training may order a few of them otherwise
            same = films(real).keys() & listed.keys()
            assert len(same) >= len(listed) - 1
            assert all(abs(films(real)[title] - listed[title]) < 0.1 for title in same)


# What the fixtures `demo` and `tutorial_run` have run, or the test of the README.
DONE_BEFORE = {"train", "convert"}
# Options that make a command of the pages quick.
QUICKER = {"latency": ["--threads", "1", "--runtime", "litert-2.3.0", "--samples", "100", "--processes", "1"]}


@pytest.mark.full
def test_the_commands_of_the_pages_run(own_run, tutorial_run, pocketrec):
    folder = own_run.parent
    shutil.copytree(tutorial_run, folder / "tutorial-run")
    commands = [(page.name, arguments) for page in PAGES[1:] for arguments, _ in console(page.read_text("utf-8"))]
    assert len(commands) >= 12
    for page, arguments in commands:
        if arguments[0] not in DONE_BEFORE and not (arguments[0] == "parity" and len(arguments) == 2):
            done = pocketrec(*arguments, *QUICKER.get(arguments[0], []), cwd=folder, timeout=600)
            assert done.code == 0, (page, arguments, done.err)


@pytest.mark.full
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code in blocks("python", README):
        exec(compile("\n".join(code), "README.md", "exec"), {"__name__": "readme"})
    assert (tmp_path / "bundle" / "manifest.json").exists()


@pytest.mark.full
def test_commands_for_a_savedmodel_of_ones_own_run(pocketrec, tmp_path):
    import numpy as np
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.w = tf.Variable(tf.random.stateless_normal([8, 200], (1, 2)))
    module.f = tf.function(lambda x: {"y": tf.matmul(x, module.w)})
    signature = module.f.get_concrete_function(tf.TensorSpec([None, 8], tf.float32, "x"))
    tf.saved_model.save(module, str(tmp_path / "DIR"), signatures=signature)
    queries = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    np.savez(tmp_path / "queries.npz", x=queries)
    text = (ROOT / "docs" / "your-savedmodel.md").read_text(encoding="utf-8")
    commands = [line for lines in blocks("sh", text) for line in lines if line.startswith("pocketrec ")]
    assert len(commands) == 4
    for command in commands:
        done = pocketrec(*shlex.split(command)[1:], cwd=tmp_path)
        assert done.code == 0, (command, done.out, done.err)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    asked = {name for line in re.findall(r"^make ([a-z -]+?)(?: +#.*)?$", text, re.M) for name in line.split()}
    assert {"demo", "test"} <= asked and asked <= targets


def test_make_without_any_python_says_what_to_install(tmp_path):
    command = [shutil.which("make"), "-C", ROOT, "lint", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/nonexistent"}, check=False)
    assert done.returncode != 0
    assert "expected uv or python3.11, got neither; run: apt-get install python3.11 python3.11-venv" in done.stderr


def test_android_tests_without_maven_say_what_to_install(tmp_path):
    (tmp_path / ".installed").touch()  # newer than what it depends on: nothing is to be installed
    command = [shutil.which("make"), "-C", ROOT, "android-test", f"VENV={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/nonexistent"}, check=False)
    assert done.returncode == 2
    assert "expected Maven and a JDK, got neither or one; run: apt-get install maven" in done.stderr


def compared(text: str) -> list[list[list[str]]]:
    """The tables of converters of a page, without their heads."""
    tables = re.findall(r"^\| converter \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", text, re.M)
    return [[[cell.strip() for cell in row.split("|")[1:-1]] for row in rows.splitlines()] for rows in tables]


def test_the_comparison_names_every_converter_and_recipe_with_the_sizes_of_today(run, tutorial_run):
    from pocketrec.convert.other_converters import OTHERS
    from pocketrec.convert.quantize.recipes import RECIPES
    from pocketrec.core.run_dir import Run

    tables = compared((ROOT / "docs" / "why.md").read_text(encoding="utf-8"))
    names = [*OTHERS, *(f"pocketrec {recipe}" for recipe in RECIPES)]
    for (graph, folder), rows in zip((("ranker_strings", tutorial_run), ("retriever", run)), tables, strict=True):
        assert [row[0] for row in rows] == names
        size = {f"pocketrec {v.recipe}": v.size_bytes for v in Run(folder).variants if v.graph == graph}
        for row in rows:
            if row[0] in size:
                assert abs(int(row[1].replace(",", "")) / size[row[0]] - 1) < 0.02, row


def test_the_readmes_four_converters_are_those_of_the_page():
    (short,) = compared(README)
    (whole, _) = compared((ROOT / "docs" / "why.md").read_text(encoding="utf-8"))
    rows = {row[0]: [row[0], row[1], row[3], row[4], row[6]] for row in whole}
    assert short == [rows[row[0]] for row in short]
    verdicts = Counter(cell.strip("*") for row in short for cell in row[2:4])
    assert set(verdicts) == {"right", "wrong", "fails"} and len(short) == 4
