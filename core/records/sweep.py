"""The parts of latency.json about catalogue sizes: the catalogues, and the cost model of full scans."""

from dataclasses import dataclass
from typing import Annotated

from .record import Doc, Record


@dataclass(frozen=True)
class GrowthRow(Record):
    """A catalogue of a sweep: the run's own (of 1,000 items and more) or a synthetic one, next to the trained one."""

    n_items: Annotated[int, Doc("size", "items")]
    seed: Annotated[int, Doc("of the random draws")]
    resembles: Annotated[
        bool, Doc("whether the gaps are within the bounds of `benchmarks/catalogues/synthetic_catalogue.py`")
    ]
    spectrum_gap: Annotated[
        float, Doc("summed absolute difference of the singular values as shares of their sum", "0–2")
    ]
    length_gap: Annotated[float, Doc("Kolmogorov-Smirnov distance of the vectors' lengths", "0–1")]
    neighbour_gap: Annotated[float, Doc("Kolmogorov-Smirnov distance of the distances to the nearest neighbour", "0–1")]
    neighbour_median: Annotated[float, Doc("median distance to the nearest neighbour")]
    neighbour_median_trained: Annotated[float, Doc("the same in the trained catalogue")]
    scanned_bytes: Annotated[int, Doc("of the int8 rows", "bytes")]
    read_gb_s: Annotated[float, Doc("speed at which one thread reads a buffer of that size", "GB/s")]


@dataclass(frozen=True)
class CostResidual(Record):
    """A measurement that the cost model was fitted to."""

    form: Annotated[str, Doc("how it searches: `full_scan` or `two_stage`")]
    n_items: Annotated[int, Doc("size of the catalogue", "items")]
    bytes_moved: Annotated[int, Doc("codes, what XNNPACK packs beside them, and scores", "bytes")]
    through_heap: Annotated[int, Doc("scores that TOPK_V2 looks at")]
    p50_us: Annotated[float, Doc("median of the fastest process", "µs")]
    fitted_us: Annotated[float, Doc("what the model says", "µs")]
    residual: Annotated[float, Doc("p50_us over fitted_us, minus 1")]
    moved_of_reading: Annotated[float, Doc("bytes_moved over what plain reading would have read in the time")]
    rows_of_reading: Annotated[float, Doc("the same for the int8 rows alone")]


@dataclass(frozen=True)
class CostModel(Record):
    """time = fixed + bytes moved / bandwidth + top k per element × scores through a heap; see catalogues/cost_model.py."""

    runtime: Annotated[str, Doc("a key of the runtimes")]
    threads: Annotated[int, Doc("of the runtime")]
    fixed_us: Annotated[float, Doc("independent of the catalogue", "µs")]
    bandwidth_gb_s: Annotated[float | None, Doc("null where bytes explain nothing", "GB/s")]
    top_k_ns_per_element: Annotated[float, Doc("per score through a heap", "ns")]
    max_residual: Annotated[float, Doc("largest |residual|")]
    residuals: Annotated[list[CostResidual], Doc("one for each row it was fitted to")]
