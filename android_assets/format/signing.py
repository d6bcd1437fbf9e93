"""Ed25519 signatures over a manifest's bytes (RFC 8032), with keys as PEM files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...core.errors import CheckFailed, InputError
from ...core.files.atomic import write_bytes
from ...core.files.hashing import sha256_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

T = TypeVar("T")
_MAKE_KEY = "`pocketrec keygen --out key.pem`"
_ID_DIGITS = 16
# The field of edwards25519, and d of its equation -x² + y² = 1 + d x² y² (RFC 8032, section 5.1).
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def make_keys(private_key: Path) -> tuple[Path, str]:
    """Write a new private key (PKCS#8 PEM, readable by its owner only) and, beside it, its public key, `NAME.pub.pem`.

    Returns:
        The public key's path, and the key's id.

    Raises:
        InputError: one of the two exists, or the place cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_key = private_key.with_name(f"{private_key.stem}.pub.pem")
    for path in (private_key, public_key):
        if path.exists() or path.is_symlink():
            raise InputError(
                "--out", expected="a new file", given=f"{path}, which exists", do="name another", code="OUTPUT_EXISTS"
            )
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    public = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    try:
        private_key.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(private)
    except OSError as error:
        raise InputError(
            "--out",
            expected="a place that can be written",
            given=f"{private_key} ({error.strerror})",
            do="name another place",
            code="OUTPUT_UNWRITABLE",
        ) from error
    write_bytes(public_key, public)
    return public_key, key_id(key.public_key())


def key_id(public_key: "Ed25519PublicKey") -> str:
    """First 16 hex digits of the SHA-256 of the 32 bytes of an Ed25519 public key."""
    return sha256_bytes(public_key.public_bytes_raw())[:_ID_DIGITS]


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """An Ed25519 private key from PEM (PKCS#8, not encrypted).

    Raises:
        InputError: it cannot be read or is of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _load("--sign", path, lambda data: load_pem_private_key(data, password=None), _MAKE_KEY)
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(
            "--sign",
            expected="an Ed25519 private key",
            given=type(key).__name__,
            do=f"make one with {_MAKE_KEY}",
            code="KEY_INVALID",
        )
    return key


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """An Ed25519 public key from PEM.

    Raises:
        InputError: it cannot be read or is of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    how = "`openssl pkey -in key.pem -pubout -out public.pem`"
    key = _load("--key", path, load_pem_public_key, how)
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(
            "--key",
            expected="an Ed25519 public key",
            given=type(key).__name__,
            do=f"make one with {how}",
            code="KEY_INVALID",
        )
    if not is_sound_key(key.public_bytes_raw()):
        raise InputError(
            "--key",
            expected="a canonical point that is not of small order",
            given=f"{path}, under which anyone could sign",
            do=f"make a key pair with {_MAKE_KEY}",
            code="KEY_INVALID",
        )
    return key


def is_sound_key(raw: bytes) -> bool:
    """Whether 32 bytes encode a point of edwards25519 canonically (RFC 8032, 5.1.3) and the point is not of small order.

    OpenSSL checks neither. Under a key of small order one signature holds for many messages. Such a point has x = 0, y = 0, or, if
    doubling it gives y = 0, x² = -y². The Kotlin client refuses the same keys.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    is_on_curve = pow(x_squared, (_P - 1) // 2, _P) in (0, 1)
    is_small = y == 0 or x_squared in (0, -y * y % _P)
    return y < _P and is_on_curve and not is_small


def check_signature(message: bytes, signature: bytes, signer: str | None, public_keys: Sequence[Path]) -> None:
    """Check `signature` over `message` by one of several trusted keys.

    Args:
        signer: id of the key that the manifest names.
        public_keys: Ed25519 public keys in PEM.

    Raises:
        InputError: a key cannot be read or is of another kind.
        CheckFailed: signed by none of them, or not over these bytes.
    """
    from cryptography.exceptions import InvalidSignature

    keys = {key_id(key): (key, path) for key, path in ((read_public_key(path), path) for path in public_keys)}
    if signer not in keys:
        trusted = ", ".join(f"{path.name} ({name})" for name, (_, path) in keys.items())
        raise CheckFailed(f"signature: signed by key {signer}, trusted are {trusted}", code="SIGNATURE_UNTRUSTED")
    key, path = keys[signer]
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise CheckFailed(
            f"signature: manifest.json was not signed by {path.name}, or was changed afterwards",
            code="SIGNATURE_INVALID",
        ) from None


def _load(what: str, path: Path, parse: Callable[[bytes], T], how: str) -> T:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            what, expected="a PEM key file", given=f"{path} ({reason})", do=f"make one with {how}", code="KEY_INVALID"
        ) from error
