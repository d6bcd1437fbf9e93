"""Whether one version of a bundle may take the place of another when only the catalogue was shipped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.errors import CheckFailed, InputError
from ..answering.bundle_inference import Loaded
from ..format.layouts import LAYOUTS


def taken_from_base(manifest: Mapping[str, Any]) -> list[str]:
    """Paths of the files that an update leaves to its base; none for a bundle that was written whole."""
    return [] if manifest["update"] is None else manifest["update"]["from_base"]


def require_whole(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse an update where a bundle is needed.

    Raises:
        InputError: what the update leaves to its base is not in `folder`.
    """
    if any(not (folder / path).is_file() for path in taken_from_base(manifest)):
        raise InputError(
            "bundle",
            expected="a whole bundle",
            given=f"an update to version {manifest['version']}, made for version {manifest['update']['base_version']}",
            do="pass --base BUNDLE to verify it, or apply it with `pocketrec update BUNDLE UPDATE`",
        )


def require_split(what: str, manifest: Mapping[str, Any]) -> None:
    """Raises:
    CheckFailed: `what` has a catalogue that is inside a model.
    """
    if not LAYOUTS[manifest["layout"]].has_candidates:
        raise CheckFailed(f"update: {what} has the layout {manifest['layout']}, whose catalogue is inside a model")


def check_follows(base: Loaded, new: Loaded, *, allow_downgrade: bool = False) -> None:
    """Check that `new`, an update merged with `base`, may take its place: the same encoder, the same ids for the same items.

    Raises:
        CheckFailed: it may not, with the reason.
    """
    require_split("the base", base.manifest)
    require_split("the update", new.manifest)
    old, now = base.manifest, new.manifest
    if now["name"] != old["name"]:
        raise CheckFailed(f"update: it is for {now['name']}, the base is {old['name']}")
    _check_version(old["version"], now["version"], allow_downgrade)
    if _digests(now, "models", "graph") != _digests(old, "models", "graph"):
        raise CheckFailed("update: its query encoder is not the base's, so vectors would not match; ship a full bundle")
    if now["candidates"]["shape"][1] != old["candidates"]["shape"][1]:
        dimensions = [manifest["candidates"]["shape"][1] for manifest in (now, old)]
        raise CheckFailed(f"update: its vectors have {dimensions[0]} elements, the base's {dimensions[1]}")
    _check_vocabularies(base, new)


def _check_version(old: int, new: int, allow_downgrade: bool) -> None:
    if new == old:
        raise CheckFailed(f"update: version {new} is installed already; versions must rise")
    if new < old and not allow_downgrade:
        raise CheckFailed(f"update: version {new} is below the installed {old}; pass --allow-downgrade to go back")


def _check_vocabularies(base: Loaded, new: Loaded) -> None:
    """Others than of items are equal; of items the older list begins the newer one, so that no id changes its meaning."""
    old, now = (_digests(loaded.manifest, "vocabularies", "name") for loaded in (base, new))
    for name in sorted(({*old} | {*now}) - {"items"}):
        if old.get(name) != now.get(name):
            raise CheckFailed(f"update: its vocabulary of {name} is not the base's; ship a full bundle")
    before, after = base.catalogue.items, new.catalogue.items
    if new.manifest["version"] < base.manifest["version"]:
        before, after = after, before
    if after[: len(before)] != before:
        raise CheckFailed(
            "update: the older vocabulary of items does not begin the newer one: ids would change meaning"
        )


def _digests(manifest: Mapping[str, Any], part: str, name: str) -> dict[str, str]:
    """SHA-256 of the files of `models` or `vocabularies`, by `name`."""
    digests = {row["path"]: row["sha256"] for row in manifest["files"]}
    return {row[name]: digests[row["file"]] for row in manifest[part]}
