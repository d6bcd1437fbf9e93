"""Keys and signatures."""

import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from pocketrec.android_assets.format.signing import make_keys, read_private_key, read_public_key
from pocketrec.android_assets.reading.verify import open_bundle
from pocketrec.android_assets.writing.options import BundleOptions
from pocketrec.android_assets.writing.writer import write_bundle
from pocketrec.core.run_dir import Run

from tests.android_assets.breaking import manifest_of
from tests.conftest import raises, refused


def test_a_new_key_is_private_and_never_replaces_one(tmp_path, pocketrec):
    assert pocketrec("keygen", "--out", tmp_path / "key.pem").code == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "key.pem").read_bytes()
    assert refused(pocketrec("keygen", "--out", tmp_path / "key.pem")).endswith("[OUTPUT_EXISTS]")
    with raises("OUTPUT_UNWRITABLE"):
        make_keys(tmp_path / "key.pub.pem" / "key.pem")
    (tmp_path / "other.pub.pem").write_text("precious")
    with raises("OUTPUT_EXISTS"):
        make_keys(tmp_path / "other.pem")
    assert (tmp_path / "key.pem").read_bytes() == before and not (tmp_path / "other.pem").exists()


def test_keys_are_those_that_openssl_reads(signed):
    command = ["openssl", "pkey", "-in", str(signed.private), "-pubout"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == signed.key.read_bytes()


def test_keys_of_another_kind_are_refused(tmp_path):
    key = generate_private_key(65537, 2048)
    (tmp_path / "rsa.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "rsa.pub.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    for read, name in ((read_private_key, "rsa.pem"), (read_public_key, "rsa.pub.pem"), (read_public_key, "none.pem")):
        with raises("KEY_INVALID"):
            read(tmp_path / name)


def test_signature_is_the_standard_one(signed):
    """Another implementation accepts it: Ed25519 over the manifest's bytes."""
    folder = signed.folder / "cascade"
    signature = (folder / "manifest.sig").read_bytes()
    assert len(signature) == 64
    load_pem_public_key(signed.key.read_bytes()).verify(signature, (folder / "manifest.json").read_bytes())


@pytest.mark.parametrize("layout", ["pair", "split"])
def test_signed_bundle_opens_with_its_key_only(signed, layout):
    folder = signed.folder / layout
    open_bundle(folder), open_bundle(folder, keys=[signed.key])
    with raises("SIGNATURE_UNTRUSTED") as refusal:
        open_bundle(folder, keys=[signed.other])
    assert manifest_of(folder)["key_id"] in str(refusal.value) and "theirs.pub.pem" in str(refusal.value)


def test_the_command_signs_and_recommends_from_trusted_bundles_only(signed, tiny, pocketrec, tmp_path):
    assert pocketrec("bundle", tiny, "--out", tmp_path / "b", "--sign", signed.private).code == 0
    open_bundle(tmp_path / "b", keys=[signed.key])
    line = refused(pocketrec("recommend", tmp_path / "b", "--prefer", "Western", "--key", signed.other), code=1)
    assert line.endswith("[SIGNATURE_UNTRUSTED]")


def test_keys_are_rotated_by_trusting_both_for_a_while(signed, tiny, tmp_path):
    both = [signed.key, signed.other]
    for version, key in enumerate((signed.private, signed.private_other), start=1):
        write_bundle(Run(tiny), tmp_path / str(version), BundleOptions(sign_key=key, version=version))
        assert open_bundle(tmp_path / str(version), keys=both).manifest.version == version
    with raises("SIGNATURE_UNTRUSTED"):
        open_bundle(tmp_path / "1", keys=both[1:])


def test_another_keys_signature_under_our_id_is_refused(signed, pair):
    forged = read_private_key(signed.private_other).sign((pair / "manifest.json").read_bytes())
    (pair / "manifest.sig").write_bytes(forged)
    with raises("SIGNATURE_INVALID"):
        open_bundle(pair, keys=[signed.key])
