"""The runtimes that can execute a variant on this machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from ..core.errors import InputError, pick
from ..core.host import cpu_flags
from ..core.records.variants import Port
from . import litert_js as browser
from .android import aar as archives
from .android import pack as android
from .targets import DEFAULT_TARGETS, TARGETS

# A worker's SPEC, or a part of it.
Launch: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A TFLite interpreter that a package carries. Readers use these fields; the name of a runtime is never parsed.

    Attributes:
        family: what it is called, without its version.
        version: the version that the runtime's name promises.
        short_label: the family in narrow table headings.
        kind: which group it belongs to in charts and captions (a key of `KINDS` in benchmarks/latency/case_kinds.py).
        summary: where users meet it.
        package: distribution that carries it; its installed version is recorded in every document's host.
        module: module whose `Interpreter` is used.
        extra: which extra of the kit installs it; '' when the kit itself does.
        platforms: on which kinds of targets it runs (`Target.platform`).
        is_phone: whether it stands for apps on phones wherever nobody names a runtime; a bundle must pass on these.
        is_current: whether it is the one that new apps ship: where one phone runtime is enough, it is this one.
        serves_saved_models: whether its package also executes SavedModels, as a server does.
        is_optional: whether it is left out, where nobody names it, unless it is installed.
        attaches_delegate: whether it uses XNNPACK unless it is told not to.
        chooses_delegate: whether parity is also checked the other way, on the host.
        bare: whether the module is imported without the packages around it (see workers/tflite_worker.py).
        forks: whether its worker can be imported once and forked for each variant (see workers/fork_server.py).
        worker: the program in runtimes/workers that executes a variant with it.
    """

    family: str
    version: str
    short_label: str
    kind: str
    summary: str
    package: str
    module: str = ""
    extra: str = ""
    platforms: tuple[str, ...] = ("host",)
    is_phone: bool = False
    is_current: bool = False
    serves_saved_models: bool = False
    is_optional: bool = False
    attaches_delegate: bool = True
    chooses_delegate: bool = False
    bare: bool = False
    forks: bool = True
    worker: str = "tflite_worker.py"

    @property
    def label(self) -> str:
        """Family and version."""
        return f"{self.family} {self.version}".strip()

    @property
    def on_host(self) -> bool:
        """Whether it runs on this machine's own processor."""
        return "host" in self.platforms

    def runs_on(self, target: str) -> bool:
        """Whether such a runtime exists for a target (a key of `TARGETS`)."""
        return TARGETS[target].platform in self.platforms

    def delegates(self, target: str = "host") -> tuple[bool, ...]:
        """Whether XNNPACK is used, for each cell of a matrix on a target: what apps execute is first."""
        usual = self.attaches_delegate
        return (usual, not usual) if self.chooses_delegate and target == "host" else (usual,)

    def launch(self) -> Launch:
        """What its worker's SPEC holds besides the model and the inputs."""
        return {"module": self.module, "bare": self.bare}

    def environment(self, target: str) -> Mapping[str, str]:
        """Variables that its worker needs on a target, besides the target's own."""
        return {}

    def refuses(self, inputs: Iterable[Port], *, delegate: bool = True) -> str:
        """Why it takes no variant with such inputs, or XNNPACK (`delegate`), wherever it is installed; '' when it does."""
        return ""

    def missing(self) -> str:
        """Why it cannot be used here, with the command that adds it; '' when it can."""
        try:
            found = metadata.version(self.package)
        except metadata.PackageNotFoundError:
            found = "not installed"
        if found == self.version:
            return ""
        wanted = f"'pocketrec[{self.extra}]'" if self.extra else f"{self.package}=={self.version}"
        return f"{self.package} {self.version} is needed ({found}); pip install {wanted}"


@dataclass(frozen=True, kw_only=True)
class BrowserRuntime(Runtime):
    """LiteRT.js, in a page; `package` is npm's."""

    forks: bool = False
    worker: str = "litert_js_worker.py"

    def launch(self) -> Launch:
        return browser.launch()

    def refuses(self, inputs: Iterable[Port], *, delegate: bool = True) -> str:
        for port in inputs:
            if port.dtype == "string":
                return f"LiteRT.js has no string tensors (input {port.name})"
            if -1 in port.shape:
                return f"LiteRT.js resizes no input: {port.name} has a free dimension and would be taken as 1"
        return ""

    def missing(self) -> str:
        return browser.missing_packages()


