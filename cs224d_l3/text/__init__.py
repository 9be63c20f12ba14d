"""Text, and what is done with it by networks that are trained: neither lecture nor mathematics.

=================== ==========================================================================
module              what is in it
=================== ==========================================================================
``corpora``         readers of tagged columns, plain text and word vectors; ``Vocabulary``
``python_corpus``   text that ships with Python, tagged and plain
``plain``           a plain text in three parts, its words as numbers
``kneser_ney``      a trigram model, the baseline of the language models
``tagger``          ``Tagger``: a trained window network in use
``generator``       ``Generator``: a trained language model in use
``arrays``          long rows of whole numbers, on the disk where they are too long for memory
``files``           files that are written whole or not at all; checkpoints
=================== ==========================================================================

>>> from cs224d_l3.text import Tagger
>>> Tagger.load("runs/window.pt").tag([["The", "with", "statement"]])  # doctest: +SKIP
[[('O', 0.99), ('CODE', 0.97), ('O', 0.99)]]
"""

from .corpora import (
    Sentence,
    Vocabulary,
    convert_iob,
    read_columns,
    read_text,
    read_vectors,
    stream_columns,
    tokenize,
)
from .generator import Generator
from .python_corpus import python_documentation, python_reference
from .tagger import Tagger

__all__ = [
    "Generator",
    "Sentence",
    "Tagger",
    "Vocabulary",
    "convert_iob",
    "python_documentation",
    "python_reference",
    "read_columns",
    "read_text",
    "read_vectors",
    "stream_columns",
    "tokenize",
]
