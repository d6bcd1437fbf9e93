"""Asking a bundle or a run in one line."""

from pathlib import Path

from pocketrec.android_assets.recommend import is_bundle, recommend_from_bundle
from pocketrec.core.queries.recommendation import Answer, Request
from pocketrec.core.run_dir import open_run


def recommend(where: Path, **request) -> Answer:
    """What a bundle (folder or zip) or a run answers."""
    if is_bundle(where):
        return recommend_from_bundle(where, Request(**request))
    from pocketrec.train.server_recommender import recommend_from_run

    return recommend_from_run(open_run(where), Request(**request))
