"""Inference with a trained window network: tags of sentences; its checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..feed_forward import WindowClassifier, WindowScorer
from ..units import UNITS
from .arrays import ArrayBuilder, InOrder
from .corpora import CAPITALISATION, Vocabulary, capitalisation, convert_iob, tokenize
from .files import load_checkpoint, save_checkpoint


class Windows:
    """Windows of sentences, as strided views of one array of word indices with padding between the sentences.

    No window is materialized, and a text that is too long for memory is memory-mapped.

    Args:
        sentences: words of each sentence, read once.
        vocabulary: maps the words to indices.
        size: window size, odd.
        device: device of the arrays.

    Attributes:
        words: word indices of the sentences, with padding.
        starts: index of the first window of each sentence, (S,).
    """

    def __init__(
        self, sentences: Iterable[Sequence[str]], vocabulary: Vocabulary, size: int, device: torch.device
    ) -> None:
        self.half, self.count = size // 2, 0
        pads, none = [vocabulary.pad] * self.half, [CAPITALISATION.index("none")] * self.half
        with ArrayBuilder("i") as words, ArrayBuilder("b") as features, ArrayBuilder("q") as starts:
            words.extend(pads)
            features.extend(none)
            for sentence in sentences:
                starts.extend([self.count])
                words.extend([*vocabulary.encode(sentence).tolist(), *pads])
                features.extend([*map(capitalisation, sentence), *none])
                self.count += len(sentence)
            self.starts = starts.tensor().to(device)
            self.words = words.tensor().to(device)
            self._features = features.tensor().to(device)

    def __len__(self) -> int:
        return self.count

    @property
    def lengths(self) -> list[int]:
        """Sentence lengths; their sum is the number of windows."""
        ends = [*self.starts.tolist()[1:], self.count]
        return [end - start for start, end in zip(self.starts.tolist(), ends, strict=False)]

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Word indices and capitalisation features of the windows at these indices, (..., size) each."""
        index = index.to(self.starts.device).contiguous()  # searchsorted warns about non-contiguous input
        sentence = torch.searchsorted(self.starts, index, right=True)  # counted from 1
        offset = index + self.half * (sentence - 1)
        size = 2 * self.half + 1
        return self.words.unfold(0, size, 1)[offset].long(), self._features.unfold(0, size, 1)[offset].long()

    def count_words(self, V: int) -> Tensor:
        """Counts of the words in the sentences, (V,)."""
        counts = torch.zeros(V, dtype=torch.int64, device=self.words.device)
        for chunk in self.words.split(2**20):
            counts += torch.bincount(chunk, minlength=V)
        counts[Vocabulary.pad] -= len(self.words) - self.count
        return counts


@dataclass
class Tagger:
    """A window network with its vocabulary and its tags.

    A classifier predicts the tag with the highest probability. A scorer, trained with the max-margin objective, is a
    binary classifier: a word is an entity if its score exceeds the threshold, which is tuned on dev.
    """

    model: WindowClassifier | WindowScorer
    vocabulary: Vocabulary
    tags: list[str]
    network: dict[str, Any]  # arguments of build
    threshold: float = 0.0

    @classmethod
    def build(cls, vocabulary: Vocabulary, tags: list[str], network: dict[str, Any]) -> "Tagger":
        """A newly initialized network; ``network``: objective, unit, d, window, hidden, capitalisation, dropout."""
        sizes = {"d": network["d"], "size": network["window"], "m": network["hidden"], "f": UNITS[network["unit"]].f}
        options = {"dropout": network["dropout"], "sparse": True}
        if network["capitalisation"]:
            options["num_features"] = len(CAPITALISATION)
        if network["objective"] == "max-margin":
            return cls(WindowScorer(len(vocabulary), **sizes, **options), vocabulary, tags, network)
        return cls(WindowClassifier(len(vocabulary), len(tags), **sizes, **options), vocabulary, tags, network)

    @property
    def device(self) -> torch.device:
        return self.model.hidden.W.device

    def windows(self, sentences: Iterable[Sequence[str]]) -> Windows:
        return Windows(sentences, self.vocabulary, self.network["window"], self.device)

    def __call__(self, words: Tensor, features: Tensor) -> Tensor:
        """Scores of windows: (B, K) of a classifier, (B,) of a scorer."""
        scores: Tensor = self.model(words, features if self.network["capitalisation"] else None)
        return scores

    @torch.no_grad()
    def predict(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Predicted tag indices of the centre words and their scores: probabilities of a classifier, s of a scorer."""
        self.model.eval()
        scores = torch.cat([self(*windows[index]) for index in InOrder(len(windows), 8192)])
        if isinstance(self.model, WindowScorer):
            return (scores > self.threshold).long(), scores
        probability, tag = scores.softmax(-1).max(-1)
        return tag, probability

    def tag(self, sentence: str | Sequence[str]) -> list[tuple[str, str, float]]:
        """(word, tag, score) of every word of a sentence, given as a line of text or as words; IOB tags in IOB2."""
        return self.tag_all([tokenize(sentence) if isinstance(sentence, str) else sentence])[0]

    def tag_all(self, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, str, float]]]:
        """(word, tag, score) of every word of several sentences, in one batch."""
        windows = self.windows(sentences)
        indices, scores = (iter(t.tolist()) for t in self.predict(windows))
        tagged = []
        for words in sentences:
            tags = convert_iob([self.tags[i] for i in islice(indices, len(words))], "IOB2")
            tagged.append(list(zip(words, tags, islice(scores, len(words)), strict=True)))
        return tagged

    def save(self, path: Path) -> None:
        content = {"model": self.model.state_dict(), "words": self.vocabulary.words, "tags": self.tags}
        save_checkpoint(path, {**content, "network": self.network, "threshold": self.threshold})

    @classmethod
    def load(cls, path: str | PathLike[str], device: torch.device | str = "cpu") -> "Tagger":
        """Load a checkpoint written by ``scripts/train_window.py``.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is not a checkpoint, or an incomplete one.
        """
        content = load_checkpoint(path, {"model", "words", "tags", "network", "threshold"})
        try:
            vocabulary = Vocabulary(content["words"], lower=content["network"]["capitalisation"])
            tagger = cls.build(vocabulary, content["tags"], content["network"])
            tagger.model.load_state_dict(content["model"])
            tagger.threshold = float(content["threshold"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected a complete checkpoint of train_window.py, but {reason}") from error
        tagger.model.to(device)
        return tagger
