"""TFLite's C API as the `Interpreter` that tflite_worker.py uses, out of a shared library of Android.

The library attaches no delegate by itself; without an `experimental_op_resolver_type` XNNPACK is put on by hand. Standard library
and NumPy only; tflite_worker.py imports it by path.
"""

import ctypes
import platform
import types
from itertools import pairwise
from pathlib import Path

import numpy as np

# TfLiteType of tensorflow/lite/core/c/c_api_types.h.
DTYPES = {
    1: np.float32,
    2: np.int32,
    3: np.uint8,
    4: np.int64,
    5: np.bytes_,
    6: np.bool_,
    7: np.int16,
    9: np.int8,
    10: np.float16,
    11: np.float64,
    12: np.complex128,
    13: np.uint64,
    15: np.uint32,
    16: np.uint16,
}


class _Options(ctypes.Structure):
    """TfLiteXNNPackDelegateOptions, with room for what later versions add; only its first field is set."""

    _fields_ = (("num_threads", ctypes.c_int32), ("others", ctypes.c_char * 252))


_HANDLE, _TEXT, _INT, _SIZE, _STATUS = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_size_t, ctypes.c_int
_DIMS = ctypes.POINTER(ctypes.c_int32)
# Functions of c_api.h, c_api_opaque.h, common.h and xnnpack_delegate.h, without "TfLite": result, then arguments.
_PROTOTYPES = {
    "ModelCreateFromFile": (_HANDLE, _TEXT),
    "InterpreterOptionsCreate": (_HANDLE,),
    "InterpreterOptionsSetNumThreads": (None, _HANDLE, _INT),
    "InterpreterOptionsAddDelegate": (None, _HANDLE, _HANDLE),
    "InterpreterCreate": (_HANDLE, _HANDLE, _HANDLE),
    "InterpreterGetSignatureCount": (_INT, _HANDLE),
    "InterpreterGetSignatureKey": (_TEXT, _HANDLE, _INT),
    "InterpreterGetSignatureRunner": (_HANDLE, _HANDLE, _TEXT),
    "InterpreterGetInputTensorCount": (_INT, _HANDLE),
    "InterpreterGetInputTensor": (_HANDLE, _HANDLE, _INT),
    "InterpreterGetOutputTensorCount": (_INT, _HANDLE),
    "InterpreterGetOutputTensor": (_HANDLE, _HANDLE, _INT),
    "InterpreterResizeInputTensor": (_STATUS, _HANDLE, _INT, _DIMS, _INT),
    "InterpreterAllocateTensors": (_STATUS, _HANDLE),
    "InterpreterInvoke": (_STATUS, _HANDLE),
    "SignatureRunnerGetInputCount": (_SIZE, _HANDLE),
    "SignatureRunnerGetInputName": (_TEXT, _HANDLE, _INT),
    "SignatureRunnerGetInputTensor": (_HANDLE, _HANDLE, _TEXT),
    "SignatureRunnerGetOutputCount": (_SIZE, _HANDLE),
    "SignatureRunnerGetOutputName": (_TEXT, _HANDLE, _INT),
    "SignatureRunnerGetOutputTensor": (_HANDLE, _HANDLE, _TEXT),
    "SignatureRunnerResizeInputTensor": (_STATUS, _HANDLE, _TEXT, _DIMS, _INT),
    "SignatureRunnerAllocateTensors": (_STATUS, _HANDLE),
    "SignatureRunnerInvoke": (_STATUS, _HANDLE),
    "TensorType": (ctypes.c_int, _HANDLE),
    "TensorNumDims": (_INT, _HANDLE),
    "TensorDim": (_INT, _HANDLE, _INT),
    "TensorName": (_TEXT, _HANDLE),
    "TensorByteSize": (_SIZE, _HANDLE),
    "TensorData": (_HANDLE, _HANDLE),
    "TensorRealloc": (_STATUS, _SIZE, _HANDLE),
    "TensorCopyFromBuffer": (_STATUS, _HANDLE, _TEXT, _SIZE),
    "OpaqueTensorGetNumDimsSignature": (_STATUS, _HANDLE, _DIMS),
    "OpaqueTensorGetDimSignature": (_STATUS, _HANDLE, _INT, _DIMS),
}
_XNNPACK = {
    "XNNPackDelegateOptionsDefault": (_Options,),
    "XNNPackDelegateCreate": (_HANDLE, ctypes.POINTER(_Options)),
}


