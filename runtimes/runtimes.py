"""The runtimes that can execute a variant on this machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from ..core.errors import InputError, pick
from . import litert_js as browser


@dataclass(frozen=True)
class Runtime:
    """A TFLite interpreter in a Python package.

    Attributes:
        module: module whose `Interpreter` is used.
        package: distribution that carries it.
        version: the version the runtime's name promises.
        extra: which extra of the kit installs it; '' when the kit itself does.
        stands_for: where users meet it.
        targets: what it runs on, beside this machine's own processor.
        chooses_delegate: whether parity is checked without its delegate too.
        bare: whether the module is imported without the packages around it (see workers/tflite_worker.py).
        on_host: whether it runs on this machine's own processor.
        worker: the program beside this file that executes a variant with it.
    """

    module: str
    package: str
    version: str
    extra: str
    stands_for: str
    targets: tuple[str, ...] = ()
    chooses_delegate: bool = False
    bare: bool = False
    on_host: bool = True
    worker: str = "tflite_worker.py"

    def runs_on(self, target: str) -> bool:
        """Whether there is such a runtime for a target at all."""
        return self.on_host if target == "host" else target.partition("/")[0] in self.targets

    def launch(self) -> dict[str, Any]:
        """What its worker is told beside the model and the inputs."""
        return {"module": self.module, "bare": self.bare}

    def refuses(self, inputs: Iterable[Mapping[str, Any]]) -> str:
        """Why it takes no variant with such inputs (as in variants.json), wherever it is installed; '' when it does."""
        return ""

    def missing(self) -> str:
        """Why it cannot be used here, with the command that adds it; '' when it can."""
        try:
            found = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            found = "not installed"
        if found == self.version:
            return ""
        command = (
            f"pip install 'pocketrec[{self.extra}]'" if self.extra else f"pip install {self.package}=={self.version}"
        )
        return f"{self.package} {self.version} is needed ({found}); {command}"


@dataclass(frozen=True)
class BrowserRuntime(Runtime):
    """LiteRT.js, in a page; `package` is npm's."""

    def launch(self) -> dict[str, Any]:
        return browser.launch()

    def refuses(self, inputs: Iterable[Mapping[str, Any]]) -> str:
        for port in inputs:
            if port["dtype"] == "string":
                return f"LiteRT.js has no string tensors (input {port['name']})"
            if -1 in port["shape"]:
                return f"LiteRT.js resizes no input: {port['name']} has a free dimension and would be taken as 1"
        return ""

    def missing(self) -> str:
        return browser.missing_packages()


RUNTIMES = {
    "tflite-runtime-2.14.0": Runtime(
        "tflite_runtime.interpreter",
        "tflite-runtime",
        "2.14.0",
        "bench",
        "the TensorFlow Lite inside apps already shipped",
        ("arm64",),
        chooses_delegate=True,
    ),
    "litert-2.3.0": Runtime(
        "ai_edge_litert.interpreter", "ai-edge-litert", "2.3.0", "", "what new apps ship", ("arm64",), True
    ),
    "tf-2.18.1": Runtime(
        "tensorflow.lite.python.interpreter",
        "tensorflow",
        "2.18.1",
        "train",
        "the interpreter beside the converter",
        chooses_delegate=True,
        bare=True,
    ),
    "litertjs-2.5.3": BrowserRuntime(
        "", "@litertjs/core", "2.5.3", "", "what web apps ship", ("wasm",), on_host=False, worker="litert_js_worker.py"
    ),
}
PHONE_RUNTIMES = ("tflite-runtime-2.14.0", "litert-2.3.0")


def chosen_runtimes(
    names: Iterable[str], places: Iterable[str] = ("host",), default: Iterable[str] = PHONE_RUNTIMES
) -> list[str]:
    """The asked-for runtimes, or, when none is named, those of `default` and those made for one of the places only.

    Args:
        places: keys of `TARGETS` that variants shall run on.
        default: by default those that apps ship.

    Raises:
        InputError: an unknown name, one asked for by name that is not installed or runs on none of the places, or a place on which
            nothing that was asked for runs.
    """
    asked, places = [pick("--runtime", name, RUNTIMES) for name in names], list(places)
    chosen = asked or _able(default, places)
    _check_places(asked, chosen, places)
    for name in asked:
        if reason := RUNTIMES[name].missing():
            raise InputError(
                "--runtime",
                expected=f"{name} installed",
                given=reason.split(";")[0],
                do=f"run `{reason.split('; ')[1]}`",
            )
    return chosen


def _able(default: Iterable[str], places: list[str]) -> list[str]:
    """Those of `default`, and those that run elsewhere only, that run on one of the places."""
    elsewhere = [name for name, runtime in RUNTIMES.items() if not runtime.on_host]
    return [name for name in dict.fromkeys([*default, *elsewhere]) if any(map(RUNTIMES[name].runs_on, places))]


def _check_places(asked: list[str], chosen: list[str], places: list[str]) -> None:
    for name in asked:
        if not any(map(RUNTIMES[name].runs_on, places)):
            wanted, where = (
                " or ".join(places),
                ", ".join(f"{kind}/…" for kind in RUNTIMES[name].targets) or "host only",
            )
            raise InputError(
                "--runtime",
                expected=f"one that runs on {wanted}",
                given=f"{name}, which runs on {where}",
                do="choose another, or for `pocketrec parity` another --target",
            )
    for place in places:
        if not any(RUNTIMES[name].runs_on(place) for name in chosen):
            able = ", ".join(name for name, runtime in RUNTIMES.items() if runtime.runs_on(place))
            raise InputError("--runtime", expected=f"one for {place}: {able}", given=", ".join(chosen), do="add one")


def any_phone_runtime() -> str:
    """The newest installed runtime that needs no TensorFlow.

    Raises:
        InputError: none is installed.
    """
    for name in reversed(PHONE_RUNTIMES):
        if not RUNTIMES[name].missing():
            return name
    wanted = " or ".join(PHONE_RUNTIMES)
    raise InputError(
        "runtime", expected=f"{wanted} installed", given="neither", do="run `pip install ai-edge-litert==2.3.0`"
    )