@dataclass(frozen=True, kw_only=True)
class CompiledModelRuntime(Runtime):
    """LiteRT's CompiledModel, of the same package as its Interpreter."""

    worker: str = "compiled_model_worker.py"

    def refuses(self, inputs: Iterable[Port], *, delegate: bool = True) -> str:
        texts = [port.name for port in inputs if port.dtype == "string"]
        return f"CompiledModel's buffers hold no text (input {texts[0]})" if texts else ""


@dataclass(frozen=True, kw_only=True)
class AndroidRuntime(Runtime):
    """TFLite in a shared library of Android's, through its C API; `package` is Maven's. It attaches no delegate: neither do apps
    with it, unless their own C++ does.

    Attributes:
        folder: where an app's own library was prepared; None for one of the pack.
    """

    module: str = "c_api_interpreter"
    kind: str = "android"
    platforms: tuple[str, ...] = ("host", "arm64", "adb")
    is_optional: bool = True
    attaches_delegate: bool = False
    chooses_delegate: bool = True
    folder: Path | None = None

    @property
    def _prepared(self) -> Path:
        return self.folder or android.folder() / self.version

    def launch(self) -> Launch:
        return {"module": self.module, "libraries": archives.libraries(self._prepared)}

    def environment(self, target: str) -> Mapping[str, str]:
        return archives.environment(self._prepared, TARGETS[target].platform)

    def refuses(self, inputs: Iterable[Port], *, delegate: bool = True) -> str:
        if delegate and not self.folder and "avx512f" in cpu_flags():
            return "the XNNPACK inside this library crashes on processors with AVX-512"
        if delegate and any(port.dtype == "string" for port in inputs):
            return (
                "put on by hand, XNNPACK takes no graph whose tensors have no fixed size, and lookups of text have none"
            )
        return ""

    def missing(self) -> str:
        return "" if self.folder else android.missing()


RUNTIMES: dict[str, Runtime] = {
    "tflite-runtime-2.14.0": Runtime(
        family="tflite-runtime",
        version="2.14.0",
        short_label="tflite",
        kind="tflite",
        summary="the TensorFlow Lite inside apps already shipped",
        package="tflite-runtime",
        module="tflite_runtime.interpreter",
        extra="bench",
        platforms=("host", "arm64"),
        is_phone=True,
        chooses_delegate=True,
    ),
    "litert-2.3.0": Runtime(
        family="LiteRT",
        version="2.3.0",
        short_label="litert",
        kind="litert",
        summary="what new apps ship",
        package="ai-edge-litert",
        module="ai_edge_litert.interpreter",
        platforms=("host", "arm64"),
        is_phone=True,
        is_current=True,
        chooses_delegate=True,
    ),
    "litert-2.3.0-compiled": CompiledModelRuntime(
        family="LiteRT CompiledModel",
        version="2.3.0",
        short_label="compiled",
        kind="compiled",
        summary="CompiledModel, which new apps are told to use in Interpreter's place",
        package="ai-edge-litert",
        module="ai_edge_litert.compiled_model",
        platforms=("host", "gpu"),
    ),
    "tf-2.18.1": Runtime(
        family="TensorFlow",
        version="2.18.1",
        short_label="tf",
        kind="other",
        summary="the interpreter beside the converter",
        package="tensorflow",
        module="tensorflow.lite.python.interpreter",
        extra="train",
        serves_saved_models=True,
        chooses_delegate=True,
        bare=True,
    ),
    "litertjs-2.5.3": BrowserRuntime(
        family="LiteRT.js",
        version="2.5.3",
        short_label="litertjs",
        kind="web",
        summary="what web apps ship",
        package="@litertjs/core",
        platforms=("wasm",),
    ),
    **{
        f"android-tflite-{version}": AndroidRuntime(
            family="Android's TFLite",
            version=version,
            short_label="android",
            summary=f"the library inside Android apps, tensorflow-lite:{version} of Maven",
            package=android.PACKAGE,
        )
        for version in android.AARS
    },
}
PHONE_RUNTIMES = tuple(name for name, runtime in RUNTIMES.items() if runtime.is_phone)
# Where one phone runtime is enough: what new apps ship.
CURRENT_RUNTIME = next(name for name, runtime in RUNTIMES.items() if runtime.is_current)
# What executes the SavedModels of a server.
SAVED_MODEL_RUNTIME = next(name for name, runtime in RUNTIMES.items() if runtime.serves_saved_models)


