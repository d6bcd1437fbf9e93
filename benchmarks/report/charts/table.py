"""The charts of the report, in the order of its sections."""

from .catalogue_size import CATALOGUE_SIZE
from .chart import Chart
from .cold_start import COLD_START
from .distributions import DISTRIBUTIONS
from .recall import RECALL
from .served import SERVED
from .size_quality import SIZE_QUALITY

CHARTS: tuple[Chart, ...] = (RECALL, CATALOGUE_SIZE, SIZE_QUALITY, COLD_START, DISTRIBUTIONS, SERVED)
