"""Operators that LiteRT's GPU accelerator computes wrongly: each a model of a few lines, without this kit.

    python tools/gpu_reproductions.py [NAME ...]

Needs numpy, tensorflow and ai-edge-litert, and a driver: that of a GPU, or SwiftShader through VK_ICD_FILENAMES (docs/gpu.md).
TensorFlow makes each model and says what is expected; a process of its own executes it by CompiledModel on the CPU, another with
GPU and CPU. A model that is right on both stands beside each that is not.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
WEIGHTS = RNG.uniform(1, 9, (8, 4)).astype(np.float32)
CODES = RNG.integers(-99, 100, (20, 8))
LONG = RNG.normal(size=(50, 16)).astype(np.float32)
SECONDS = 120  # for one process


def ramp(*shape: int) -> np.ndarray:
    """float32 of a shape: 1, 2, 3 and so on."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


@dataclass(frozen=True)
class Case:
    """A model of one operator.

    Attributes:
        body: the model, of TensorFlow and one tensor.
        shape: of its input; None marks a free dimension.
        calls: inputs, one for each call.
        right: whether the accelerator is right about it: the neighbour of a wrong one.
    """

    body: Callable[[Any, Any], Any]
    shape: tuple[int | None, ...]
    calls: Sequence[np.ndarray]
    right: bool = False


def dense(tf: Any, x: Any) -> Any:
    """Becomes FULLY_CONNECTED of one axis: the converter drops both RESHAPE."""
    return tf.reshape(tf.matmul(tf.reshape(x, [1, -1]), WEIGHTS), [-1])


def looked_up(dtype: str) -> Callable[[Any, Any], Any]:
    """GATHER of a constant [20, 8]."""
    return lambda tf, ids: tf.gather(tf.constant(CODES.astype(dtype)), ids)


def growing(tf: Any, ids: Any) -> Any:
    """GATHER_ND stays on the CPU, GATHER, MUL and SUM run on the GPU."""
    return tf.reduce_sum(tf.gather_nd(LONG, ids[:, None]) * tf.gather(LONG, ids), -1)


IDS = [np.array([0, 3, 7, 19], np.int32)]
FEW, MANY = np.arange(5, dtype=np.int32), np.arange(40, dtype=np.int32)
CASES = {
    "FULLY_CONNECTED of [8]": Case(dense, (8,), [ramp(8)]),
    "FULLY_CONNECTED of [1, 8]": Case(lambda tf, x: tf.matmul(x, WEIGHTS), (1, 8), [ramp(1, 8)], right=True),
    "MUL of [8] by a constant [8]": Case(lambda tf, x: x * WEIGHTS[:, 0], (8,), [ramp(8)]),
    "MUL of [1, 8] by a constant [1, 8]": Case(lambda tf, x: x * WEIGHTS[None, :, 0], (1, 8), [ramp(1, 8)], right=True),
    "ADD of [8, 4] and a constant [8, 1]": Case(lambda tf, x: x + WEIGHTS[:, :1], (8, 4), [ramp(8, 4)]),
    "MUL of [8, 4] by a constant [8, 4]": Case(lambda tf, x: x * WEIGHTS, (8, 4), [ramp(8, 4)]),
    "MUL of [8, 4] by a constant [4]": Case(lambda tf, x: x * WEIGHTS[0], (8, 4), [ramp(8, 4)], right=True),
    "GATHER of an int16 constant": Case(looked_up("int16"), (4,), IDS),
    "GATHER of an int8 constant": Case(looked_up("int8"), (4,), IDS),
    "GATHER of an int32 constant": Case(looked_up("int32"), (4,), IDS, right=True),
    "5 rows, then 40": Case(growing, (None,), [FEW, MANY]),
    "40 rows, then 5": Case(growing, (None,), [MANY, FEW], right=True),
}


@dataclass(frozen=True)
class Outcome:
    """What one processor made of a model.

    Attributes:
        answers: one array for each call that was answered.
        end: how the process ended; '' when it answered every call.
        off: largest difference from what TensorFlow answers, of all calls; infinity where one has no answer or a NaN.
    """

    answers: list[np.ndarray]
    end: str
    off: float

    @property
    def right(self) -> bool:
        return self.off < 1e-3


