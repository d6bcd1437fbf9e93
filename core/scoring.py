"""Constants that graphs, clients and comparisons share: number of results, score of masked items, weight of ratings."""

DEFAULT_K = 100


# Score of masked items, and the bound below which an item is masked. The converter turns minus infinity into the lowest float32,
# and float16 files clip that to -65504; this value survives both.
MASKED, MASKED_BELOW = -60_000.0, -50_000.0


# The recommender orders by retrieval score + this * predicted rating. Either alone finds fewer items that held-out users liked
# (decision 8).
STARS_WEIGHT = 0.5
