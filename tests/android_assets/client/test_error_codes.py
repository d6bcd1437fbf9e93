"""The codes of the client and of the kit are one list with one meaning each."""

import re

from pocketrec.core.error_codes import CLIENT_CODES

from tests.android_assets.client.maven import CLIENT

SOURCE = CLIENT / "src" / "main" / "kotlin" / "pocketrec" / "client" / "Errors.kt"


def kotlin_codes(source: str) -> dict[str, str]:
    """{code: first sentence of its KDoc, without the full stop} of the enum ErrorCode, in its order."""
    body = source[source.index("enum class ErrorCode {") :]
    entries = re.findall(r"/\*\*(.*?)\*/\s*([A-Z_]+),", body, re.S)
    return {code: _first_sentence(comment) for comment, code in entries}


def _first_sentence(comment: str) -> str:
    paragraph = re.sub(r"\n *\* ?", "\n", comment).strip().split("\n\n")[0]
    return " ".join(paragraph.split()).removesuffix(".")


def lower(sentence: str) -> str:
    """A sentence as it stands within a line: without a capital letter in front, unless all of the word is capitals."""
    word = sentence.split()[0]
    return sentence if word.isupper() and len(word) > 1 else sentence[0].lower() + sentence[1:]


def test_client_and_kit_have_the_same_codes_with_the_same_meaning():
    found = {code: lower(meaning) for code, meaning in kotlin_codes(SOURCE.read_text(encoding="utf-8")).items()}
    assert list(found.items()) == list(CLIENT_CODES.items())


def test_a_code_is_read_with_its_first_sentence():
    source = """enum class ErrorCode {
    /** One of two. */
    ONE,

    /**
     * The other,
     * long.
     *
     * More.
     */
    OTHER,
}"""
    assert kotlin_codes(source) == {"ONE": "One of two", "OTHER": "The other, long"}
