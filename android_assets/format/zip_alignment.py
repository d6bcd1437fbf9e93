"""Alignment of stored files inside a zip."""

# Where mapped files start: pages are 4 or 16 KiB on phones, and both divide this.
ALIGNMENT = 16_384
LOCAL_HEADER = 30
_PADDING_ID = 0xD935  # Android's own zipalign pads with an extra field of this id


def padding_field(zeros: int) -> bytes:
    """An extra field that states the alignment, followed by `zeros` zero bytes."""
    return b"".join(n.to_bytes(2, "little") for n in (_PADDING_ID, 2 + zeros, ALIGNMENT)) + bytes(zeros)
