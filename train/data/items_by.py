"""What makes two items of a dataset one."""

from typing import Literal

ItemsBy = Literal["id", "title"]
