"""The tables of named values: graphs, recipes, runtimes and whatever else has entries that arguments name."""

from collections.abc import Callable, Mapping

from ..core.errors import pick


def names(table: str) -> dict[str, str]:
    """The entries of a table: what arguments may name.

    Args:
        table: One of `TABLES`: `graphs`, `recipes`, `forms`, `runtimes`, `targets`, `datasets`, `presets`, `encoders`, `splits`,
            `baselines`, `metrics`, `gates`, `layouts`, `indexes`.

    Returns:
        Name to summary, in the order of the table.

    Raises:
        InputError: No such table.
    """
    return TABLES[pick("TABLE", table, TABLES)]()


def _entries(module: str, table: str, summary: str = "summary") -> Callable[[], dict[str, str]]:
    """A table of the kit by the module it stands in, which is imported when it is asked for."""

    def load() -> dict[str, str]:
        from importlib import import_module

        found: Mapping[str, object] = getattr(import_module(f"...{module}", __name__), table)
        return {name: str(getattr(entry, summary, "")) for name, entry in found.items()}

    return load


def _gates() -> dict[str, str]:
    from ..benchmarks.parity.judging.gates import read_gates

    rows = read_gates().tables.items()
    return {
        f"{graph}.implicit.{recipe}" if implicit else f"{graph}.{recipe}": gate.reason
        for (graph, recipe, implicit), gate in rows
    }


def _forms() -> dict[str, str]:
    from ..convert.retrieval.search_graphs import FORMS

    return {name: form.summary for name, form in FORMS.items() if form.from_items is not None}


TABLES: dict[str, Callable[[], dict[str, str]]] = {
    "graphs": _entries("convert.graphs", "GRAPHS"),
    "recipes": _entries("convert.quantize.recipes", "RECIPES"),
    "forms": _forms,
    "runtimes": _entries("runtimes.runtimes", "RUNTIMES"),
    "targets": _entries("runtimes.targets", "TARGETS"),
    "datasets": _entries("train.data.datasets", "DATASETS"),
    "presets": _entries("train.presets", "PRESETS"),
    "encoders": _entries("train.encoders", "ENCODERS"),
    "splits": _entries("train.data.splits", "SPLITS"),
    "baselines": _entries("train.baselines.evaluation", "BASELINES", "source"),
    "metrics": _entries("core.records.agreement", "METRICS", "meaning"),
    "gates": _gates,
    "layouts": _entries("android_assets.format.layouts", "LAYOUTS"),
    "indexes": _entries("benchmarks.serving.server", "INDEXES"),
}
