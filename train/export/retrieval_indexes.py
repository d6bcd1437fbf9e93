"""TFRS' retrieval layers over trained towers, ready to be saved."""

import hashlib
from collections.abc import Mapping

import numpy as np

from ...core.records.record import Json
from ..tf import Tensor, tf
from ..tfrs import tfrs
from .savedmodels import Export
from .scann_settings import ScannSettings, scann_settings

_layers = tfrs.layers.factorized_top_k

INDEX_K = 100
# TFRS' default number of leaves; ScaNN refuses to build more leaves than there are items.
TFRS_LEAVES = 100


class AdvisedScann(_layers.ScaNN):
    """TFRS' layer over an index configured by `scann_settings`; the layer's own arguments always build a tree."""

    def __init__(self, query_model: Tensor, k: int, settings: ScannSettings) -> None:
        super().__init__(query_model, k=k)
        self._build_searcher = lambda candidates: _scann(candidates, k, settings)


def _scann(candidates: Tensor, k: int, settings: ScannSettings) -> Tensor:
    from scann.scann_ops.py import scann_ops

    builder: Tensor = scann_ops.builder(db=candidates, num_neighbors=k, distance_measure="dot_product")
    if "num_leaves" in settings and "num_leaves_to_search" in settings:
        builder = builder.tree(settings["num_leaves"], settings["num_leaves_to_search"], training_sample_size=250_000)
    if settings["configuration"] == "brute_force":
        builder = builder.score_brute_force()
    else:
        builder = builder.score_ah(
            settings.get("dimensions_per_block"),
            anisotropic_quantization_threshold=settings.get("anisotropic_threshold"),
        ).reorder(settings.get("num_reordering_candidates"))
    return builder.build(shared_name=_searcher_name(candidates, settings))


def _searcher_name(candidates: Tensor, settings: ScannSettings) -> str:
    """One name per content: a process finds an index that it built before by its name, whatever vectors it is asked for."""
    content = hashlib.sha256(candidates.numpy().tobytes() + repr(sorted(settings.items())).encode())
    return f"pocketrec/{content.hexdigest()}"


def index_exports(
    query_model: Tensor,
    candidates: np.ndarray,
    items: list[str],
    probe: Mapping[str, np.ndarray],
    specs: Mapping[str, Tensor],
) -> tuple[dict[str, Export], Json]:
    """BruteForce, ScaNN as recommended and with TFRS' defaults; `serving_default` returns scores float32[n, k], ids string[n, k].

    Args:
        query_model: called with a dict of the tensors named in `specs`, or with the tensor itself where there is one.
        probe: inputs for the comparison after loading.

    Returns:
        Exports by name, and the configuration of `retrieval_scann` for run.json.
    """
    k, recommended = min(INDEX_K, len(items)), scann_settings(len(items))
    made = {
        "retrieval_bruteforce": _layers.BruteForce(query_model, k=k),
        "retrieval_scann": AdvisedScann(query_model, k, recommended),
    }
    if len(items) >= TFRS_LEAVES:
        made["retrieval_scann_tfrs_default"] = _layers.ScaNN(query_model, k=k)
    return {name: _export(index, candidates, items, probe, specs, name) for name, index in made.items()}, {
        **recommended
    }


def _export(
    index: Tensor,
    candidates: np.ndarray,
    items: list[str],
    probe: Mapping[str, np.ndarray],
    specs: Mapping[str, Tensor],
    name: str,
) -> Export:
    index.index(tf.constant(candidates), tf.constant(items))

    def retrieve(**inputs: Tensor) -> dict[str, Tensor]:
        scores, ids = index(_as_layers_take_it(inputs))
        return {"scores": scores, "ids": ids}

    index(_as_layers_take_it({key: tf.constant(value) for key, value in probe.items()}))
    function = tf.function(retrieve).get_concrete_function(**specs)
    return Export(index, {"serving_default": function}, probe, ("Scann",) if "scann" in name else ())


def _as_layers_take_it(inputs: Mapping[str, Tensor]) -> Tensor:
    """A single input as it is, several by name."""
    return dict(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
