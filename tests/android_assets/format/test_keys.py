"""Which public keys are trusted: the same as the Kotlin client's (Ed25519Test.kt)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pocketrec.android_assets.format.signing import is_sound_key, read_public_key

from tests.conftest import raises

P = 2**255 - 19
SPKI = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519 before the key (RFC 8410, section 4)
ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
UNSOUND = {
    "order 1": (1).to_bytes(32, "little"),
    "order 2": (P - 1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "order 8": ORDER_8,
    "order 8, the other sign": ORDER_8[:31] + bytes([ORDER_8[31] ^ 0x80]),
    "not canonical": (P + 1).to_bytes(32, "little"),
    "not canonical, of a large order": (P + 3).to_bytes(32, "little"),
    "not on the curve": (2).to_bytes(32, "little"),
}


def pem(raw: bytes) -> str:
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(SPKI + raw).decode()}\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("raw", UNSOUND.values(), ids=UNSOUND)
def test_unsound_keys_are_refused(tmp_path, raw):
    (tmp_path / "key.pem").write_text(pem(raw))
    with raises("KEY_INVALID"):
        read_public_key(tmp_path / "key.pem")


def test_keys_as_they_are_generated_are_sound(tmp_path):
    for _ in range(50):
        raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        assert is_sound_key(raw)
    (tmp_path / "key.pem").write_text(pem(raw))
    assert read_public_key(tmp_path / "key.pem").public_bytes_raw() == raw
