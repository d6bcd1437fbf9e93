"""Constants that graphs, clients and comparisons share: how many results, what a masked item scores, how ratings weigh."""

DEFAULT_K = 100


# What masked items score, and the bound to tell them by. The converter turns minus infinity into the lowest float32, and
# float16 files cut that to -65504; this value survives both.
MASKED, MASKED_BELOW = -60_000.0, -50_000.0


# How the recommender orders what it retrieved: retrieval score + this * predicted stars. Either alone finds fewer films that
# held-out users liked (decision 8).
STARS_WEIGHT = 0.5