def runtime_of(name: str) -> Runtime:
    """The runtime that a document names; one that this version of the kit does not know keeps its name and is of kind 'other'."""
    return RUNTIMES.get(name) or Runtime(
        family=name, version="", short_label=name, kind="other", summary="", package="", platforms=()
    )


def runtime_packages() -> list[str]:
    """Distributions that carry the runtimes: `describe_host` records their versions."""
    return list(dict.fromkeys(runtime.package for runtime in RUNTIMES.values()))


def chosen_runtimes(
    names: Iterable[str], places: Iterable[str] = DEFAULT_TARGETS, default: Iterable[str] = PHONE_RUNTIMES
) -> list[str]:
    """The runtimes of those names, or, without names, those of `default` and those that run elsewhere only.

    Args:
        names: keys of `RUNTIMES`.
        places: keys of `TARGETS` that variants will run on.
        default: by default those that apps on phones ship. On a place where none of them runs, all that do.

    Returns:
        Keys of `RUNTIMES` that run on one of the places.

    Raises:
        InputError: an unknown name, a named runtime that is not installed or runs on none of the places, or a place on which none
            of the named runtimes runs.
    """
    asked, places = [pick("--runtime", name, RUNTIMES) for name in names], list(places)
    chosen = asked or _able(default, places)
    _check_places(asked, chosen, places)
    for name in asked:
        _require_installed(name)
    return chosen


def _require_installed(name: str) -> None:
    if reason := RUNTIMES[name].missing():
        raise InputError(
            "--runtime",
            expected=f"{name} installed",
            given=reason.split(";")[0],
            do=f"run `{reason.split('; ')[1]}`",
            code="NOT_INSTALLED",
        )


def _able(default: Iterable[str], places: list[str]) -> list[str]:
    """Those of `default`, those that run elsewhere only, and those of a place without any of these, that run on one of the places;
    optional ones where installed."""
    elsewhere = [name for name, runtime in RUNTIMES.items() if not runtime.on_host]
    usual = list(dict.fromkeys([*default, *elsewhere]))
    bare = [place for place in places if not any(RUNTIMES[name].runs_on(place) for name in usual)]
    own = [name for name, runtime in RUNTIMES.items() if any(map(runtime.runs_on, bare))]
    able = [name for name in dict.fromkeys([*usual, *own]) if any(map(RUNTIMES[name].runs_on, places))]
    return [name for name in able if not (RUNTIMES[name].is_optional and RUNTIMES[name].missing())]


def _check_places(asked: list[str], chosen: list[str], places: list[str]) -> None:
    for name in asked:
        if any(map(RUNTIMES[name].runs_on, places)):
            continue
        own = [target for target in TARGETS if RUNTIMES[name].runs_on(target)]
        raise InputError(
            "--runtime",
            expected=f"one that runs on {' or '.join(places)}",
            given=f"{name}, which runs on {', '.join(own)}",
            do="choose another, or for `pocketrec parity` another --target",
            code="OPTION_CONFLICT",
        )
    for place in places:
        if not any(RUNTIMES[name].runs_on(place) for name in chosen):
            runs = [name for name, runtime in RUNTIMES.items() if runtime.runs_on(place)]
            if not asked:
                _require_installed(runs[0])
            able = ", ".join(runs)
            raise InputError(
                "--runtime",
                expected=f"one for {place}: {able}",
                given=", ".join(chosen),
                do="add one",
                code="OPTION_CONFLICT",
            )


def any_phone_runtime() -> str:
    """An installed runtime that needs no TensorFlow: the current one, else another of phones.

    Raises:
        InputError: none is installed.
    """
    for name in sorted(PHONE_RUNTIMES, key=lambda name: not RUNTIMES[name].is_current):
        if not RUNTIMES[name].missing():
            return name
    current = RUNTIMES[CURRENT_RUNTIME]
    raise InputError(
        "runtime",
        expected=f"{' or '.join(PHONE_RUNTIMES)} installed",
        given="neither",
        do=f"run `pip install {current.package}=={current.version}`",
        code="NOT_INSTALLED",
    )
