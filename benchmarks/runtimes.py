"""The runtimes that can execute a variant on this machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from ..train.errors import InputError, pick


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
        bare: whether the module is imported without the packages around it (see worker.py).
    """

    module: str
    package: str
    version: str
    extra: str
    stands_for: str
    targets: tuple[str, ...] = ()
    chooses_delegate: bool = False
    bare: bool = False

    def runs_on(self, target: str) -> bool:
        """Whether there is such a runtime for a target at all."""
        return target == "host" or target.partition("/")[0] in self.targets

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
}
PHONE_RUNTIMES = ("tflite-runtime-2.14.0", "litert-2.3.0")


def chosen_runtimes(names: Iterable[str], default: Iterable[str] = PHONE_RUNTIMES) -> list[str]:
    """The asked-for runtimes, or `default`, those that apps ship, when none is named.

    Raises:
        InputError: an unknown name, or one asked for by name that is not installed.
    """
    asked = [pick("--runtime", name, RUNTIMES) for name in names]
    for name in asked:
        if reason := RUNTIMES[name].missing():
            raise InputError(
                "--runtime",
                expected=f"{name} installed",
                given=reason.split(";")[0],
                do=f"run `{reason.split('; ')[1]}`",
            )
    return asked or list(default)


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
