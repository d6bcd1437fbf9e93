"""How far a variant's outputs are from the reference's: every metric is one field of `Agreement`, and `METRICS` is read from it.

Gates, the terminal's columns, the heat map, a bundle's summary and the documentation of the fields take their metrics from here.
"""

import typing
from dataclasses import dataclass
from typing import Annotated, Literal

from .record import Doc, Record


@dataclass(frozen=True)
class Metric(Doc):
    """What a metric means, which way it improves, and where it is shown.

    Attributes:
        label: its name for people.
        better: which values are better; '' for what only describes, and so cannot be gated.
        perfect: value of a variant that equals the SavedModel; None where there is no such value.
        column: heading in the terminal's table of parity, which shows the worst value; '' for none.
        in_cell: whether a cell of the report's heat map shows it.
        in_bundle: whether the manifest of a bundle repeats it.
    """

    label: str = ""
    better: Literal["lower", "higher", ""] = ""
    perfect: float | None = None
    column: str = ""
    in_cell: bool = False
    in_bundle: bool = False

    @property
    def is_gated(self) -> bool:
        """Whether a gate may limit it."""
        return bool(self.better)

    def keeps(self, value: float, bound: float) -> bool:
        """Whether a value is within a bound; NaN never is."""
        return value <= bound if self.better == "lower" else value >= bound

    def share(self, value: float, bound: float) -> float | None:
        """Share of what a gate allows that a value took: 0 is equal to the SavedModel, 1 the bound itself; None where no value is
        perfect. A value better than perfect counts as 0."""
        if self.perfect is None:
            return None
        sign = 1 if self.better == "lower" else -1
        spent, allowed = sign * (value - self.perfect), sign * (bound - self.perfect)
        if spent <= 0:
            return 0.0
        return spent / allowed if allowed > 0 else float("inf")

    def worst(self, values: typing.Iterable[float]) -> float | None:
        """The worst of some values; None where there are none."""
        return (max if self.better == "lower" else min)(values, default=None)

    @property
    def sign(self) -> str:
        """How its bound is written."""
        return "≤" if self.better == "lower" else "≥"


@dataclass(frozen=True)
class QualityMetric:
    """A measure of quality against held-out truth.

    Attributes:
        label: its name for people.
        short: the same where there is little room.
        better: which values are better.
    """

    label: str
    short: str
    better: Literal["lower", "higher"]


QUALITY = {
    "rmse": QualityMetric("RMSE", "RMSE", "lower"),
    "recall_at_100": QualityMetric("recall@100", "R@100", "higher"),
    "ndcg_at_10": QualityMetric("NDCG@10", "NDCG@10", "higher"),
}


@dataclass(frozen=True)
class ThirdsOfHistory(Record):
    """A value for each third of the users by length of history."""

    shortest: float | None
    middle: float | None
    longest: float | None


@dataclass(frozen=True)
class ThirdsOfPopularity(Record):
    """A value for each third of the catalogue by number of training ratings."""

    tail: float | None
    middle: float | None
    head: float | None


