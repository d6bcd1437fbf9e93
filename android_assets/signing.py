"""Ed25519 signatures over a manifest's bytes (RFC 8032), with keys as PEM files."""

from pathlib import Path
from typing import Any

from ..train.errors import CheckFailed, InputError

_MAKE_KEY = "`openssl genpkey -algorithm ed25519 -out key.pem`"


def sign(message: bytes, private_key: Path) -> bytes:
    """64 bytes of signature by an Ed25519 private key in PEM (PKCS#8, not encrypted).

    Raises:
        InputError: the key cannot be read or is of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _load("--sign", private_key, lambda data: load_pem_private_key(data, password=None), _MAKE_KEY)
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "--sign", expected="an Ed25519 private key", given=type(key).__name__, do=f"make one with {_MAKE_KEY}"
        )
    return key.sign(message)


def check_signature(message: bytes, signature: bytes, public_key: Path) -> None:
    """Check `signature` over `message` by an Ed25519 public key in PEM.

    Raises:
        InputError: the key cannot be read or is of another kind.
        CheckFailed: the signature is not that key's over these bytes.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    how = "`openssl pkey -in key.pem -pubout -out public.pem`"
    key = _load("--key", public_key, load_pem_public_key, how)
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("--key", expected="an Ed25519 public key", given=type(key).__name__, do=f"make one with {how}")
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise CheckFailed(
            f"signature: manifest.json was not signed by {public_key.name}, or was changed afterwards"
        ) from None


def _load(what: str, path: Path, parse: Any, how: str) -> Any:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            what, expected="a PEM key file", given=f"{path} ({reason})", do=f"make one with {how}"
        ) from error
