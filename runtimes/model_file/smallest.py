"""The smallest model that can be checked: it squares four numbers."""

import flatbuffers
import numpy as np

from .schema import IDENTIFIER, SIGNATURE, FlatObject, schema

N = 4


def squaring_model(*, has_signature: bool = True) -> bytes:
    """A .tflite file with input `x` float32[4] and output `y` float32[4], x squared; in 0.5 kB."""
    tensors = [_tensor(name) for name in ("x", "y")]
    multiply = schema.OperatorT()
    multiply.inputs, multiply.outputs = [0, 0], [1]
    multiply.builtinOptionsType, multiply.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [multiply], [0], [1]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    code.version = 1
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    if has_signature:
        model.signatureDefs = [_signature()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def squares(x: np.ndarray) -> np.ndarray:
    """What the model answers, to the bit: one multiplication in float32."""
    return x * x


def _tensor(name: str) -> FlatObject:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [N], schema.TensorType.FLOAT32, 0
    return tensor


def _signature() -> FlatObject:
    maps = []
    for index, name in enumerate(("x", "y")):
        port = schema.TensorMapT()
        port.name, port.tensorIndex = name, index
        maps.append(port)
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.inputs, signature.outputs = SIGNATURE, maps[:1], maps[1:]
    return signature
