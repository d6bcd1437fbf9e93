"""Tolerances with their reasons, read from TOML.

A table `[GRAPH.RECIPE]` limits one graph under one recipe; it inherits what it does not name from `[GRAPH.default]`, which also
holds for recipes without a table. `[GRAPH.implicit.RECIPE]` takes their place for runs without ratings. `same_as = "GRAPH"` under
`[GRAPH]` takes another graph's tables. A limit is the name of a metric of `METRICS` that says which way it improves.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ....convert.graphs import GRAPHS
from ....convert.quantize.recipes import RECIPES
from ....core.errors import InputError, nearest
from ....core.records.agreement import METRICS, Agreement
from ....core.records.record import Json

DEFAULT_GATES = Path(__file__).with_name("gates.toml")

FOREIGN = ("foreign", "any")
_DEFAULT, _IMPLICIT, _SAME = "default", "implicit", "same_as"
# Graph, recipe or "default", and whether it is for runs without ratings.
_Key = tuple[str, str, bool]


@dataclass(frozen=True)
class Gate:
    """Limits for one graph under one recipe, by metric, and why they are what they are."""

    limits: Mapping[str, float]
    reason: str

    def misses(self, metrics: Agreement) -> list[str]:
        """One text per broken limit: metric, value, bound. A metric that could not be computed breaks its limit."""
        found = []
        for name, bound in self.limits.items():
            value = metrics.value(name)
            if value is None:
                found.append(f"{name} could not be computed")
            elif not METRICS[name].keeps(value, bound):
                how = "above" if METRICS[name].better == "lower" else "below"
                found.append(f"{name} {value:.4g} is {how} {bound:g}")
        return found

    def to_json(self) -> Json:
        """Limits and reason, as parity.json holds them."""
        return {**self.limits, "reason": self.reason}


@dataclass(frozen=True)
class Gates:
    """The gates of a file."""

    tables: Mapping[_Key, Gate]

    def find(self, graph: str, recipe: str, *, is_implicit: bool = False) -> Gate | None:
        """The gate of a graph under a recipe; None where the file has neither a table for them nor a default.

        Args:
            is_implicit: the run has no ratings: tables `[GRAPH.implicit.…]` are looked up first.
        """
        keys = [(graph, recipe, True), (graph, _DEFAULT, True)] if is_implicit else []
        keys += [(graph, recipe, False), (graph, _DEFAULT, False)]
        return next((self.tables[key] for key in keys if key in self.tables), None)


def read_gates(path: Path | None = None) -> Gates:
    """Read a file of gates; the kit's own when None.

    Raises:
        InputError: unreadable TOML, an unknown graph, recipe or metric (the nearest is named), a limit that is no number, or a
            table without a reason.
    """
    path = path or DEFAULT_GATES
    try:
        document: Json = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _faulty("", "a TOML file", f"{path} ({error})", "see benchmarks/parity/judging/gates.toml") from error
    found: dict[_Key, Gate] = {}
    for graph, tables in document.items():
        found |= _tables_of(graph, tables)
    for graph, tables in document.items():
        if isinstance(tables, dict) and _SAME in tables:
            found |= _shared(graph, tables, found)
    return Gates(found)


def _tables_of(graph: str, tables: object) -> dict[_Key, Gate]:
    if not isinstance(tables, dict):
        raise _faulty("", "tables such as [ranker.float32]", f"{graph} = {tables!r}", "remove it")
    if graph != FOREIGN[0]:
        _pick(f"[{graph}]", graph, GRAPHS)
    explicit = {name: table for name, table in tables.items() if name not in (_IMPLICIT, _SAME)}
    found = {(graph, recipe, False): gate for recipe, gate in _recipes(graph, explicit).items()}
    if _IMPLICIT in tables:
        implicit = tables[_IMPLICIT]
        if not isinstance(implicit, dict):
            raise _faulty(f"[{graph}]", f"tables such as [{graph}.implicit.default]", repr(implicit), "remove it")
        found |= {(graph, recipe, True): gate for recipe, gate in _recipes(f"{graph}.{_IMPLICIT}", implicit).items()}
    return found


def _recipes(where: str, tables: Mapping[str, object]) -> dict[str, Gate]:
    """The gates of one graph by recipe, each with what it inherits from the default."""
    inherited: Mapping[str, float] = {}
    if _DEFAULT in tables:
        inherited = _gate(f"[{where}.{_DEFAULT}]", tables[_DEFAULT], {}).limits
    found = {}
    for recipe, table in tables.items():
        if (where, recipe) != FOREIGN:
            _pick(f"[{where}.{recipe}]", recipe, [*RECIPES, _DEFAULT])
        found[recipe] = _gate(f"[{where}.{recipe}]", table, inherited)
    return found


def _shared(graph: str, tables: Mapping[str, object], found: Mapping[_Key, Gate]) -> dict[_Key, Gate]:
    """The tables that a graph takes from another; its own come first."""
    other = tables[_SAME]
    if not isinstance(other, str) or other == graph or not any(key[0] == other for key in found):
        raise _faulty(f"[{graph}] {_SAME}", "another graph that has tables", repr(other), "name one")
    return {
        (graph, recipe, implicit): gate
        for (named, recipe, implicit), gate in found.items()
        if named == other and (graph, recipe, implicit) not in found
    }


def _gate(where: str, table: object, inherited: Mapping[str, float]) -> Gate:
    if not isinstance(table, dict):
        raise _faulty(where, "a table with a reason", repr(table), 'add reason = "..."')
    reason = table.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise _faulty(where, "a table with a reason", "none", 'add reason = "..."')
    limits = dict(inherited)
    for name, bound in table.items():
        if name == "reason":
            continue
        if name not in METRICS or not METRICS[name].is_gated:
            raise _unknown_limit(where, name)
        if isinstance(bound, bool) or not isinstance(bound, int | float) or bound != bound:
            raise _faulty(where, f"a number for {name}", repr(bound), "write a number")
        limits[name] = float(bound)
    return Gate(limits, reason)


def _unknown_limit(where: str, name: str) -> InputError:
    gated = [metric for metric, described in METRICS.items() if described.is_gated]
    hint = nearest(name, gated, n=1)
    do = f"did you mean {hint[0]}?" if hint else "remove it"
    return _faulty(where, f"limits among {', '.join(gated)}", repr(name), do)


def _pick(where: str, name: str, table: Iterable[str]) -> None:
    if name not in (names := list(table)):
        hint = nearest(name, names, n=1)
        do = f"did you mean {hint[0]}?" if hint else "choose one of them"
        raise _faulty(where, f"one of {', '.join(names)}", repr(name), do)


def _faulty(where: str, expected: str, given: str, do: str) -> InputError:
    return InputError(f"--gates {where}".strip(), expected=expected, given=given, do=do, code="GATES_INVALID")
