"""Features of a word beside itself: capitalisation and suffixes (Collobert et al., 2011, sections 3.3.2 and 6.1)."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .._checks import check_size
from .corpora import CAPITALISATION, Vocabulary, capitalisation


class Capitals:
    """The capitalisation of words, as indices into ``CAPITALISATION``; that of padding is "none"."""

    pad = CAPITALISATION.index("none")

    def __len__(self) -> int:
        return len(CAPITALISATION)

    def encode(self, words: Iterable[str]) -> Tensor:
        """Indices of the words' capitalisation, (T,)."""
        return torch.tensor([capitalisation(word) for word in words], dtype=torch.int64)


class Suffixes(Vocabulary):
    """Vocabulary of the words' last letters, lower-cased: index 0 is padding, 1 an unknown suffix.

    A word that is shorter is its own suffix.

    Args:
        words: words of the training text, or their suffixes.
        length: number of letters.
        min_count: minimum count of a suffix.
    """

    def __init__(self, words: Iterable[str], length: int, min_count: int = 1) -> None:
        check_size("length", length)
        self.length = length
        super().__init__(words, min_count)

    def _normalize(self, word: str) -> str:
        return word.lower()[-self.length :]