def expected(case: Case) -> list[np.ndarray]:
    """What TensorFlow answers."""
    import tensorflow as tf

    return [case.body(tf, tf.constant(call)).numpy() for call in case.calls]


def converted(case: Case) -> bytes:
    """The model as a .tflite file."""
    import tensorflow as tf

    spec = tf.TensorSpec(case.shape, case.calls[0].dtype, name="x")
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": case.body(tf, x)}, input_signature=[spec])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.f)
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()


def execute(case: Case, data: bytes, *, on: str) -> Outcome:
    """Run a model in a process of its own.

    Args:
        on: `cpu`, or `gpu` for the accelerator with the CPU for what it does not take.
    """
    wanted = expected(case)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(data)
        calls = [{"shape": call.shape, "dtype": call.dtype.name, "data": call.tolist()} for call in case.calls]
        outputs = [{"size": answer.size, "dtype": answer.dtype.name} for answer in wanted]
        spec = {"model": str(file), "on": on, "free": None in case.shape, "calls": calls, "outputs": outputs}
        command = [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(spec)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return Outcome([], f"no answer in {SECONDS} s", np.inf)
    lines = [line.removeprefix("answer ") for line in done.stdout.splitlines() if line.startswith("answer ")]
    answers = [
        np.array(json.loads(line), want.dtype).reshape(want.shape) for line, want in zip(lines, wanted, strict=False)
    ]
    end = ending(done) if done.returncode else ""
    off = max((float(np.abs(one - two).max()) for one, two in zip(answers, wanted, strict=False)), default=np.inf)
    return Outcome(answers, end, np.inf if end or np.isnan(off) else off)


def ending(done: subprocess.CompletedProcess[str]) -> str:
    """How a process that failed ended."""
    if done.returncode < 0:
        return f"the process ends with {signal.Signals(-done.returncode).name}"
    errors = [line for line in done.stderr.splitlines() if "Error" in line]
    return errors[-1] if errors else f"the process ends with status {done.returncode}"


def child(spec: dict[str, Any]) -> None:
    """Answer every call, in a process that may die of it."""
    from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator

    on = HardwareAccelerator.CPU if spec["on"] == "cpu" else HardwareAccelerator.GPU | HardwareAccelerator.CPU
    model = CompiledModel.from_file(spec["model"], hardware_accel=on)
    (key,) = model.get_signature_list()
    for call, output in zip(spec["calls"], spec["outputs"], strict=True):
        if spec["free"]:
            model.resize_input_tensor_by_name(key, "x", call["shape"])
        inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
        inputs[0].write(np.array(call["data"], call["dtype"]))
        model.run_by_index(0, inputs, outputs)
        dtype = np.dtype(output["dtype"])
        found = outputs[0].read(output["size"] * dtype.itemsize, np.uint8).view(dtype)
        say(f"answer {json.dumps(found.tolist())}")


def report(name: str, case: Case) -> str:
    """Both outcomes of a model, and the values of the last call where they differ."""
    data = converted(case)
    cpu, gpu = (execute(case, data, on=on) for on in ("cpu", "gpu"))
    lines = [f"{name}: {'right' if gpu.right else 'WRONG'} on the GPU, {'right' if cpu.right else 'WRONG'} on the CPU"]
    if not gpu.right:
        lines += [f"  expected {show(expected(case)[-1])}", f"  got      {gpu.end or show(gpu.answers[-1])}"]
    if not cpu.right:
        lines.append(f"  CPU      {cpu.end or show(cpu.answers[-1])}")
    return "\n".join(lines)


def show(values: np.ndarray) -> str:
    flat = values.reshape(-1)
    return ", ".join(f"{value:g}" for value in flat[:8]) + (f" … {flat[-1]:g}" if flat.size > 8 else "")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(json.loads(options.child))
        return
    if unknown := [name for name in options.names if name not in CASES]:
        parser.error(f"no such model: {', '.join(unknown)}; expected one of {', '.join(map(repr, CASES))}")
    for name in options.names or CASES:
        say(report(name, CASES[name]))


if __name__ == "__main__":
    main()
