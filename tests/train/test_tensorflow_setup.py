"""Keras 2 is selected without leaving traces in the process; what the command sets, only the command sets."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGES = ("core", "runtimes", "train", "convert", "benchmarks", "android_assets", "cli")
MODULES = sorted(
    ".".join(("pocketrec", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for stage in (*STAGES, "pocketrec/api")
    for path in (ROOT / stage).rglob("*.py")
    if "__main__" not in path.name
)

# Imports every module that needs no TensorFlow, and notes what the kit's own code does to the process.
IMPORT_ALL = """
import importlib, os, sys, warnings

class Refuse:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("tensorflow", "tensorflow_recommenders", "tensorflow_datasets", "scann", "tf_keras"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
environment, touched = dict(os.environ), []
for name in ("filterwarnings", "simplefilter", "resetwarnings"):
    def noted(*args, _real=getattr(warnings, name), **kwargs):
        touched.append(sys._getframe(1).f_code.co_filename)
        return _real(*args, **kwargs)
    setattr(warnings, name, noted)
imported, needs_tensorflow = [], []
for module in MODULES:
    try:
        importlib.import_module(module)
        imported.append(module)
    except Exception as error:
        assert isinstance(error, ImportError) or error.code == "NOT_INSTALLED", (module, error)
        needs_tensorflow.append(module)
assert dict(os.environ) == environment
own = [path for path in touched if path.startswith(ROOT) and "site-packages" not in path]
assert not own, own
assert "tensorflow" not in sys.modules
print(*imported)
"""


def python(program, **variables):
    lines = [f"{name} = {value!r}" for name, value in variables.items()]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, program])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_kit_changes_no_environment_variable_and_no_warning_filter():
    modules = ["pocketrec", *(name.replace("pocketrec.pocketrec", "pocketrec") for name in MODULES)]
    imported = set(python(IMPORT_ALL, MODULES=modules, ROOT=str(ROOT)).split())
    needed = {"stage", "presets", "server_recommender", "tensorflow_setup", "trained_models"}
    assert {f"pocketrec.train.{name}" for name in needed} <= imported
    assert {"pocketrec.convert.stage", "pocketrec.benchmarks.parity.stage", "pocketrec.cli.main"} <= imported


def test_a_table_that_help_reads_imports_neither_numpy_nor_tensorflow():
    python(
        "import sys\n"
        "import pocketrec.train.presets, pocketrec.train.data.datasets, pocketrec.train.data.splits\n"
        "import pocketrec.train.data.files.columns\n"
        "assert 'numpy' not in sys.modules and 'tensorflow' not in sys.modules"
    )


KERAS_OF = """
from pocketrec.train.tf import tf
from pocketrec.train.tfrs import tfrs
assert tf.keras.layers.Dense.__module__.startswith("tf_keras")
"""


@pytest.mark.parametrize("before", [None, *(pytest.param(value, marks=pytest.mark.full) for value in "01")])
def test_keras_2_is_selected_and_the_environment_left_as_it_was(before):
    python(
        "import os, sys\n"
        "os.environ.pop('CUDA_VISIBLE_DEVICES', None)\n"
        "os.environ.pop('TF_USE_LEGACY_KERAS', None) if before is None else "
        "os.environ.__setitem__('TF_USE_LEGACY_KERAS', before)\n"
        + KERAS_OF
        + "assert os.environ.get('TF_USE_LEGACY_KERAS') == before\n"
        "assert 'CUDA_VISIBLE_DEVICES' not in os.environ",
        before=before,
    )


FAKE = "sys.modules['tensorflow'] = types.SimpleNamespace(keras=types.SimpleNamespace(version=lambda: '3.8.0'))"


@pytest.mark.parametrize(
    "first", [FAKE, pytest.param("import tensorflow; tensorflow.keras.layers", marks=pytest.mark.full)]
)
def test_keras_3_in_use_is_refused(first):
    python(
        "import os, sys, types\n"
        "os.environ.pop('TF_USE_LEGACY_KERAS', None)\n"
        f"{first}\n"
        "from pocketrec.core.errors import InputError\n"
        "from pocketrec.train.tensorflow_setup import configure_tensorflow\n"
        "def imports():\n"
        "    import pocketrec.train.tf\n"
        "for step in (imports, configure_tensorflow):\n"
        "    try:\n"
        "        step()\n"
        "    except InputError as error:\n"
        "        assert error.code == 'KERAS_UNSUPPORTED' and 'TF_USE_LEGACY_KERAS=1' in str(error), error\n"
        "    else:\n"
        "        raise AssertionError(step)\n"
        "assert 'TF_USE_LEGACY_KERAS' not in os.environ"
    )


@pytest.mark.full
@pytest.mark.parametrize("first", ["import tensorflow", "import scann, tensorflow"])
def test_a_tensorflow_imported_before_whose_keras_was_not_used_is_taken(first):
    python(
        "import os\n"
        "os.environ.pop('TF_USE_LEGACY_KERAS', None)\n"
        f"{first}\n"
        "from pocketrec.train.tensorflow_setup import configure_tensorflow\n"
        "configure_tensorflow()\n"
        "from pocketrec.train.tf import tf\n"
        "from pocketrec.train.tfrs import tfrs\n"
        "assert tf is tensorflow and tf.keras.layers.Dense.__module__.startswith('tf_keras')"
    )


def test_the_command_sets_the_process_up_once_and_keeps_what_is_set():
    python(
        "import os, logging, warnings\n"
        "for name in ('TF_USE_LEGACY_KERAS', 'TF_CPP_MIN_LOG_LEVEL', 'TFDS_DISABLE_PROGRESS_BAR'):\n"
        "    os.environ.pop(name, None)\n"
        "os.environ['CUDA_VISIBLE_DEVICES'] = '0'\n"
        "from pocketrec.train.tensorflow_setup import configure_tensorflow\n"
        "configure_tensorflow()\n"
        "filters = list(warnings.filters)\n"
        "configure_tensorflow()\n"
        "assert warnings.filters == filters and len(logging.getLogger('tensorflow').filters) == 1\n"
        "assert os.environ['TF_USE_LEGACY_KERAS'] == '1' and os.environ['TF_CPP_MIN_LOG_LEVEL'] == '2'\n"
        "assert os.environ['CUDA_VISIBLE_DEVICES'] == '0'"
    )


def test_without_tensorflow_one_line_says_what_to_install():
    python(
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "from pocketrec.core.errors import InputError\n"
        "try:\n"
        "    import pocketrec.train.tf\n"
        "except InputError as error:\n"
        "    assert error.code == 'NOT_INSTALLED' and 'pocketrec[train]' in str(error)\n"
        "else:\n"
        "    raise AssertionError"
    )