@dataclass(frozen=True, kw_only=True)
class Agreement(Record):
    """How far a variant's outputs are from the reference's; null where a graph or a pair has no such figure."""

    max_abs_diff: Annotated[
        float | None,
        Metric(
            "ratings for rankers, elements of the vector for query encoders, scores for other graphs; largest over users",
            "unit of the outputs",
            "largest difference",
            "lower",
            0.0,
            "max\ndiff",
            in_cell=True,
            in_bundle=True,
        ),
    ] = None
    mean_abs_diff: Annotated[
        float | None, Metric("the same, mean", "unit of the outputs", "mean difference", "lower", 0.0)
    ] = None
    max_diff_of_range: Annotated[
        float | None,
        Metric(
            "largest difference over the span of the reference's values (query encoders: of its scores of all candidates)",
            "",
            "largest difference of the range",
            "lower",
            0.0,
            in_cell=True,
        ),
    ] = None
    top_k_overlap: Annotated[
        float | None,
        Metric(
            "share of the SavedModel's top k that came back, mean over users",
            "0–1",
            "top k kept",
            "higher",
            1.0,
            "top k\nkept",
            in_cell=True,
            in_bundle=True,
        ),
    ] = None
    overlap_at_1: Annotated[
        float | None, Metric("as top_k_overlap, of the first item", "0–1", "first item kept", "higher", 1.0)
    ] = None
    overlap_at_10: Annotated[
        float | None, Metric("as top_k_overlap, of the first ten", "0–1", "first ten kept", "higher", 1.0)
    ] = None
    overlap_at_100: Annotated[
        float | None, Metric("as top_k_overlap, of the first hundred", "0–1", "first hundred kept", "higher", 1.0)
    ] = None
    top1_agreement: Annotated[
        float | None,
        Metric(
            "users whose first item is the same",
            "0–1",
            "same first item",
            "higher",
            1.0,
            in_cell=True,
            in_bundle=True,
        ),
    ] = None
    rank_biased_overlap: Annotated[
        float | None,
        Metric(
            "p = 0.9, extrapolated; mean over users",
            "0–1",
            "rank-biased overlap",
            "higher",
            1.0,
            in_cell=True,
        ),
    ] = None
    kendall_tau: Annotated[
        float | None,
        Metric(
            "tau-b of the scores, mean over users where it is defined",
            "−1–1",
            "Kendall's tau",
            "higher",
            1.0,
            in_cell=True,
        ),
    ] = None
    score_resolution: Annotated[
        float | None,
        Metric(
            "smallest difference of two reference scores that the variant tells from its noise: 2√2 root mean square error",
            "unit of the scores",
            "score resolution",
            "lower",
            0.0,
        ),
    ] = None
    flips: Annotated[
        int | None,
        Metric(
            "neighbours in the reference's order that changed places, further apart than score_resolution",
            "",
            "flips",
            "lower",
            0.0,
        ),
    ] = None
    ties_swapped: Annotated[
        int | None, Metric("the same, no further apart than score_resolution", "", "ties swapped")
    ] = None
    seen_returned: Annotated[
        int | None, Metric("masked items that came back; any is a failure", "", "seen items returned", "lower", 0.0)
    ] = None
    norm_drift: Annotated[
        float | None, Metric("query encoders: growth of the vectors' length, as a share, mean over users")
    ] = None
    quality_metric: Annotated[
        str | None,
        Metric(
            "`rmse` (lower is better); `recall_at_100`, or `ndcg_at_10` of the recommender's order (higher is better); "
            "null for rankers of implicit data, which predict no rating",
            in_bundle=True,
        ),
    ] = None
    quality_reference: Annotated[
        float | None, Metric("the SavedModel against held-out truth", label="quality", in_cell=True, in_bundle=True)
    ] = None
    quality_variant: Annotated[
        float | None,
        Metric("the variant against held-out truth", label="quality of the variant", in_cell=True, in_bundle=True),
    ] = None
    quality_delta: Annotated[float | None, Metric("variant minus reference")] = None
    quality_loss: Annotated[
        float | None,
        Metric(
            "the delta signed so that more is worse", "", "quality lost", "lower", 0.0, "quality\nlost", in_cell=True
        ),
    ] = None
    quality_loss_ci95: Annotated[
        tuple[float, float] | None, Metric("95% bootstrap interval of the loss, users drawn in pairs")
    ] = None
    quality_loss_by_history: Annotated[
        ThirdsOfHistory | None, Metric("loss of each third of the users by length of history")
    ] = None
    quality_loss_by_popularity: Annotated[
        ThirdsOfPopularity | None,
        Metric("loss on the held-out items of each third of the catalogue; null where nothing of it was held out"),
    ] = None
    ndcg_at_10: Annotated[
        float | None, Metric("retrievers: NDCG@10 of the variant's lists against held-out truth", "0–1", "NDCG@10")
    ] = None
    rating_max_abs_diff: Annotated[
        float | None,
        Metric(
            "recommenders: largest difference of a predicted rating",
            "rating",
            "largest difference of a rating",
            "lower",
            0.0,
        ),
    ] = None

    def value(self, name: str) -> float | None:
        """A metric that is a number, by name; None where it could not be computed."""
        found = getattr(self, name, None)
        return found if isinstance(found, int | float) else None


def metrics_of(record: type[Agreement]) -> dict[str, Metric]:
    """The metrics that are fields of a record, by name."""
    hints = typing.get_type_hints(record, include_extras=True)
    return {
        name: next(found for found in typing.get_args(hint) if isinstance(found, Metric))
        for name, hint in hints.items()
    }


METRICS = metrics_of(Agreement)
