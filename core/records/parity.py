"""parity.json: every variant on every runtime and processor next to the SavedModel."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from .record import Doc, Json, Record

Status = Literal["pass", "fail", "error", "skipped"]


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


@dataclass(frozen=True)
class Agreement(Record):
    """How far a variant's outputs are from the reference's; null where a graph or a pair has no such figure."""

    max_abs_diff: Annotated[
        float | None, Doc("ratings for rankers, dot products for retrievers; largest over users", "unit of the outputs")
    ] = None
    mean_abs_diff: Annotated[float | None, Doc("the same, mean", "unit of the outputs")] = None
    max_diff_of_range: Annotated[float | None, Doc("largest difference over the span of the reference's values")] = None
    top_k_overlap: Annotated[
        float | None, Doc("share of the SavedModel's top k that came back, mean over users", "0–1")
    ] = None
    overlap_at_1: Annotated[float | None, Doc("as top_k_overlap, of the first item", "0–1")] = None
    overlap_at_10: Annotated[float | None, Doc("as top_k_overlap, of the first ten", "0–1")] = None
    overlap_at_100: Annotated[float | None, Doc("as top_k_overlap, of the first hundred", "0–1")] = None
    top1_agreement: Annotated[float | None, Doc("users whose first item is the same", "0–1")] = None
    rank_biased_overlap: Annotated[float | None, Doc("p = 0.9, extrapolated; mean over users", "0–1")] = None
    kendall_tau: Annotated[float | None, Doc("tau-b of the scores, mean over users where it is defined", "−1–1")] = None
    score_resolution: Annotated[
        float | None,
        Doc(
            "smallest difference of two reference scores that the variant tells from its noise: 2√2 root mean square error",
            "unit of the scores",
        ),
    ] = None
    flips: Annotated[
        int | None, Doc("neighbours in the reference's order that changed places, further apart than score_resolution")
    ] = None
    ties_swapped: Annotated[int | None, Doc("the same, no further apart than score_resolution")] = None
    seen_returned: Annotated[int | None, Doc("masked items that came back; any is a failure")] = None
    norm_drift: Annotated[
        float | None, Doc("query encoders: growth of the vectors' length, as a share, mean over users")
    ] = None
    rating_max_abs_diff: Annotated[
        float | None, Doc("recommenders: largest difference of a predicted rating", "rating")
    ] = None
    quality_metric: Annotated[
        str | None,
        Doc("`rmse` (lower is better); `recall_at_100`, or `ndcg_at_10` of the recommender's order (higher is better)"),
    ] = None
    quality_reference: Annotated[float | None, Doc("the SavedModel against held-out truth")] = None
    quality_variant: Annotated[float | None, Doc("the variant against held-out truth")] = None
    quality_delta: Annotated[float | None, Doc("variant minus reference")] = None
    quality_loss: Annotated[float | None, Doc("the delta signed so that more is worse")] = None
    quality_loss_ci95: Annotated[
        tuple[float, float] | None, Doc("95% bootstrap interval of the loss, users drawn in pairs")
    ] = None
    quality_loss_by_history: Annotated[
        ThirdsOfHistory | None, Doc("loss of each third of the users by length of history")
    ] = None
    quality_loss_by_popularity: Annotated[
        ThirdsOfPopularity | None,
        Doc("loss on the held-out items of each third of the catalogue; null where nothing of it was held out"),
    ] = None


@dataclass(frozen=True)
class EdgeResult(Record):
    """A variant's answer to one edge case."""

    max_abs_diff: Annotated[float, Doc("largest difference", "unit of the outputs")]
    reason: Annotated[str, Doc("why it fails; '' where it passes")]


@dataclass(frozen=True)
class ListedItem(Record):
    """One item of a list that differs."""

    title: str
    score: Annotated[float | None, Doc("null for what may not be returned")]


@dataclass(frozen=True)
class FirstDifference(Record):
    """The first user whose list differs, both lists side by side, up to ten items each, best first."""

    reference: list[ListedItem]
    variant: list[ListedItem]
    user: Annotated[str | int | None, Doc("null for a foreign pair")] = None
    query: Annotated[int | None, Doc("a foreign pair's query; null for a run")] = None


@dataclass(frozen=True)
class ParityRow(Record):
    """One cell of the matrix: a variant on a runtime, a processor and a delegate."""

    graph: str | None
    recipe: str | None
    runtime: Annotated[str, Doc("a key of the runtimes, such as `litert-2.3.0`")]
    target: Annotated[str, Doc("a key of the targets, such as `host` or `arm64/cortex-a53`")]
    delegate: Annotated[Literal["xnnpack", "none"], Doc("whether the runtime might use its default delegate")]
    status: Annotated[
        Status,
        Doc(
            "fail: a gate was missed; error: it crashed, hung, was refused or gave NaN, or `--require` named a target that is "
            "missing; skipped: the target or runtime is missing, or does not take such inputs"
        ),
    ]
    reason: Annotated[str, Doc("why it is not `pass`; '' otherwise")]
    n_queries: Annotated[int, Doc("held-out users asked; spread evenly where all would be too many")]
    metrics: Agreement = field(default_factory=Agreement)
    tolerance: Annotated[Json, Doc("the gate's limits and its `reason`")] = field(default_factory=dict)
    edges: Annotated[dict[str, EdgeResult], Doc("edge case to its result; empty where nothing was compared")] = field(
        default_factory=dict
    )
    first_difference: Annotated[
        FirstDifference | None, Doc("under a failed gate: the first user whose list differs")
    ] = None
