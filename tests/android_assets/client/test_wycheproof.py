"""The kit's verifier on Project Wycheproof's Ed25519 vectors; the Kotlin client's is tested on them by Maven."""

import pytest

from tests.android_assets.client.wycheproof_verdicts import verdicts

pytestmark = pytest.mark.full


def test_valid_signatures_are_accepted_and_invalid_ones_refused(wycheproof, tmp_path):
    found = [vector for vector in verdicts(wycheproof, tmp_path) if vector.result != "acceptable"]
    assert {vector.result for vector in found} == {"valid", "invalid"}
    assert [vector.number for vector in found if vector.is_accepted != (vector.result == "valid")] == []


def test_keys_of_small_order_are_refused(wycheproof, tmp_path):
    found = [vector for vector in verdicts(wycheproof, tmp_path) if "SmallOrderPublicKey" in vector.flags]
    assert len(found) >= 8
    assert not any(vector.is_accepted for vector in found)
