"""evaluation.json: how good a run's models are on what it held out, and beside them the baselines."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Self

from ..documents import EVALUATION_SCHEMA, read_json
from .parity import HasReports
from .record import Doc, Json, Record


@dataclass(frozen=True)
class Estimate(Record):
    """A figure over users."""

    value: Annotated[float, Doc("over all users that count")]
    ci95: Annotated[tuple[float, float] | None, Doc("95% interval by bootstrap over users; null below two users")]
    users: Annotated[int, Doc("users that count", "users")]


@dataclass(frozen=True)
class ListQuality(Record):
    """Quality of lists against held-out items: means over the users who have any."""

    recall_at_10: Annotated[Estimate, Doc("share of a user's held-out items that the first 10 hold", "share")]
    recall_at_100: Annotated[Estimate, Doc("the same of the first 100", "share")]
    ndcg_at_10: Annotated[
        Estimate, Doc("binary gains, discount log2(rank + 1) (Järvelin and Kekäläinen 2002)", "share")
    ]


@dataclass(frozen=True)
class ColdItems(Record):
    """Items without a training event."""

    items: Annotated[int, Doc("of the catalogue", "items")]
    events: Annotated[int, Doc("held-out events on them", "events")]
    found_at_100: Annotated[
        Estimate | None, Doc("share of these events whose item is in the first 100; null without any", "share")
    ]
    chance_at_100: Annotated[float | None, Doc("the share that 100 random unseen items would hold", "share")]


@dataclass(frozen=True, kw_only=True)
class EvaluatedModel(Record):
    """One model. Null: it does not offer this, or no user counts."""

    model: Annotated[str, Doc("the run's preset, or a baseline")]
    is_baseline: Annotated[bool, Doc("fitted on the same training part for comparison")]
    source: Annotated[str, Doc("publication a baseline's formulas come from; '' for the run")] = ""
    skipped: Annotated[str | None, Doc("why nothing was measured; null where something was")] = None
    fit_s: Annotated[float, Doc("training or fitting", "s")]
    evaluate_s: Annotated[float, Doc("everything measured below", "s")] = 0.0
    rmse: Annotated[Estimate | None, Doc("held-out ratings, predictions clipped to the training range", "rating")] = (
        None
    )
    retrieval: Annotated[ListQuality | None, Doc("whole histories, ratings not known to the model")] = None
    difference: Annotated[
        ListQuality | None,
        Doc("of a baseline: `retrieval` minus the run's own, user by user; an interval without 0 tells them apart"),
    ] = None
    rated: Annotated[ListQuality | None, Doc("whole histories, ratings known")] = None
    liked: Annotated[ListQuality | None, Doc("what was not disliked of the held-out items; ratings not known")] = None
    liked_rated: Annotated[ListQuality | None, Doc("the same, ratings known")] = None
    last_5: Annotated[ListQuality | None, Doc("the model knows the last 5 items of each history, no ratings")] = None
    preferences_only: Annotated[
        ListQuality | None, Doc("the model knows declared preferences and no history; users who declared any")
    ] = None
    by_history: Annotated[
        dict[str, ListQuality | None], Doc("`retrieval` by the number of training events of the user: `0-4`, …, `100+`")
    ] = field(default_factory=dict)
    by_popularity: Annotated[
        dict[str, ListQuality | None],
        Doc("`retrieval` of held-out items in the `least`, `middle` and `most` popular third of the catalogue alone"),
    ] = field(default_factory=dict)
    coverage_at_10: Annotated[
        float | None,
        Doc("share of the catalogue in anybody's first 10 (Herlocker et al. 2004); grows with the users", "share"),
    ] = None
    novelty_at_10: Annotated[
        Estimate | None,
        Doc(
            "mean of -log2(share of users with the item in training) over the first 10 (self-information: Zhou et al. 2010; "
            "Vargas and Castells 2011); an item of nobody counts as one user's",
            "bit",
        ),
    ] = None
    popularity_lift_at_10: Annotated[
        Estimate | None,
        Doc(
            "mean popularity of the first 10 over that of the users' training items, minus 1 (Abdollahpouri et al. 2020); "
            "0 is as popular as what they had"
        ),
    ] = None
    cold: Annotated[ColdItems | None, Doc("items without a training event")] = None

    def figures(self) -> dict[str, float]:
        """Every figure by its dotted name, such as `retrieval.recall_at_10`; those that are null are left out."""
        return dict(_figures(self, ""))


@dataclass(frozen=True, kw_only=True)
class Protocol(Record):
    """How everything was measured."""

    split: Annotated[str, Doc("a key of the splits: what was held out")]
    seed: Annotated[int, Doc("of the split, as given to `train`")]
    train_events: Annotated[int, Doc("training part", "events")]
    test_events: Annotated[int, Doc("held-out part", "events")]
    items: Annotated[int, Doc("the catalogue, all of which is scored, exactly", "items")]
    held_out_users: Annotated[int, Doc("users with something held out", "users")]
    users: Annotated[int, Doc("of these, how many were evaluated", "users")]
    users_seed: Annotated[int | None, Doc("seed of the sample of users; null where all were evaluated")]
    excluded: Annotated[str, Doc("items that lists leave out")] = "the user's training items"
    ties: Annotated[str, Doc("order of events at the same time, and of items with the same score")] = (
        "events: order of the source; items: order of the catalogue"
    )
    bootstrap_resamples: Annotated[int, Doc("resamples of users behind each interval (percentile)")]
    bootstrap_seed: Annotated[int, Doc("seed of the resamples")]


@dataclass(frozen=True, kw_only=True)
class Evaluation(Record):
    """evaluation.json."""

    schema: Annotated[str, Doc("name and version of the schema")] = EVALUATION_SCHEMA
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")] = ""
    made_from_sha256: Annotated[str, Doc("of run.json", "hex")]
    host: Annotated[Json, Doc("see `host`")] = field(default_factory=dict)
    protocol: Protocol
    warnings: Annotated[list[str], Doc("what makes the figures doubtful")] = field(default_factory=list)
    models: Annotated[list[EvaluatedModel], Doc("the run's own first, then the baselines")]
    best: Annotated[
        dict[str, list[str]],
        Doc("figure to the model with the best value, several where they tie; nothing where all do"),
    ] = field(default_factory=dict)

    def model(self, name: str) -> EvaluatedModel:
        """The row of a model.

        Raises:
            KeyError: no such model was evaluated.
        """
        return {row.model: row for row in self.models}[name]

    @classmethod
    def read(cls, run: HasReports) -> Self:
        """Read reports/evaluation.json of a run.

        Raises:
            InputError: it is missing, of another schema, or lacks a field.
        """
        path = run.reports / "evaluation.json"
        return cls.from_json(read_json(path, EVALUATION_SCHEMA), str(path))


# How good a value is, the larger the better, for figures of which more is not better.
_WORTH = {"rmse": lambda value: -value, "popularity_lift_at_10": lambda value: -abs(value)}
_NO_FIGURES = {"fit_s", "evaluate_s", "chance_at_100", "is_baseline", "difference"}


def best_models(models: list[EvaluatedModel]) -> dict[str, list[str]]:
    """For every figure in which models differ, those with the best value."""
    found = {row.model: row.figures() for row in models}
    best = {}
    for name in dict.fromkeys(name for figures in found.values() for name in figures):
        worth = _WORTH.get(name, lambda value: value)
        values = {model: worth(figures[name]) for model, figures in found.items() if name in figures}
        if min(values.values(), default=0.0) < max(values.values(), default=0.0):
            best[name] = [model for model, value in values.items() if value == max(values.values())]
    return best


def _figures(record: Record, prefix: str) -> Iterator[tuple[str, float]]:
    for item in dataclasses.fields(record):
        if item.name not in _NO_FIGURES:
            yield from _figures_of(getattr(record, item.name), prefix + item.name)


def _figures_of(value: object, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Estimate):
        yield name, value.value
    elif isinstance(value, float):
        yield name, value
    elif isinstance(value, Record):
        yield from _figures(value, f"{name}.")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _figures_of(entry, f"{name}.{key}")
