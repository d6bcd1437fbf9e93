"""Writing the vocabularies that a model's ids come from into its file."""

import numpy as np

from ...runtimes.model_file.schema import schema
from ...runtimes.model_file.vocabulary_stamp import ENTRY
from .editor import Editor


def stamped(data: bytes, text: str) -> bytes:
    """A .tflite file with `text` as its metadata entry `ENTRY`; replaces one that is there."""
    editor = Editor(data)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    editor.model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY.encode(), len(editor.model.buffers) - 1
    editor.model.metadata = [m for m in editor.model.metadata or [] if m.name != entry.name] + [entry]
    return editor.pack()
