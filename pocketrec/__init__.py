"""From a TensorFlow recommender to a phone-ready TFLite bundle, with proof that both recommend the same.

The functions have the names and the parameters of the commands:

    import pocketrec as pr

    run = pr.train("run", data="movielens/100k")
    pr.convert(run)
    report = pr.parity(run)
    assert report.passed, report.failures
    bundle = pr.bundle(run)
    bundle.recommend({"Speed (1994)": 5}, prefer=["Sci-Fi"], top=5)

Everything is imported when it is first used; importing the package changes nothing in the process.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._stage_packages import make_callable

if TYPE_CHECKING:
    from .api.bundle_writing import bundle as bundle
    from .api.bundle_writing import keygen as keygen
    from .api.bundle_writing import update as update
    from .api.bundles import ApkVerification as ApkVerification
    from .api.bundles import Bundle as Bundle
    from .api.bundles import Verification as Verification
    from .api.bundles import open_bundle as open_bundle
    from .api.bundles import recommend as recommend
    from .api.bundles import verify as verify
    from .api.conversion import Comparison as Comparison
    from .api.conversion import Conversion as Conversion
    from .api.conversion import compare as compare
    from .api.conversion import convert as convert
    from .api.conversion import inspect as inspect
    from .api.conversion import quantize as quantize
    from .api.environment import doctor as doctor
    from .api.environment import install as install
    from .api.environment import serve as serve
    from .api.measurement import Evaluation as Evaluation
    from .api.measurement import LatencyReport as LatencyReport
    from .api.measurement import ParityReport as ParityReport
    from .api.measurement import Report as Report
    from .api.measurement import evaluate as evaluate
    from .api.measurement import latency as latency
    from .api.measurement import parity as parity
    from .api.measurement import report as report
    from .api.tables import names as names
    from .api.training import open_run as open_run
    from .api.training import train as train
    from .core.errors import CheckFailed as CheckFailed
    from .core.errors import InputError as InputError
    from .core.errors import PocketrecError as PocketrecError
    from .core.queries.reasons import Reason as Reason
    from .core.queries.reasons import Why as Why
    from .core.queries.recommendation import Answer as Answer
    from .core.queries.recommendation import Recommendation as Recommendation
    from .core.records.doctor import Check as Check
    from .core.records.doctor import Diagnosis as Diagnosis
    from .core.records.evaluation import Estimate as Estimate
    from .core.records.evaluation import EvaluatedModel as EvaluatedModel
    from .core.records.inspection import Inspection as Inspection
    from .core.records.parity import ParityRow as ParityRow
    from .core.records.variants import Variant as Variant
    from .core.run_dir import Run as Run

    __version__: str

# Where each public name is defined.
_HOMES = {
    "api.bundle_writing": ("bundle", "keygen", "update"),
    "api.bundles": (
        "ApkVerification",
        "Bundle",
        "Verification",
        "open_bundle",
        "recommend",
        "verify",
    ),
    "api.conversion": ("Comparison", "Conversion", "compare", "convert", "inspect", "quantize"),
    "api.environment": ("doctor", "install", "serve"),
    "api.measurement": (
        "Evaluation",
        "LatencyReport",
        "ParityReport",
        "Report",
        "evaluate",
        "latency",
        "parity",
        "report",
    ),
    "api.tables": ("names",),
    "api.training": ("open_run", "train"),
    "core.errors": ("CheckFailed", "InputError", "PocketrecError"),
    "core.queries.reasons": ("Reason", "Why"),
    "core.queries.recommendation": ("Answer", "Recommendation"),
    "core.records.doctor": ("Check", "Diagnosis"),
    "core.records.evaluation": ("Estimate", "EvaluatedModel"),
    "core.records.inspection": ("Inspection",),
    "core.records.parity": ("ParityRow",),
    "core.records.variants": ("Variant",),
    "core.run_dir": ("Run",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "ApkVerification",
    "Bundle",
    "Check",
    "CheckFailed",
    "Comparison",
    "Conversion",
    "Diagnosis",
    "Estimate",
    "EvaluatedModel",
    "Evaluation",
    "InputError",
    "Inspection",
    "LatencyReport",
    "ParityReport",
    "ParityRow",
    "PocketrecError",
    "Reason",
    "Recommendation",
    "Report",
    "Run",
    "Variant",
    "Verification",
    "Why",
    "bundle",
    "compare",
    "convert",
    "doctor",
    "evaluate",
    "inspect",
    "install",
    "keygen",
    "latency",
    "names",
    "open_bundle",
    "open_run",
    "parity",
    "quantize",
    "recommend",
    "report",
    "serve",
    "train",
    "update",
    "verify",
]

# `train` and `convert` are packages of the kit as well as functions of the API.
make_callable("train", "api.training")
make_callable("convert", "api.conversion")


def __getattr__(name: str) -> object:
    if name == "__version__":
        from .core.documents import kit_version

        return kit_version()
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
