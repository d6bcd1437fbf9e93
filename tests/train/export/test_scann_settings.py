from pocketrec.train.export.scann_settings import BRUTE_FORCE_BELOW, TREE_FROM, scann_settings


def test_scann_is_configured_as_recommended_for_the_size():
    assert scann_settings(BRUTE_FORCE_BELOW - 1) == {"configuration": "brute_force"}
    hashed, tree = scann_settings(BRUTE_FORCE_BELOW), scann_settings(TREE_FROM)
    assert hashed["configuration"] == "ah_reorder" and "num_leaves" not in hashed
    assert tree["configuration"] == "tree_ah_reorder" and tree.get("num_leaves") == 316
    assert scann_settings(1_000_000).get("num_leaves") == 1000
