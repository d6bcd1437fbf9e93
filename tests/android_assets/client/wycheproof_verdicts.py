"""What the kit's own verifier makes of Project Wycheproof's Ed25519 vectors."""

import json
from dataclasses import dataclass
from pathlib import Path

from pocketrec.android_assets.format.signing import check_signature, key_id, read_public_key
from pocketrec.core.errors import PocketrecError


@dataclass(frozen=True)
class Verdict:
    """A vector, and whether the kit accepts its signature.

    Attributes:
        result: `valid`, `invalid` or `acceptable`, as Wycheproof has it.
    """

    number: int
    result: str
    flags: frozenset[str]
    is_accepted: bool


def verdicts(vectors: Path, folder: Path) -> list[Verdict]:
    """Check every vector with `check_signature`, by keys written to `folder` as PEM."""
    document = json.loads(vectors.read_text(encoding="utf-8"))
    found = []
    for number, group in enumerate(document["testGroups"]):
        key = folder / f"{number}.pem"
        key.write_text(group["publicKeyPem"], encoding="ascii")
        found += [_verdict(row, key) for row in group["tests"]]
    assert len(found) == document["numberOfTests"]
    return found


def _verdict(row: dict[str, str], key: Path) -> Verdict:
    try:
        signer = key_id(read_public_key(key))
        check_signature(bytes.fromhex(row["msg"]), bytes.fromhex(row["sig"]), signer, [key])
        is_accepted = True
    except PocketrecError:
        is_accepted = False
    return Verdict(int(row["tcId"]), row["result"], frozenset(row["flags"]), is_accepted)
