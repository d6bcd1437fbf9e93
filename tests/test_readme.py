"""The README's commands are run, and what it names exists."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return [block.strip().splitlines() for block in re.findall(rf"```{language}\n(.*?)```", README, re.S)]


def test_every_code_block_is_of_a_kind_that_is_checked():
    assert {language for language in re.findall(r"```(\w*)\n", README) if language} == {"sh", "text", "console"}


def test_console_commands_run(own_run, pocketrec):
    commands = [line.removeprefix("$ ") for lines in blocks("console") for line in lines if line.startswith("$ ")]
    assert len(commands) >= 8
    for command in commands:
        name, *arguments = shlex.split(command)
        done = pocketrec(*arguments, cwd=own_run.parent)
        assert name == "pocketrec" and done.code == 0, (command, done.err)


def test_foreign_commands_run(pocketrec, tmp_path):
    import numpy as np
    from pocketrec.train.tf import tf

    module = tf.Module()
    module.w = tf.Variable(tf.random.stateless_normal([8, 200], (1, 2)))
    module.f = tf.function(lambda x: {"y": tf.matmul(x, module.w)})
    tf.saved_model.save(
        module,
        str(tmp_path / "DIR"),
        signatures=module.f.get_concrete_function(tf.TensorSpec([None, 8], tf.float32, "x")),
    )
    np.savez(tmp_path / "queries.npz", x=np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32))
    commands = [line for lines in blocks("sh") for line in lines if line.startswith("pocketrec ")]
    assert len(commands) == 3
    for command in commands:
        done = pocketrec(*shlex.split(command)[1:], cwd=tmp_path)
        assert done.code == 0, (command, done.out, done.err)


def test_make_targets_exist():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    for line in (line for lines in blocks("sh") for line in lines if line.startswith("make ")):
        assert line.split()[1] in targets


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


def test_demo_output_shown_is_part_of_the_real_one(demo):
    _, done = demo
    shown = "\n".join(next(lines for lines in blocks("text") if any("Parity" in line for line in lines)))

    def labels(text):
        """First two cells of every table row, but for the films, which another processor's training may order otherwise."""
        rows = [
            [c.strip() for c in re.split("[│┃]", line)[1:3]]
            for line in text.splitlines()
            if line.startswith(("│", "┃"))
        ]
        return [row[:1] if row[0].endswith(".tflite") else row for row in rows if not row[0].isdecimal()]

    real = iter(labels(done.out))
    missing = [row for row in labels(shown) if row not in real]  # `in` advances: order counts too
    assert not missing and len(labels(shown)) > 30


def test_comparison_names_every_converter_and_recipe_with_the_sizes_of_today(run, tutorial_run):
    from pocketrec.convert.other_converters import OTHERS
    from pocketrec.convert.quantize.recipes import RECIPES
    from pocketrec.core.run_dir import Run

    names = [*OTHERS, *(f"pocketrec {recipe}" for recipe in RECIPES)]
    lines = README.split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    tables = [rows[1 : 1 + len(names)], rows[2 + len(names) :]]
    for (graph, folder), table in zip((("ranker_strings", tutorial_run), ("retriever", run)), tables, strict=True):
        assert [row[0] for row in table] == names
        size = {
            f"pocketrec {v['recipe']}": v["size_bytes"]
            for v in Run(folder).variants_json["variants"]
            if v["graph"] == graph
        }
        for row in table:
            if row[0] in size:
                assert abs(int(row[1].replace(",", "")) / size[row[0]] - 1) < 0.02, row


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#h][^)]*)\)", README))))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
