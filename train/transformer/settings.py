"""Hyperparameters of the transformer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TransformerSettings:
    """Hyperparameters; chosen on validation carved from the training part of MovieLens-100K.

    Attributes:
        dimension: of the query and candidate vectors, the bias included.
        context: items of the history that are attended to, the newest ones.
        heads: attention heads, each as wide as the vectors.
        widening: width of the feed-forward layer, in widths of the vectors.
        epochs: most passes; validation stops earlier.
        patience: passes without a better value on validation before training stops.
        finish: passes over the whole training part, validation's share included, after that.
        tokens, least_tokens: targets per step, at most, and at most of small data, of which a pass has about `steps`.
        steps: see `tokens`.
        rate: Adam's largest learning rate; it rises for a tenth of the steps and falls to a hundredth (cosine).
        dropout: share of elements of the inputs and of each layer's output that are hidden in a step.
        hidden_events: share of events of a history that are hidden in a step.
        undeclared: share of histories whose preferences are hidden.
        penalty: weight of the squared length of item rows (mean over items).
        content_penalty: weight of the squared length of the content and preference tables.
        negatives: items that a target is scored against, drawn uniformly; every item where there are no more.
        most_events: events that are passed over in all: fewer passes over longer data, so that time is bounded and a seed decides
            everything.
    """

    dimension: int = 64
    context: int = 100
    heads: int = 2
    widening: int = 2
    epochs: int = 12
    patience: int = 4
    finish: int = 2
    tokens: int = 2048
    least_tokens: int = 256
    steps: int = 40
    rate: float = 3e-3
    dropout: float = 0.3
    hidden_events: float = 0.1
    undeclared: float = 0.5
    penalty: float = 1e-2
    content_penalty: float = 1e-4
    negatives: int = 512
    most_events: int = 4_000_000
