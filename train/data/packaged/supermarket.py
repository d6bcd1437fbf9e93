"""Baskets of a New Zealand supermarket, out of Debian's package of Weka."""

import csv
import re
from pathlib import Path

import numpy as np

from ..items_by import ItemsBy
from ..ratings import Ratings
from .interactions import as_ratings
from .package_files import Package, files_of

_PACKAGE = Package(
    "weka",
    "3.6.14-3",
    "weka_3.6.14-3_all.deb",
    "58ea5ec3b42ca9719be5756d1bd64ebed0e69d16d6fffa200b3cebf4ccccab16",
)
_MEMBER = "./usr/share/doc/weka/examples/supermarket.arff"
_BOUGHT = "t"
_ATTRIBUTE = re.compile(r"@attribute\s+(?:'([^']+)'|(\S+))", re.IGNORECASE)


def load_supermarket(name: str, *, items_by: ItemsBy, data_dir: Path | None) -> Ratings:
    """Baskets and the departments and kinds of goods in them; the baskets' totals are left out.

    Raises:
        InputError: the package cannot be had, or is another one.
    """
    [content] = files_of(name, _PACKAGE, [_MEMBER], data_dir)
    header, _, data = content.decode().partition("@data")
    goods = [quoted or bare for quoted, bare in _ATTRIBUTE.findall(header)]
    marks = np.array([row for row in csv.reader(data.splitlines()) if len(row) == len(goods)])
    basket, kind = np.nonzero(marks == _BOUGHT)
    return as_ratings(name, (basket + 1).astype(str), np.array(goods)[kind])
