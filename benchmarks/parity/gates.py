"""Tolerances with their reasons, read from TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...convert.graphs import GRAPHS
from ...convert.quantize.recipes import RECIPES
from ...core.errors import InputError, nearest, pick

DEFAULT_GATES = Path(__file__).with_name("gates.toml")

FOREIGN = ("foreign", "any")

# Limit name to (metric it bounds, whether the metric must stay below it).
LIMITS = {
    "max_abs_diff": ("max_abs_diff", True),
    "max_diff_of_range": ("max_diff_of_range", True),
    "top_k_overlap": ("top_k_overlap", False),
    "top1_agreement": ("top1_agreement", False),
    "kendall_tau": ("kendall_tau", False),
    "quality_loss": ("quality_loss", True),
}


@dataclass(frozen=True)
class Gate:
    """Limits for one graph under one recipe; `misses` names those that a result breaks."""

    limits: Mapping[str, float]
    reason: str

    def misses(self, metrics: Mapping[str, Any]) -> list[str]:
        """One text a broken limit: metric, value, bound. A metric that could not be computed breaks its limit."""
        found = []
        for name, bound in self.limits.items():
            metric, below = LIMITS[name]
            value = metrics.get(metric)
            if value is None:
                found.append(f"{metric} could not be computed")
            elif not (value <= bound if below else value >= bound):
                found.append(f"{metric} {value:.4g} is {'above' if below else 'below'} {bound:g}")
        return found

    def to_json(self) -> dict[str, Any]:
        return {**self.limits, "reason": self.reason}


def read_gates(path: Path | None = None) -> dict[tuple[str, str], Gate]:
    """Read gates by (graph, recipe).

    Raises:
        InputError: unreadable TOML, an unknown key (said with the nearest valid one), a limit that is no number, or a table
            without a reason.
    """
    path = path or DEFAULT_GATES
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            "--gates", expected="a TOML file", given=f"{path} ({error})", do="see benchmarks/gates.toml"
        ) from error
    found = {}
    for graph, recipes in tables.items():
        if not isinstance(recipes, dict):
            raise InputError(
                "--gates", expected="tables such as [ranker.float32]", given=f"{graph} = {recipes!r}", do="remove it"
            )
        for recipe, table in recipes.items():
            if (graph, recipe) != FOREIGN:
                pick("--gates graph", graph, GRAPHS)
                pick("--gates recipe", recipe, RECIPES)
            found[graph, recipe] = _gate(f"[{graph}.{recipe}]", table)
    return found


def _gate(where: str, table: Any) -> Gate:
    if not isinstance(table, dict) or not isinstance(table.get("reason"), str) or not table["reason"].strip():
        raise InputError(f"--gates {where}", expected="a table with a reason", given="none", do='add reason = "..."')
    for key, value in table.items():
        if key != "reason" and key not in LIMITS:
            hint = nearest(key, LIMITS, n=1)
            do = f"did you mean {hint[0]}?" if hint else "remove it"
            raise InputError(f"--gates {where}", expected=f"limits among {', '.join(LIMITS)}", given=repr(key), do=do)
        if key != "reason" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"--gates {where}", expected=f"a number for {key}", given=repr(value), do="write a number")
    return Gate({key: float(value) for key, value in table.items() if key != "reason"}, table["reason"])
