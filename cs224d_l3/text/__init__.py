"""Text corpora, and trained networks in use; beyond the lecture.

=================== ==========================================================================
module              contents
=================== ==========================================================================
``columns``         reader of column files, tagged words
``schemes``         tagging schemes: IOB1, IOB2, IOBES, BILOU and their kin
``vectors``         reader of word vectors
``corpora``         reader of plain text; ``Vocabulary``
``survey``          what the columns of a file hold
``lines``           lines of a file in any encoding
``python_corpus``   corpora that ship with Python, tagged and plain
``plain``           train, dev and test splits of a plain text, as word indices
``kneser_ney``      Kneser-Ney trigram model, the baseline of the language models
``features``        capitalisation and suffixes, the features of a word beside itself
``decoding``        tagging schemes of training; the most probable sequence of tags that can be
``tagger``          ``Tagger``: inference with a trained window network
``generator``       ``Generator``: inference with a trained language model
``arrays``          integer arrays, memory-mapped where they are too long for memory; batches
``files``           atomic writes; checkpoints
=================== ==========================================================================

>>> from cs224d_l3.text import Tagger
>>> Tagger.load("runs/window.pt").tag("The with statement")  # doctest: +SKIP
[('The', 'O', 0.99), ('with', 'CODE', 0.97), ('statement', 'O', 0.99)]
"""

from .columns import ColumnFile, Sentence, read_columns
from .corpora import Vocabulary, read_text, tokenize
from .generator import Generator
from .python_corpus import python_documentation, python_reference
from .schemes import convert_iob
from .tagger import Tagger
from .vectors import read_vectors

__all__ = [
    "ColumnFile",
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
    "tokenize",
]
