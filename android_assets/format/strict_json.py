"""JSON that every reader understands alike: what the standard leaves open is refused."""

import json
import math
import re
from typing import Any

from ...core.errors import CheckFailed

# An escape that may stand for half a character.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes, name: str) -> Any:
    """A document in UTF-8, without repeated keys, numbers that are none, or halves of characters.

    Args:
        name: what an error calls the file.

    Raises:
        CheckFailed: not such a document.
    """
    try:
        text = data.decode()
        document = json.loads(
            text, object_pairs_hook=_distinct, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
        )
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CheckFailed(f"{name}: not JSON (half a character)") from None
    except UnicodeDecodeError as error:
        raise CheckFailed(f"{name}: not UTF-8 ({error.reason})") from None
    except (ValueError, RecursionError) as error:
        raise CheckFailed(f"{name}: not JSON ({error})") from None
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} stands there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is out of range")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{text[:20]} is out of range")
    return value
