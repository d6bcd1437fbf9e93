"""Cutting a graph: its first operators with what they have computed as outputs, or one operator alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...core.errors import InputError
from ...runtimes.model_file.reader import Op, Tensor, TfliteFile, parse_tflite
from ...runtimes.model_file.schema import SIGNATURE, FlatObject
from .editor import Editor

# What runtimes return as arrays of numbers.
_OBSERVED = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")


@dataclass(frozen=True)
class CutGraph:
    """The first subgraph of a file, to be cut.

    Attributes:
        data: the file's bytes.

    Raises:
        InputError: no .tflite file, a first signature of another subgraph, or inputs without names of their own.
    """

    data: bytes

    def __post_init__(self) -> None:
        signatures = Editor(self.data).model.signatureDefs or []
        if signatures and signatures[0].subgraphIndex:
            raise _refusal("a first signature of the first subgraph", f"one of subgraph {signatures[0].subgraphIndex}")
        names = [port["name"] for port in self.file.ports()[0]]
        if "" in names or len(set(names)) < len(names):
            raise _refusal("inputs with names of their own", ", ".join(names))

    @cached_property
    def file(self) -> TfliteFile:
        """The file, parsed."""
        return parse_tflite(self.data)

    @property
    def ops(self) -> list[Op]:
        """Operators in execution order."""
        return self.file.ops

    def tensor(self, index: int) -> Tensor:
        """A tensor of the graph."""
        return self.file.tensors[index]

    @cached_property
    def input_names(self) -> dict[int, str]:
        """What each input is called, by tensor."""
        return {int(port.tensorIndex): port.name.decode() for port in Editor(self.data).signature().inputs}

    @cached_property
    def _outputs(self) -> set[int]:
        return {int(i) for i in Editor(self.data).graph.outputs}

    @cached_property
    def constant(self) -> set[int]:
        """Tensors that no input has a part in: constants, what is computed of them, and resources."""
        made = {output for op in self.ops for output in op.outputs}
        found = {tensor.index for tensor in self.file.tensors} - made - set(self.input_names)
        for op in self.ops:
            if all(index in found for index in op.inputs if index >= 0):
                found.update(op.outputs)
        return found

    def is_observed(self, index: int) -> bool:
        """Whether a tensor depends on the inputs and has values that a runtime can return."""
        return index not in self.constant and self.tensor(index).dtype in _OBSERVED

    def observed(self) -> list[int]:
        """What the operators compute of the inputs."""
        return [output for op in self.ops for output in op.outputs if self.is_observed(output)]

    def live(self, number: int) -> list[int]:
        """What the operators up to `number` have computed of the inputs and later ones, or a caller, read; and its own outputs."""
        wanted = {index for op in self.ops[number + 1 :] for index in op.inputs} | self._outputs
        wanted |= set(self.ops[number].outputs)
        made = [output for op in self.ops[: number + 1] for output in op.outputs]
        return [index for index in made if index in wanted and self.is_observed(index)]

    def places(self) -> list[int]:
        """Numbers of the operators with outputs that can be observed: where the graph can be cut."""
        return [number for number, op in enumerate(self.ops) if any(map(self.is_observed, op.outputs))]

    def until(self, number: int, tensors: Sequence[int]) -> bytes:
        """The file up to an operator, with the given tensors as its outputs, named as `output_name` says."""
        editor = Editor(self.data)
        editor.graph.operators = editor.ops[: number + 1]
        return self._with_outputs(editor, tensors)

    def alone(self, number: int, shapes: Mapping[int, Sequence[int]]) -> bytes | None:
        """One operator, and the operators on constants that it needs; None where it takes what cannot be fed.

        Args:
            shapes: shape of each of its inputs that is no constant, by tensor; they become the file's inputs, named as
                `output_name` says.
        """
        op, editor = self.ops[number], Editor(self.data)
        fed = [index for index in dict.fromkeys(op.inputs) if index >= 0 and index not in self.constant]
        if not fed or any(index not in shapes for index in fed):
            return None
        kept = {number, *self._makers_of_constants(op)}
        editor.graph.operators = [made for place, made in enumerate(editor.ops) if place in kept]
        editor.graph.inputs, signature = fed, editor.signature()
        signature.inputs = [editor.port(output_name(index), index) for index in fed]
        for index in fed:
            editor.tensor(index).shape, editor.tensor(index).shapeSignature = list(shapes[index]), None
        return self._with_outputs(editor, [index for index in op.outputs if self.is_observed(index)], is_small=True)

    def _makers_of_constants(self, op: Op) -> set[int]:
        maker = {output: number for number, made in enumerate(self.ops) for output in made.outputs}
        found: set[int] = set()
        waiting = [index for index in op.inputs if index in self.constant]
        while waiting:
            index = waiting.pop()
            if index in maker and maker[index] not in found:
                found.add(maker[index])
                waiting.extend(self.ops[maker[index]].inputs)
        return found

    def _with_outputs(self, editor: Editor, tensors: Sequence[int], *, is_small: bool = False) -> bytes:
        editor.graph.outputs = list(tensors)
        signature = editor.signature()
        signature.outputs = [_port(editor, index) for index in tensors]
        editor.model.signatureDefs = [signature]
        if not is_small:
            return editor.pack_as_is()
        signature.signatureKey = SIGNATURE.encode()
        editor.model.metadata = []
        return editor.pack()


def output_name(index: int) -> str:
    """What a cut file calls a tensor."""
    return f"t{index}"


def _port(editor: Editor, index: int) -> FlatObject:
    return editor.port(output_name(index), index)


def _refusal(expected: str, given: str) -> InputError:
    return InputError(
        "--blame",
        expected=expected,
        given=given,
        do="convert the model with a signature for this graph",
        code="MODEL_UNSUPPORTED",
    )
