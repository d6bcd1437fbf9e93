"""One block of causal attention and its last position alone, which is all that a phone computes.

    x_k = norm(E_hk), x_0 = start                      a_k ~ exp(x_k . A_h x_n + place_h(n - k))
    r = x_n + [sum_k a_k x_k]_h G                      z = norm(r + relu(norm(r) W + w) V + v) * gain + shift

The projections of queries and keys are one matrix per head, A_h, and those of values and outputs another, G: so the last position
needs no matrix product over the history, only weighted sums. The bias by distance replaces embeddings of positions (as in T5,
Raffel et al. 2020), and the start, which every position sees, answers an empty history.
"""

from collections.abc import Mapping

from ..products import linear
from ..tf import Tensor, tf

EPSILON = 1e-6
# Added to the logits of places that hold nothing.
HIDDEN = -1e9
# Below anything that `normalized` returns. The comparison keeps TensorFlow's converter from moving the norm's factor into the
# weights of the next layer, which would then be no constants, and float32 in every recipe.
LEAST = -1e3

# By name: start [d], attend [d, heads * d], place [heads, context] (newest last), start_place [heads], collect [heads * d, d],
# widen [d, f], widen_bias [f], narrow [f, d], narrow_bias [d], gain [d], shift [d]; all float32.
Weights = Mapping[str, Tensor]
WEIGHTS = (
    *("start", "attend", "place", "start_place", "collect"),
    *("widen", "widen_bias", "narrow", "narrow_bias", "gain", "shift"),
)


def normalized(values: Tensor) -> Tensor:
    """float32[..., d] of mean 0 and variance 1 along the last axis; rows of zeros stay."""
    centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(centred * centred, axis=-1, keepdims=True) + EPSILON)


def last_state(w: Weights, rows: Tensor, known: Tensor) -> Tensor:
    """The state after the newest item.

    Args:
        rows: float32[..., n, d], item vectors, oldest first; n is at most the context.
        known: float32[..., n], 1 where a place holds an item.

    Returns:
        float32[..., d].
    """
    heads, d = w["place"].shape[0], w["start"].shape[0]
    items = normalized(rows) * tf.expand_dims(known, -1)
    last = items[..., -1, :] + (1.0 - known[..., -1:]) * w["start"]
    seen = tf.concat([tf.zeros_like(items[..., :1, :]) + w["start"], items], axis=-2)
    hidden = tf.concat([tf.zeros_like(known[..., :1]), (1.0 - known) * HIDDEN], axis=-1)
    asked = linear(last, w["attend"])
    asked = tf.reshape(asked, [heads, 1, d] if asked.shape.rank == 1 else [-1, heads, 1, d])
    seen = tf.expand_dims(seen, -3)
    logits = tf.reduce_sum(asked * seen, axis=-1) + _place_bias(w, rows) + tf.expand_dims(hidden, -2)
    collected = tf.reduce_sum(tf.expand_dims(tf.nn.softmax(logits), -1) * seen, axis=-2)
    return finished(w, last, _joined(collected))


def _place_bias(w: Weights, rows: Tensor) -> Tensor:
    """float32[heads, n + 1]: of the start, and of as many of the newest places as `rows` has."""
    n, place = rows.shape[-2], w["place"]
    if n != place.shape[1]:
        place = place[:, place.shape[1] - (tf.shape(rows)[-2] if n is None else n) :]
    return tf.concat([w["start_place"][:, None], place], axis=1)


def _joined(collected: Tensor) -> Tensor:
    """float32[..., heads * d] of [..., heads, d]."""
    heads, d = collected.shape[-2:]
    return tf.reshape(collected, [heads * d] if collected.shape.rank == 2 else [-1, heads * d])


def finished(w: Weights, last: Tensor, collected: Tensor, dropped: float = 0.0) -> Tensor:
    """float32[..., d]: what follows attention, of the position's own vector and the sums of all heads; `dropped` in training."""
    state = last + _dropout(linear(collected, w["collect"]), dropped)
    inner = tf.maximum(normalized(state), LEAST)
    wide = tf.nn.relu(linear(inner, w["widen"]) + w["widen_bias"])
    state += _dropout(linear(wide, w["narrow"]) + w["narrow_bias"], dropped)
    return normalized(state) * w["gain"] + w["shift"]


def every_state(w: Weights, rows: Tensor, known: Tensor, dropped: float = 0.0) -> Tensor:
    """The states before the first item and after each, none of which sees a later one.

    Args:
        rows: float32[b, n, d], item vectors, oldest first.
        known: float32[b, n], 1 where a place holds an item.
        dropped: share of elements that are hidden.

    Returns:
        float32[b, n + 1, d].
    """
    heads, d = w["start_place"].shape[0], rows.shape[-1]
    items = normalized(rows) * known[..., None]
    n_rows = tf.shape(rows)[0]
    seen = _dropout(tf.concat([tf.broadcast_to(w["start"], [n_rows, 1, d]), items], axis=1), dropped)
    n = tf.shape(seen)[1]
    asked = tf.reshape(tf.matmul(tf.reshape(seen, [-1, d]), w["attend"]), [-1, n, heads, d])
    logits = tf.einsum("bthd,bsd->bhts", asked, seen) + _distance_bias(w, n)
    reached = tf.concat([tf.ones([n_rows, 1]), known], axis=1)
    attended = tf.nn.softmax(logits + ((1.0 - reached) * HIDDEN)[:, None, None, :])
    collected = tf.einsum("bhts,bsd->bthd", _dropout(attended, dropped), seen)
    flat = tf.reshape(seen, [-1, d]), tf.reshape(collected, [-1, heads * d])
    return tf.reshape(finished(w, *flat, dropped), [-1, n, d])


def _distance_bias(w: Weights, n: Tensor) -> Tensor:
    """float32[heads, n, n]: bias of each position (axis 1) for each that it may see (axis 2), the start first."""
    place, at = w["place"], tf.range(n)
    distance = at[:, None] - at[None, :]
    context = place.shape[1]
    bias = tf.gather(place, tf.clip_by_value(context - 1 - distance, 0, context - 1), axis=1)
    bias = tf.where((distance < 0) | (distance >= context), HIDDEN, bias)
    first = tf.zeros_like(bias[:, :, :1]) + w["start_place"][:, None, None]
    return tf.concat([first, bias[:, :, 1:]], axis=2)


def _dropout(values: Tensor, share: float) -> Tensor:
    return tf.nn.dropout(values, share) if share else values
