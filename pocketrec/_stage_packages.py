"""`pocketrec.train` and `pocketrec.convert` are packages that can be called.

`import pocketrec.train.stage` makes Python bind the package `train` as an attribute of `pocketrec`, over whatever had that
name, so a function alone could not keep it. The packages therefore answer calls themselves: `pocketrec.train(...)` is the function
`pocketrec.api.training.train`, whatever was imported before. Type checkers see that function.
"""

from collections.abc import Callable
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType

_HOMES: dict[str, str] = {}


class StagePackage(ModuleType):
    """A package that is also the function of its name."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        return _function(self.__name__)(*args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _function(self.__name__).__doc__

    @property
    def __signature__(self) -> Signature:
        return signature(_function(self.__name__))

    @property
    def __wrapped__(self) -> Callable[..., object]:
        return _function(self.__name__)

    def __reduce__(self) -> tuple[object, ...]:
        return import_module, (self.__name__,)


def _function(package: str) -> Callable[..., object]:
    return getattr(import_module(_HOMES[package]), package.rpartition(".")[2])


def make_callable(name: str, home: str) -> None:
    """Make the package `pocketrec.<name>` the function of that name in `pocketrec.<home>`."""
    kit = __name__.rpartition(".")[0]
    package = import_module(f"{kit}.{name}")
    _HOMES[package.__name__] = f"{kit}.{home}"
    package.__class__ = StagePackage
