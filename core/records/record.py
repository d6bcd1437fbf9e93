"""What the kit's JSON documents are made of: frozen dataclasses that read and write themselves, and say what their fields mean."""

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Self

import msgspec

from ..errors import InputError

Json = dict[str, object]


@dataclass(frozen=True)
class Doc:
    """What a field of a record means: `Annotated[float, Doc("median of all calls", "µs")]`."""

    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Record:
    """Base of the records. Fields without a default must be in a document; unknown fields are let pass."""

    def to_json(self) -> Json:
        """The record as JSON holds it: fields in the order of the class, tuples as lists."""
        return {item.name: _plain(getattr(self, item.name)) for item in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, document: object, name: str = "document") -> Self:
        """Read a record.

        Args:
            document: what a JSON parser returned.
            name: the file, for the error.

        Raises:
            InputError: a field is missing or has another type.
        """
        try:
            return msgspec.convert(document, cls)
        except msgspec.ValidationError as error:
            raise InputError(
                name,
                expected=f"the fields of {cls.__name__}",
                given=str(error),
                do="write it again with this version",
                code="INPUT_UNREADABLE",
            ) from error


def _plain(value: object) -> object:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


@dataclass(frozen=True)
class FieldSpec:
    """One row of the documentation of a record: dotted name, type in words, unit and meaning."""

    name: str
    type: str
    unit: str
    meaning: str


def describe(record: type[Record], prefix: str = "", *, inside: bool = True) -> list[FieldSpec]:
    """Every field of a record and, with `inside`, of the records inside it, in order; lists of records as `name[]`."""
    rows: list[FieldSpec] = []
    for name, hint in typing.get_type_hints(record, include_extras=True).items():
        doc, plain = _doc_of(hint)
        inner, suffix = _inner_record(plain)
        if doc.meaning or inner is None:
            rows.append(FieldSpec(f"{prefix}{name}", type_words(plain), doc.unit, doc.meaning))
        if inside and inner is not None:
            rows += describe(inner, f"{prefix}{name}{suffix}.")
    return rows


def type_words(hint: object) -> str:
    """A type as documentation says it: `float or null`, `list of string`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return type_words(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return " or ".join(type_words(a) for a in arguments)
    if origin in (list, tuple):
        kinds = list(dict.fromkeys(type_words(a) for a in arguments if a is not Ellipsis))
        return f"[{', '.join(type_words(a) for a in arguments)}]" if _is_pair(hint) else f"list of {kinds[0]}"
    if origin is dict:
        values = type_words(arguments[1])
        return values if values == "object" else f"object of {values}"
    if origin is typing.Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    names: dict[object, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}
    return names.get(hint, "object")


def _is_pair(hint: object) -> bool:
    return typing.get_origin(hint) is tuple and Ellipsis not in typing.get_args(hint)


def _doc_of(hint: object) -> tuple[Doc, object]:
    if typing.get_origin(hint) is Annotated:
        plain, *more = typing.get_args(hint)
        return next((m for m in more if isinstance(m, Doc)), Doc("")), plain
    return Doc(""), hint


def _inner_record(hint: object) -> tuple[type[Record] | None, str]:
    """The record a field holds, and how its fields are reached."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and issubclass(hint, Record):
        return hint, ""
    mark = {list: "[]", tuple: "[]", dict: "{}"}.get(typing.get_origin(hint), "")
    for part in typing.get_args(hint):
        found, suffix = _inner_record(part)
        if found is not None:
            return found, mark + suffix
    return None, ""
