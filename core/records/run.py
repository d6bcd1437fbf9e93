"""run.json: what was trained, on what, and how good it is."""

from dataclasses import dataclass, field
from typing import Annotated

from .record import Doc, Json, Record


@dataclass(frozen=True)
class DataRecord(Record):
    """The ratings a run was trained on."""

    name: Annotated[str, Doc("dataset, such as `movielens/100k`, or the file's name")]
    n_ratings: Annotated[int, Doc("whole data, before the split", "ratings")]
    n_users: Annotated[int, Doc("distinct users")]
    n_items: Annotated[int, Doc("distinct items")]
    is_implicit: Annotated[bool, Doc("no ratings: every row is a positive")]
    rating_range: Annotated[tuple[float, float], Doc("least and largest rating that occur")]
    sha256: Annotated[str, Doc("over vocabularies and interactions", "hex")]


@dataclass(frozen=True)
class RowReport(Record):
    """What was read, rejected and noticed in a file; `rows_read` is `rows_kept` + `duplicates` + all that was rejected."""

    rows_read: Annotated[int, Doc("rows of the file, without its header", "rows")]
    rows_kept: Annotated[int, Doc("what training and evaluation see", "rows")]
    rejected: Annotated[dict[str, int], Doc("rows by reason", "rows")]
    first_rejected: Annotated[dict[str, str], Doc("an example by reason, `row 17: rating=abc`; rows count from 1")]
    duplicates: Annotated[int, Doc("earlier ratings of an item by the same user, left out", "rows")]
    out_of_order: Annotated[
        int, Doc("rows with an earlier timestamp than some row of the same user above them", "rows")
    ]
    has_timestamps: Annotated[bool, Doc("false: the order of the rows stands for time")]
    is_implicit: Annotated[bool, Doc("no rating column: every row is a positive")]
    single_event_users: Annotated[int, Doc("users with one event, of whom nothing can be held out")]
    notes: Annotated[list[str], Doc("what else a reader of the report should know, one line each")]

    def lines(self) -> list[str]:
        """The report for people, one line each."""
        counted = (
            (self.duplicates, "duplicates: a user's last rating of an item is kept"),
            (self.out_of_order, "rows are older than a row of the same user above them: sorted by timestamp"),
            (self.single_event_users, "users have a single event: nothing of theirs can be held out"),
        )
        return [
            f"{self.rows_read:,} rows read, {self.rows_kept:,} kept",
            *(f"{n:,} rejected: {reason} ({self.first_rejected[reason]})" for reason, n in self.rejected.items()),
            *(f"{n:,} {text}" for n, text in counted if n),
            *self.notes,
        ]


@dataclass(frozen=True)
class BaselineRow(Record):
    """A baseline's quality on the same split; measures it does not offer are null."""

    model: str
    rmse: Annotated[float | None, Doc("held-out ratings, predictions clipped to the training range", "rating")]
    recall_at_10: Annotated[float | None, Doc("full catalogue, training items excluded", "share")]
    recall_at_100: Annotated[float | None, Doc("full catalogue, training items excluded", "share")]
    ndcg_at_10: Annotated[float | None, Doc("full catalogue, training items excluded", "share")]
    seconds: Annotated[float, Doc("fitting and measuring", "s")]
    skipped: Annotated[str | None, Doc("why nothing was measured; null where something was")] = None
    source: Annotated[str, Doc("publication the formulas come from")] = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord(Record):
    """run.json."""

    schema: Annotated[str, Doc("name and version of the schema")] = "pocketrec.run/1"
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")] = ""
    preset: Annotated[str, Doc("as given to `train`")]
    split: Annotated[str, Doc("as given to `train`")]
    seed: Annotated[int, Doc("seeds split, weights and order")]
    data: DataRecord
    metrics: Annotated[
        dict[str, dict[str, float | None]],
        Doc(
            "`ranking.rmse` (held-out ratings, predictions clipped to the range; `tutorial`: unclipped; null for implicit data); "
            "`retrieval.recall_at_10`, `recall_at_100`, `ndcg_at_10` (mean over held-out users, full catalogue, items of the "
            "training history excluded, exact scoring; recall divides by all held-out items of the user, NDCG has binary gains); "
            "`retrieval_rated`: the same with the ratings of the history known to the model; `retrieval_liked` and "
            "`retrieval_liked_rated`: what was not disliked of the held-out items, with those ratings unknown and known; "
            "`tutorial`: the tutorial's own FactorizedTopK accuracies, seen items left among the candidates"
        ),
    ]
    window: Annotated[int | None, Doc("length of a history; null where the query is a user id", "items")]
    settings: Annotated[Json, Doc("hyperparameters by model")]
    graphs: Annotated[list[str], Doc("what `convert` can make of the run")]
    scann: Annotated[Json, Doc("configuration of `retrieval_scann`; `retrieval_scann_tfrs_default` has TFRS' defaults")]
    saved_models: Annotated[dict[str, str], Doc("SavedModel to SHA-256 over its sorted files", "hex")]
    files: Annotated[dict[str, str], Doc("other files of RUN/trained to SHA-256", "hex")]
    train_s: Annotated[float, Doc("training only: no data preparation, no saving", "s")]
    stage_s: Annotated[dict[str, float], Doc("the same by model", "s")]
    baselines: Annotated[
        list[BaselineRow] | None,
        Doc("null; runs of 0.1 have rows of `--evaluate-baselines` here, later ones in evaluation.json"),
    ] = None
    rows: Annotated[RowReport | None, Doc("report on a file of ratings; null for named datasets")] = None
    warnings: Annotated[list[str], Doc("what makes the metrics doubtful, such as few held-out users")] = field(
        default_factory=list
    )
    host: Annotated[Json, Doc("see `host`")] = field(default_factory=dict)

    @property
    def scann_configuration(self) -> str:
        """Name of the configuration of `retrieval_scann`."""
        return str(self.scann["configuration"])
