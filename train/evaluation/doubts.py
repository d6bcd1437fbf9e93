"""What makes figures on held-out ratings doubtful."""

import logging

import numpy as np

from ..run_files import Parts

log = logging.getLogger(__name__)

# Figures are means over held-out users: with 100 of them a share's standard error is up to 0.05.
FEW_USERS = 100


def doubts(parts: Parts, n_users: int) -> list[str]:
    """One line each, also logged.

    Args:
        n_users: users that are evaluated.
    """
    found = []
    if n_users < FEW_USERS:
        found.append(
            f"ratings of only {n_users} users are held out: metrics over fewer than {FEW_USERS} are too noisy to compare models"
        )
    teaching = int((np.bincount(parts.train.user) > 1).sum())
    if teaching < 2:
        found.append(
            f"{len(parts.train)} training events, of which {teaching} users have two or more: which items go together cannot be "
            "learnt from them"
        )
    for text in found:
        log.warning(text)
    return found