class OpResolverType:
    """As tflite_runtime.interpreter has it."""

    BUILTIN_WITHOUT_DEFAULT_DELEGATES = "without"


class Library:
    """A library of TFLite's C API; in place of an interpreter's module."""

    OpResolverType = OpResolverType

    def __init__(self, path):
        # Those of bionic first: the loader then finds them by the names that the library wants.
        for needed in sorted(Path(path).parent.glob("lib*.so")):
            ctypes.CDLL(str(needed))
        self.dll = ctypes.CDLL(path)
        self.functions = self.bound(_PROTOTYPES)

    def bound(self, prototypes):
        found = types.SimpleNamespace()
        for name, (result, *arguments) in prototypes.items():
            function = self.dll[f"TfLite{name}"]
            function.restype, function.argtypes = result, arguments
            setattr(found, name, function)
        return found

    def Interpreter(self, *, model_path, num_threads, experimental_op_resolver_type=None):  # noqa: N802
        c = self.functions
        model = c.ModelCreateFromFile(model_path.encode())
        if not model:
            raise SystemExit(f"{model_path}: the library reads no model in it")
        options = c.InterpreterOptionsCreate()
        c.InterpreterOptionsSetNumThreads(options, num_threads)
        if experimental_op_resolver_type is None:
            c.InterpreterOptionsAddDelegate(options, self.xnnpack(num_threads))
        interpreter = c.InterpreterCreate(model, options)
        if not interpreter:
            raise SystemExit("the library makes no interpreter of this model")
        return Interpreter(c, interpreter)

    def xnnpack(self, num_threads):
        c = self.bound(_XNNPACK)
        options = c.XNNPackDelegateOptionsDefault()
        options.num_threads = num_threads
        return c.XNNPackDelegateCreate(options)


def opened(libraries):
    """The library for this machine: `libraries` names its path by machine."""
    return Library(libraries[platform.machine()])


def done(status, what):
    """TFLite has said on stderr why, before."""
    if status:
        raise SystemExit(f"{what}: status {status}")


class Signature:
    """A signature's runner: tensors are called by their names in it."""

    def __init__(self, c, runner):
        self.c, self.runner = c, runner
        n_inputs, n_outputs = c.SignatureRunnerGetInputCount(runner), c.SignatureRunnerGetOutputCount(runner)
        self.inputs = [c.SignatureRunnerGetInputName(runner, index) for index in range(n_inputs)]
        self.outputs = [c.SignatureRunnerGetOutputName(runner, index) for index in range(n_outputs)]

    def input(self, name):
        return self.c.SignatureRunnerGetInputTensor(self.runner, name)

    def output(self, name):
        return self.c.SignatureRunnerGetOutputTensor(self.runner, name)

    def resize(self, name, dims, n):
        return self.c.SignatureRunnerResizeInputTensor(self.runner, name, dims, n)

    def allocate(self):
        return self.c.SignatureRunnerAllocateTensors(self.runner)

    def invoke(self):
        return self.c.SignatureRunnerInvoke(self.runner)


class WholeGraph:
    """The interpreter of a file without signatures: tensors are called by number."""

    def __init__(self, c, interpreter):
        self.c, self.interpreter = c, interpreter
        self.inputs = range(c.InterpreterGetInputTensorCount(interpreter))
        self.outputs = range(c.InterpreterGetOutputTensorCount(interpreter))

    def input(self, number):
        return self.c.InterpreterGetInputTensor(self.interpreter, number)

    def output(self, number):
        return self.c.InterpreterGetOutputTensor(self.interpreter, number)

    def resize(self, number, dims, n):
        return self.c.InterpreterResizeInputTensor(self.interpreter, number, dims, n)

    def allocate(self):
        return self.c.InterpreterAllocateTensors(self.interpreter)

    def invoke(self):
        return self.c.InterpreterInvoke(self.interpreter)


