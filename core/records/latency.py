"""latency.json: how long each variant and each server takes, and what a sweep over catalogue sizes found."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Literal

from .phone import PhoneConditions
from .record import Doc, Json, Record
from .sweep import CostModel, GrowthRow

LatencyStatus = Literal["measured", "error", "skipped"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class CaseKey(Record):
    """What identifies a row: rows of two reports that agree in every one of these fields are compared with each other."""

    subject: Annotated[
        str,
        Doc(
            "`tflite`, `server/bruteforce/savedmodel`, `server/scann/savedmodel`, `server/scann/native`, and with `--served` "
            "`server/scann/http`"
        ),
    ]
    runtime: Annotated[
        str, Doc("what executed it: a key of the runtimes, `tf-…` for a SavedModel, `native` for ScaNN alone")
    ]
    target: Annotated[str, Doc("processor, a key of the targets")] = "host"
    graph: Annotated[str | None, Doc("what a tflite subject computes; null for servers")] = None
    recipe: Annotated[str | None, Doc("how its weights are stored; null for servers and for files of other origin")] = (
        None
    )
    threads: Annotated[int | None, Doc("null where the server library decides")] = None
    delegate: Annotated[
        Literal["xnnpack", "none"] | None,
        Doc("whether a TFLite runtime might use its default delegate; null for servers"),
    ] = None
    batch_size: Annotated[int | None, Doc("items scored per call (rankers), queries per call (retrievers)")] = None
    n_items: Annotated[int | None, Doc("size of the catalogue", "items")] = None
    k: Annotated[int | None, Doc("results per call; null for what returns no list", "items")] = None
    inputs: Annotated[
        Literal["file", "zeros"] | None, Doc("a single file: whether its inputs were given or zeros; null for a run")
    ] = None
    form: Annotated[
        str | None,
        Doc(
            "rows of `--items` only: an entry of `FORMS` in `convert/retrieval/search_graphs.py`; for native ScaNN `brute_force` "
            "or its recommended configuration, `_weighted` where items and queries were mapped to the space weighted by the queries"
        ),
    ] = None
    dimension: Annotated[int | None, Doc("rows of `--items` only: width of the vectors")] = None
    covers: Annotated[
        Literal["index", "encoder+index", "served"] | None,
        Doc(
            "servers: `index` (query vector in), `encoder+index` (user in) or `served` (`pocketrec serve`, JSON in and out over "
            "loopback)"
        ),
    ] = None
    configuration: Annotated[str | None, Doc("servers: how the index is set up")] = None
    arrivals: Annotated[
        Literal["closed", "poisson", "constant"] | None,
        Doc("`served`: one client that waits for each answer, or requests sent at scheduled times without waiting"),
    ] = None
    connections: Annotated[int | None, Doc("`served`: keep-alive connections, opened before anything is timed")] = None
    offered_per_s: Annotated[float | None, Doc("`served`: scheduled rate; null when closed", "requests/s")] = None


@dataclass(frozen=True)
class CaseFields(CaseKey):
    """All that is known about a case before it is measured."""

    is_exact: Annotated[bool | None, Doc("whether every item is scored at full precision; null for rankers")] = None
    size_bytes: Annotated[int | None, Doc("of the file, or of the saved index; null for other servers", "bytes")] = None
    settings: Annotated[
        Json | None,
        Doc(
            "rows of `--items` only: of the form or the index, such as cells and how many are read, leaves, leaves searched, "
            "candidates reordered, the recall it was tuned to"
        ),
    ] = None


@dataclass(frozen=True)
class Timing(Record):
    """What the raw samples of a case say."""

    n_samples: Annotated[int, Doc("timed calls over all processes")] = 0
    n_processes: Annotated[int, Doc("processes they came from")] = 0
    p50_us: Annotated[
        float | None,
        Doc(
            "nearest-rank percentile of the pooled samples; null where 95% order-statistic ranks fall outside the sample",
            "µs",
        ),
    ] = None
    p90_us: Annotated[float | None, Doc("as p50_us", "µs")] = None
    p99_us: Annotated[float | None, Doc("as p50_us", "µs")] = None
    ci95_p50_us: Annotated[
        Interval | None,
        Doc("order-statistic interval; assumes independent calls, so read `p50_us_by_process` too", "µs"),
    ] = None
    ci95_p90_us: Annotated[Interval | None, Doc("as ci95_p50_us", "µs")] = None
    ci95_p99_us: Annotated[Interval | None, Doc("as ci95_p50_us", "µs")] = None
    p90_early_stopping_us: Annotated[
        float | None,
        Doc(
            "MLPerf's single-stream early-stopping estimate of p90, an upper bound at 99% (without its 60 s minimum)",
            "µs",
        ),
    ] = None
    p50_us_by_process: Annotated[list[float], Doc("median of each process", "µs")] = field(default_factory=list)
    spread: Annotated[float | None, Doc("largest minus smallest of p50_us_by_process over their median")] = None


@dataclass(frozen=True)
class ServedFields(Record):
    """Fields of rows that cover `served`, null in all others; latencies count from the scheduled send time to the whole answer."""

    achieved_per_s: Annotated[
        float | None,
        Doc("answers with status 200 over the sending window and the time it took beyond it to answer", "requests/s"),
    ] = None
    errors: Annotated[int | None, Doc("requests not answered with 200, or not within 2 s of the last send time")] = None
    breaks: Annotated[
        Literal["errors", "rate", "p99"] | None,
        Doc(
            "why the rate was not held: `rate` is under 95% answered, `p99` is past p99_limit_ms; null where it was held"
        ),
    ] = None
    p99_limit_ms: Annotated[float | None, Doc("limit of the 99th percentile", "ms")] = None
    send_lag_p50_us: Annotated[
        float | None, Doc("how much later than scheduled the client itself sent; included in the latency", "µs")
    ] = None
    send_lag_p99_us: Annotated[
        float | None, Doc("the same, 99th percentile; where it is not small, the client was the bottleneck", "µs")
    ] = None
    http_only_p50_us: Annotated[float | None, Doc("closed row: the same client's GET /healthz", "µs")] = None
    server_cpu: Annotated[int | None, Doc("processor the server was kept on; null where there is only one")] = None
    client_cpu: Annotated[int | None, Doc("processor the client was kept on; null where there is only one")] = None
    rtt_ms: Annotated[
        float | None, Doc("a network's round trip as given, not measured; in no other field but the next", "ms")
    ] = None
    p50_plus_rtt_us: Annotated[float | None, Doc("p50_us and rtt_ms", "µs")] = None


@dataclass(frozen=True)
class LatencyRow(ServedFields, Timing, CaseFields):
    """One case: a variant on a runtime, or a server."""

    status: Annotated[
        LatencyStatus,
        Doc("`error`: it crashed, hung or refused the file; `skipped`: something it needs is not installed"),
    ] = "measured"
    reason: Annotated[str, Doc("why it is not `measured`; '' otherwise. Such a row has no numbers")] = ""
    recall_at_k: Annotated[
        float | None, Doc("share of the exact top k that came back, on the same queries; null for rankers", "0–1")
    ] = None
    overhead_us: Annotated[
        float | None,
        Doc(
            "median of the timed loop without the model: clock, set inputs, get outputs; part of the percentiles. Null for servers",
            "µs",
        ),
    ] = None
    load_ms: Annotated[
        float | None,
        Doc("median over processes, allocation included, not in the percentiles; `served`: from start to ready", "ms"),
    ] = None
    allocate_ms: Annotated[float | None, Doc("the part of load_ms that allocating tensors takes", "ms")] = None
    first_call_ms: Annotated[float | None, Doc("median over processes, not in the percentiles", "ms")] = None
    rss_before_bytes: Annotated[
        int | None,
        Doc("resident memory of the worker process, runtime included; `served`: of the server when ready", "bytes"),
    ] = None
    rss_after_bytes: Annotated[int | None, Doc("after the first call", "bytes")] = None
    peak_rss_bytes: Annotated[int | None, Doc("largest resident memory of the same process so far", "bytes")] = None
    samples_file: Annotated[
        str | None,
        Doc(
            ".npz beside the report: `samples_ns` int64[n_processes, n]; `served`: [1, n], with `intended_ns`, `sent_ns`, "
            "`done_ns` int64[n] from the start, and `status` int16[n], 0 where no answer came"
        ),
    ] = None

    @property
    def is_tflite(self) -> bool:
        """Whether a .tflite file was timed, not a server."""
        return self.subject == "tflite"

    @property
    def executor(self) -> str:
        """What executed it, and where that was, unless on this machine."""
        return self.runtime if self.target == "host" else f"{self.runtime} on {self.target}"

    @property
    def is_own_catalogue(self) -> bool:
        """Whether it is about the run's own catalogue, not a size of a sweep."""
        return self.form is None

    @property
    def key(self) -> tuple[object, ...]:
        """What identifies the row; files written before `delegate` was recorded used XNNPACK."""
        return tuple(getattr(self, name) or ("xnnpack" if name == "delegate" else None) for name in KEY_FIELDS)


