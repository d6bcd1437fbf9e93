"""TFLite's C API as the `Interpreter` that tflite_worker.py uses, out of a shared library of Android.

The library attaches no delegate by itself; without an `experimental_op_resolver_type` XNNPACK is put on by hand. Standard library and
NumPy only; tflite_worker.py imports it by path.
"""

import ctypes
import platform
from pathlib import Path

import numpy as np

# TfLiteType of tensorflow/lite/core/c/c_api_types.h.
_DTYPES = {
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
_NOTHING_SIZE = 256


class _Options(ctypes.Structure):
    """TfLiteXNNPackDelegateOptions, with room for what later versions add; only its first field is set."""

    _fields_ = (("num_threads", ctypes.c_int32), ("others", ctypes.c_char * 252))


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

    def bound(self, name, result, *types):
        function = self.dll[name]
        function.restype, function.argtypes = result, types
        return function

    def Interpreter(self, **options):  # noqa: N802
        return Interpreter(self, **options)


def opened(libraries):
    """The library for this machine: `libraries` names its path by machine."""
    return Library(libraries[platform.machine()])


def done(status, what):
    """TFLite has said on stderr why, before."""
    if status:
        raise SystemExit(f"{what}: status {status}")


class Interpreter:
    """A model, addressed through its first signature, or, where it has none, through its graph."""

    def __init__(self, library, *, model_path, num_threads, experimental_op_resolver_type=None):
        handle, text, integer, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_size_t
        bound = library.bound
        model = bound("TfLiteModelCreateFromFile", handle, text)(model_path.encode())
        if not model:
            raise SystemExit(f"{model_path}: no TFLite model")
        options = bound("TfLiteInterpreterOptionsCreate", handle)()
        bound("TfLiteInterpreterOptionsSetNumThreads", None, handle, integer)(options, num_threads)
        if experimental_op_resolver_type is None:
            wanted = bound("TfLiteXNNPackDelegateOptionsDefault", _Options)()
            wanted.num_threads = num_threads
            delegate = bound("TfLiteXNNPackDelegateCreate", handle, ctypes.POINTER(_Options))(wanted)
            bound("TfLiteInterpreterOptionsAddDelegate", None, handle, handle)(options, delegate)
        self.handle = bound("TfLiteInterpreterCreate", handle, handle, handle)(model, options)
        if not self.handle:
            raise SystemExit("the library makes no interpreter of this model")
        self.keys = []
        for index in range(bound("TfLiteInterpreterGetSignatureCount", integer, handle)(self.handle)):
            key = bound("TfLiteInterpreterGetSignatureKey", text, handle, integer)(self.handle, index)
            self.keys.append(key.decode())
        self.type_of = bound("TfLiteTensorType", ctypes.c_int, handle)
        self.n_dims = bound("TfLiteTensorNumDims", integer, handle)
        self.dim = bound("TfLiteTensorDim", integer, handle, integer)
        self.name_of = bound("TfLiteTensorName", text, handle)
        self.byte_size = bound("TfLiteTensorByteSize", size, handle)
        self.data = bound("TfLiteTensorData", handle, handle)
        self.reallocate = bound("TfLiteTensorRealloc", ctypes.c_int, size, handle)
        self.copy = bound("TfLiteTensorCopyFromBuffer", ctypes.c_int, handle, text, size)
        self.n_free = bound("TfLiteOpaqueTensorGetNumDimsSignature", ctypes.c_int, handle, handle)
        self.free_dim = bound("TfLiteOpaqueTensorGetDimSignature", ctypes.c_int, handle, integer, handle)
        self._bind_graph(bound, handle, text, integer, size)

    def _bind_graph(self, bound, handle, text, integer, size):
        """What is called on a signature's runner by names, and otherwise on the interpreter by numbers."""
        dims = ctypes.POINTER(integer)
        if self.keys:
            find = bound("TfLiteInterpreterGetSignatureRunner", handle, handle, text)
            self.graph, prefix, key, count = find(self.handle, self.keys[0].encode()), "TfLiteSignatureRunner", text, size
        else:
            self.graph, prefix, key, count = self.handle, "TfLiteInterpreter", integer, integer
        middle = "" if self.keys else "Tensor"
        self.allocate = bound(f"{prefix}AllocateTensors", ctypes.c_int, handle)
        self.run = bound(f"{prefix}Invoke", ctypes.c_int, handle)
        self.resize = bound(f"{prefix}ResizeInputTensor", ctypes.c_int, handle, key, dims, integer)
        self.sides = {}
        for side in ("Input", "Output"):
            n = bound(f"{prefix}Get{side}{middle}Count", count, handle)(self.graph)
            names = [bound(f"{prefix}Get{side}Name", text, handle, integer)(self.graph, i) for i in range(n)] if self.keys else range(n)
            self.sides[side] = bound(f"{prefix}Get{side}Tensor", handle, handle, key), list(names)

    def get_signature_list(self):
        return self.keys

    def get_signature_runner(self, key):
        return self

    def get_input_details(self):
        return self._details("Input")

    def get_output_details(self):
        return self._details("Output")

    def _details(self, side):
        find, keys = self.sides[side]
        found = []
        for key in keys:
            tensor = find(self.graph, key)
            name = (key if self.keys else self.name_of(tensor)).decode()
            found.append({"name": name, "index": (side, key), **self._shapes(tensor), "dtype": _DTYPES[self.type_of(tensor)]})
        return {port["name"]: port for port in found} if self.keys else found

    def _shapes(self, tensor):
        """Of today, and as declared: -1 where it is free."""
        shape, n, value = self._shape(tensor), ctypes.c_int32(-1), ctypes.c_int32()
        self.n_free(tensor, ctypes.byref(n))
        free = []
        for axis in range(n.value):
            self.free_dim(tensor, axis, ctypes.byref(value))
            free.append(value.value)
        return {"shape": np.array(shape, np.int32), "shape_signature": np.array(free if n.value == len(shape) else shape, np.int32)}

    def _shape(self, tensor):
        return [self.dim(tensor, axis) for axis in range(self.n_dims(tensor))]

    def _tensor(self, index):
        side, key = index
        return self.sides[side][0](self.graph, key)

    def allocate_tensors(self):
        done(self.allocate(self.graph), "allocating tensors")

    def resize_tensor_input(self, index, shape):
        done(self.resize(self.graph, index[1], (ctypes.c_int32 * len(shape))(*shape), len(shape)), "resizing an input")

    def invoke(self):
        done(self.run(self.graph), "running the model")

    def set_tensor(self, index, value):
        tensor = self._tensor(index)
        data = packed_strings(value) if value.dtype == object else np.ascontiguousarray(value).tobytes()
        if value.dtype == object:
            done(self.reallocate(len(data), tensor), "making room for text")
        done(self.copy(tensor, data, len(data)), f"input {index[1]}")

    def get_tensor(self, index):
        tensor = self._tensor(index)
        data = ctypes.string_at(self.data(tensor), self.byte_size(tensor))
        dtype, shape = _DTYPES[self.type_of(tensor)], self._shape(tensor)
        values = unpacked_strings(data) if dtype is np.bytes_ else np.frombuffer(data, dtype)
        return values.reshape(shape)


def packed_strings(values):
    """A string tensor's bytes (tensorflow/lite/string_util.h): count, bounds of each string from the start, all bytes."""
    texts = [text if isinstance(text, bytes) else text.encode() for text in values.reshape(-1)]
    bounds = np.cumsum([4 * (len(texts) + 2), *map(len, texts)])
    return np.array([len(texts), *bounds], np.int32).tobytes() + b"".join(texts)


def unpacked_strings(data):
    n = int(np.frombuffer(data, np.int32, 1)[0])
    bounds = np.frombuffer(data, np.int32, n + 1, 4)
    return np.array([data[start:stop] for start, stop in zip(bounds, bounds[1:], strict=False)], object)