class Interpreter:
    """A model, by its first signature or, where it has none, by its graph. An `index` is the function and the key of a tensor."""

    def __init__(self, c, interpreter):
        self.c = c
        n_signatures = c.InterpreterGetSignatureCount(interpreter)
        self.keys = [c.InterpreterGetSignatureKey(interpreter, index).decode() for index in range(n_signatures)]
        runner = c.InterpreterGetSignatureRunner(interpreter, self.keys[0].encode()) if self.keys else None
        self.graph = Signature(c, runner) if runner else WholeGraph(c, interpreter)

    def get_signature_list(self):
        return self.keys

    def get_signature_runner(self, key):
        return self

    def get_input_details(self):
        return self.details(self.graph.input, self.graph.inputs)

    def get_output_details(self):
        return self.details(self.graph.output, self.graph.outputs)

    def details(self, find, keys):
        ports = [self.port(find, key) for key in keys]
        return {port["name"]: port for port in ports} if self.keys else ports

    def port(self, find, key):
        tensor = find(key)
        shape = np.array(self.shape(tensor), np.int32)
        declared = {"shape": shape, "shape_signature": np.array(self.free_shape(tensor) or shape, np.int32)}
        name = (key if self.keys else self.c.TensorName(tensor)).decode()
        return {"name": name, "index": (find, key), **declared, "dtype": DTYPES[self.c.TensorType(tensor)]}

    def shape(self, tensor):
        return [self.c.TensorDim(tensor, axis) for axis in range(self.c.TensorNumDims(tensor))]

    def free_shape(self, tensor):
        """The declared shape, -1 where it is free; empty where nothing was declared free."""
        n, value, found = ctypes.c_int32(), ctypes.c_int32(), []
        self.c.OpaqueTensorGetNumDimsSignature(tensor, n)
        for axis in range(n.value):
            self.c.OpaqueTensorGetDimSignature(tensor, axis, value)
            found.append(value.value)
        return found

    def allocate_tensors(self):
        done(self.graph.allocate(), "allocating tensors")

    def resize_tensor_input(self, index, shape):
        done(self.graph.resize(index[1], (ctypes.c_int32 * len(shape))(*shape), len(shape)), "resizing an input")

    def invoke(self):
        done(self.graph.invoke(), "running the model")

    def set_tensor(self, index, value):
        find, key = index
        tensor, is_text = find(key), value.dtype == object
        data = packed_strings(value) if is_text else value.tobytes()
        if is_text:
            done(self.c.TensorRealloc(len(data), tensor), "making room for text")
        done(self.c.TensorCopyFromBuffer(tensor, data, len(data)), f"setting input {key}")

    def get_tensor(self, index):
        find, key = index
        tensor = find(key)
        data = ctypes.string_at(self.c.TensorData(tensor), self.c.TensorByteSize(tensor))
        dtype = DTYPES[self.c.TensorType(tensor)]
        values = unpacked_strings(data) if dtype is np.bytes_ else np.frombuffer(data, dtype)
        return values.reshape(self.shape(tensor))


def packed_strings(values):
    """A string tensor's bytes (tensorflow/lite/string_util.h): count, bounds of each string from the start, all bytes."""
    texts = [text if isinstance(text, bytes) else text.encode() for text in values.reshape(-1)]
    bounds = np.cumsum([4 * (len(texts) + 2), *map(len, texts)])
    return np.array([len(texts), *bounds], np.int32).tobytes() + b"".join(texts)


def unpacked_strings(data):
    """The texts of a string tensor's bytes."""
    n = int(np.frombuffer(data, np.int32, 1)[0])
    bounds = np.frombuffer(data, np.int32, n + 1, 4)
    return np.array([data[start:stop] for start, stop in pairwise(bounds)], "S")