KEY_FIELDS = tuple(item.name for item in dataclasses.fields(CaseKey))


@dataclass(frozen=True)
class Conditions(Record):
    """The state of the machine, and of phones, while they were measured."""

    affinity: Annotated[list[int], Doc("processors that might be used")] = field(default_factory=list)
    load_average: Annotated[list[float], Doc("runnable processes over 1, 5 and 15 minutes before the first sample")] = (
        field(default_factory=list)
    )
    governor: Annotated[str | None, Doc("frequency governor; null where it cannot be read")] = None
    typical_spread: Annotated[float | None, Doc("median of the rows' spread")] = None
    noisy: Annotated[
        bool, Doc("typical_spread above 15%, or more than half a process per processor before the start")
    ] = False
    warnings: Annotated[list[str], Doc("what made it noisy")] = field(default_factory=list)
    phones: Annotated[list[PhoneConditions], Doc("the phones among the targets; empty without any")] = field(
        default_factory=list
    )


@dataclass(frozen=True, kw_only=True)
class LatencyReport(Record):
    """latency.json."""

    schema: Annotated[str, Doc("name and version of the schema")] = "pocketrec.latency/1"
    kit_version: Annotated[str, Doc("version of the kit that wrote the file")] = ""
    made_from_sha256: Annotated[str, Doc("of variants.json, or of the single file", "hex")] = ""
    host: Annotated[Json, Doc("see `host`")] = field(default_factory=dict)
    conditions: Annotated[Conditions, Doc("state of the machine")] = field(default_factory=Conditions)
    results: Annotated[list[LatencyRow], Doc("one row per case")]
    growth: Annotated[list[GrowthRow] | None, Doc("`--items` only: the catalogues, smallest first")] = None
    cost_model: Annotated[
        list[CostModel] | None,
        Doc("`--items` only: full scans, by runtime and number of threads; least squares, none negative"),
    ] = None

    @property
    def rows(self) -> list[LatencyRow]:
        return self.results

    @property
    def measured(self) -> list[LatencyRow]:
        """Rows that have numbers."""
        return [row for row in self.results if row.status == "measured"]

    @property
    def failures(self) -> list[LatencyRow]:
        """Rows of what crashed, hung or refused its file."""
        return [row for row in self.results if row.status == "error"]

    @property
    def own_rows(self) -> list[LatencyRow]:
        """Rows of the run's own catalogue."""
        return [row for row in self.results if row.is_own_catalogue]

    @property
    def swept_rows(self) -> list[LatencyRow]:
        """Rows of a sweep over catalogue sizes."""
        return [row for row in self.results if not row.is_own_catalogue]
