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
class RunRecord(Record):
    """run.json."""

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
        list[Json] | None,
        Doc(
            "with `--evaluate-baselines`: model, rmse, recall_at_10, recall_at_100, ndcg_at_10 (null where a model has none), "
            "seconds"
        ),
    ] = None
    rows: Annotated[Json | None, Doc("report on a file of ratings: rows read, kept, rejected and why")] = None
    schema: Annotated[str, Doc("name and version of the schema")] = "pocketrec.run/1"
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")] = ""
    host: Annotated[Json, Doc("see `host`")] = field(default_factory=dict)
