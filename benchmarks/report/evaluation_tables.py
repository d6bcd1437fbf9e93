"""Tables of evaluation.json: every model, whom and what the run's own serves, and what else its lists are like."""

from collections.abc import Callable, Mapping

from ...core.records.evaluation import Estimate, EvaluatedModel, Evaluation, ListQuality
from .columns import Cell, Column, Grid
from .presentation import NONE, count, percent

BEST = "best"
# What stands behind the best value of a column, where no bold type can be relied on.
_MARK = "*"
_LIST_COLUMNS = {"recall_at_10": "R@10", "recall_at_100": "R@100", "ndcg_at_10": "NDCG@10"}
# Lists by what the model knows and by what counts as found, as people read them.
_SITUATIONS = {
    "retrieval": "whole history",
    "rated": "with its ratings",
    "liked": "liked items",
    "liked_rated": "liked, ratings known",
    "last_5": "last 5 items",
    "preferences_only": "preferences only",
}


def models_grid(document: Evaluation) -> Grid:
    """Accuracy: one row per model, each figure with its interval, the best of a column marked; and how far baselines are from the
    run's own in NDCG@10, user by user."""
    columns = [_text("model"), *(Column(name, "", drop=4 - place) for place, name in enumerate(_accuracy()))]
    columns += [Column("NDCG@10 less ours", "", drop=6), Column("seconds", "", drop=5)]
    if len(document.models) == 1:
        columns.pop(-2)
    rows = []
    for row in document.models:
        cells = [_estimate(document, row, name) for name in _accuracy().values()]
        if len(document.models) > 1:
            difference = row.difference and row.difference.ndcg_at_10
            cells.append(Cell(NONE if difference is None else _with_interval(difference, "+")))
        rows.append([Cell(row.model), *cells, Cell(f"{row.fit_s:.1f}")])
    return Grid(columns, rows)


def _accuracy() -> dict[str, str]:
    """Heading to figure."""
    return {"RMSE": "rmse", **{heading: f"retrieval.{name}" for name, heading in _LIST_COLUMNS.items()}}


def lists_grid(document: Evaluation) -> Grid:
    """What the lists are like: coverage, novelty, popularity, and items without a training event."""
    headings = {"coverage": 1, "novelty, bits": 2, "popularity lift": 3, "cold items found": 4, "by chance": 5}
    columns = [_text("model"), *(Column(name, "", drop=drop) for name, drop in headings.items())]
    rows = []
    for row in (row for row in document.models if row.retrieval is not None):
        cold = row.cold
        rows.append(
            [
                Cell(row.model),
                _cell(document, row, "coverage_at_10", percent(row.coverage_at_10)),
                _cell(document, row, "novelty_at_10", _value(row.novelty_at_10, "{:.2f}")),
                _cell(document, row, "popularity_lift_at_10", _value(row.popularity_lift_at_10, "{:+.2f}")),
                _cell(document, row, "cold.found_at_100", _value(cold and cold.found_at_100, "{:.3f}")),
                Cell(NONE if cold is None or cold.chance_at_100 is None else f"{cold.chance_at_100:.3f}"),
            ]
        )
    return Grid(columns, rows)


def situations_grid(document: Evaluation) -> Grid:
    """The run's own lists by what is known of the user, by the length of the history and by the popularity of what was held out;
    beside them the baselines that do better."""
    columns = [
        _text("lists by"),
        Column("users", "", drop=5),
        *(Column(name, "", drop=0) for name in _LIST_COLUMNS.values()),
    ]
    if len(document.models) > 1:
        columns.append(Column("ahead of it", "", is_number=False, drop=6))
    own, rows, sections = document.models[0], [], []
    for section, label, path, found in _situations(own):
        cells = [_cell(document, own, f"{path}.{name}", _with_interval(getattr(found, name))) for name in _LIST_COLUMNS]
        ahead = [Cell(_ahead(document, path))] if len(document.models) > 1 else []
        rows.append([Cell(label), Cell(count(found.recall_at_10.users)), *cells, *ahead])
        sections.append(section)
    return Grid(columns, rows, sections=sections)


def _situations(row: EvaluatedModel) -> list[tuple[str, str, str, ListQuality]]:
    """(section, label, path of the figures, quality) of what was measured."""
    found: list[tuple[str, str, str, ListQuality | None]] = [
        ("known", label, name, getattr(row, name)) for name, label in _SITUATIONS.items()
    ]
    groups: Mapping[str, Callable[[str], str]] = {
        "by_history": lambda name: f"history of {name}",
        "by_popularity": lambda name: f"{name} popular items",
    }
    for group, label in groups.items():
        found += [(group, label(name), f"{group}.{name}", each) for name, each in getattr(row, group).items()]
    return [(section, label, path, each) for section, label, path, each in found if each is not None]


def _ahead(document: Evaluation, path: str) -> str:
    """The models with a better value than the run's own, by metric."""
    own, parts = document.models[0].model, []
    for name, heading in _LIST_COLUMNS.items():
        best = document.best.get(f"{path}.{name}", [own])
        if own not in best:
            value = document.model(best[0]).figures()[f"{path}.{name}"]
            parts.append(f"{heading} {best[0]} {value:.4f}")
    return "\n".join(parts)


def _text(heading: str) -> Column:
    return Column(heading, "", is_number=False)


def _estimate(document: Evaluation, row: EvaluatedModel, figure: str) -> Cell:
    """A figure of a model, by its dotted name, as a cell with its interval."""
    found: object = row
    for part in figure.split("."):
        found = getattr(found, part, None)
    return _cell(document, row, figure, _with_interval(found) if isinstance(found, Estimate) else NONE)


def _cell(document: Evaluation, row: EvaluatedModel, figure: str, text: str) -> Cell:
    if row.model not in document.best.get(figure, ()):
        return Cell(text)
    value, space, interval = text.partition(" ")
    return Cell(f"{value}{_MARK}{space}{interval}", BEST)


def _with_interval(estimate: Estimate, sign: str = "") -> str:
    """With four digits, and half of the interval; `sign` is `+` for a difference."""
    value = f"{estimate.value:{sign}.4f}"
    if estimate.ci95 is None:
        return value
    low, high = estimate.ci95
    return f"{value} ±{(high - low) / 2:.3f}".replace("±0.", "±.")


def _value(estimate: Estimate | None, form: str) -> str:
    return NONE if estimate is None else form.format(estimate.value)


def protocol_text(document: Evaluation) -> str:
    """How it was measured, in one line."""
    how = document.protocol
    sample = f", a sample of {how.held_out_users:,}" if how.users_seed is not None else ""
    return (
        f"split {how.split}, seed {how.seed}; {how.users:,} users{sample}; all {how.items:,} items scored exactly, training items "
        f"left out; ±: half a 95% interval by bootstrap over users" + (f"; {_MARK}: the best" if document.best else "")
    )
