"""Whether one version of a bundle may replace another when only the catalogue was shipped."""

from ...core.errors import CheckFailed
from ..answering.bundle import Bundle
from ..format.layouts import LAYOUTS
from ..format.manifest import Manifest


def require_updatable(what: str, manifest: Manifest) -> None:
    """Refuse a bundle whose catalogue cannot be replaced alone.

    Raises:
        CheckFailed: `what` has such a layout.
    """
    if not LAYOUTS[manifest.layout].updatable:
        raise incompatible(f"{what} has the layout {manifest.layout}, whose catalogue is inside a model")


def check_follows(base: Bundle, new: Bundle, *, allow_downgrade: bool = False) -> None:
    """Check that `new`, an update merged with `base`, may replace it: the same models, the same ids for the same items.

    Raises:
        CheckFailed: it may not (UPDATE_NOT_NEWER, UPDATE_INCOMPATIBLE).
    """
    old, now = base.manifest, new.manifest
    require_updatable("the base", old)
    require_updatable("the update", now)
    if now.name != old.name:
        raise incompatible(f"it is for {now.name}, the base is {old.name}")
    _check_version(old.version, now.version, allow_downgrade)
    if _models(now) != _models(old):
        raise incompatible("its query encoder is not the base's, so vectors would not match; ship a full bundle")
    dimensions = [None if m.candidates is None else m.candidates.shape[1] for m in (now, old)]
    if dimensions[0] != dimensions[1]:
        raise incompatible(f"its vectors have {dimensions[0]} elements, the base's {dimensions[1]}")
    _check_vocabularies(base, new)


def incompatible(reason: str) -> CheckFailed:
    """The error for an update that does not fit what is installed."""
    return CheckFailed(f"update: {reason}", code="UPDATE_INCOMPATIBLE")


def _check_version(old: int, new: int, allow_downgrade: bool) -> None:
    if new == old:
        raise CheckFailed(f"update: version {new} is installed already; versions must rise", code="UPDATE_NOT_NEWER")
    if new < old and not allow_downgrade:
        raise CheckFailed(
            f"update: version {new} is below the installed {old}; pass --allow-downgrade to go back",
            code="UPDATE_NOT_NEWER",
        )


def _check_vocabularies(base: Bundle, new: Bundle) -> None:
    """The item list of the older version begins that of the newer one, so that no id changes its meaning; others are equal."""
    old, now = (_vocabularies(bundle.manifest) for bundle in (base, new))
    for name in sorted((old.keys() | now.keys()) - {"items"}):
        if old.get(name) != now.get(name):
            raise incompatible(f"its vocabulary of {name} is not the base's; ship a full bundle")
    before, after = base.catalogue.items, new.catalogue.items
    if new.manifest.version < base.manifest.version:
        before, after = after, before
    if after[: len(before)] != before:
        raise incompatible("the older vocabulary of items does not begin the newer one: ids would change meaning")


def _models(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the model files, by graph."""
    return {model.graph: manifest.digests[model.file] for model in manifest.models}


def _vocabularies(manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the vocabulary files, by name."""
    return {row.name: manifest.digests[row.file] for row in manifest.vocabularies}
