"""Recommendations from a bundle, as the app would make them."""

from collections.abc import Sequence
from pathlib import Path

from ..core.files.directory_swap import while_unchanged
from ..core.queries.recommendation import Answer, Request
from .reading.verify import StrPath, open_bundle


def is_bundle(path: StrPath) -> bool:
    """Whether a path is to be opened as a bundle: a file, or a folder with a manifest."""
    return Path(path).is_file() or (Path(path) / "manifest.json").is_file()


def recommend_from_bundle(path: StrPath, request: Request, *, keys: Sequence[StrPath] = ()) -> Answer:
    """Open a bundle and answer a request; again, where the bundle was replaced meanwhile.

    Args:
        path: a folder or zip.
        keys: trusted Ed25519 public keys (PEM); with any, a bundle signed by none of them is refused.

    Raises:
        InputError: no such bundle, or a request that cannot be parsed.
        CheckFailed: the bundle is not as its manifest says, or a model does not run.
    """

    def answered() -> Answer:
        with open_bundle(path, keys=keys) as bundle:
            return bundle.answer(request)

    return while_unchanged(Path(path), answered)
