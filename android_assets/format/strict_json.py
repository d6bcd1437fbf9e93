"""JSON that every reader understands alike: what the standard leaves open is refused."""

import json
import math
import re

from ...core.errors import CheckFailed

# An escape that may stand for half of a surrogate pair.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Characters of a number; the clients read no longer ones.
_LONGEST_NUMBER = 40


def parse_json(data: bytes, name: str, code: str) -> object:
    """A document in UTF-8 without repeated keys, NaN, infinity or unpaired surrogates.

    Args:
        name: what an error calls the file.
        code: of the error.

    Raises:
        CheckFailed: not such a document.
    """
    try:
        text = data.decode()
        document: object = json.loads(
            text, object_pairs_hook=_distinct, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
        )
        if _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CheckFailed(f"{name}: invalid JSON: unpaired surrogate", code=code) from None
    except UnicodeDecodeError as error:
        raise CheckFailed(f"{name}: not UTF-8 ({error.reason})", code=code) from None
    except (ValueError, RecursionError) as error:
        raise CheckFailed(f"{name}: invalid JSON: {error}", code=code) from None
    return document


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"duplicate key {repeated!r}")
    return found


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or len(text) > _LONGEST_NUMBER:
        raise ValueError(f"{text[:20]} is out of range")
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER or not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(f"{text[:20]} is out of range")
    return value
