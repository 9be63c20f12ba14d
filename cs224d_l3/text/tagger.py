"""A trained window network with all it takes to tag a sentence: what a checkpoint holds."""

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
from .arrays import Growing, InOrder
from .corpora import CAPITALISATION, Vocabulary, capitalisation, convert_iob, tokenize
from .files import load_checkpoint, save_checkpoint


class Windows:
    """The windows of some sentences. Their words stand in one row, with pads between the sentences, so that a window is
    a stride of it: no window is stored, and a text that is too long for memory is read from the disk.

    Attributes:
        words: the row.
        starts: how many words stand before each sentence, (S,).
    """

    def __init__(
        self, sentences: Iterable[Sequence[str]], vocabulary: Vocabulary, size: int, device: torch.device
    ) -> None:
        self.half, self.count = size // 2, 0
        pads, none = [vocabulary.pad] * self.half, [CAPITALISATION.index("none")] * self.half
        with Growing("i") as words, Growing("b") as features, Growing("q") as starts:
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
        """Of the sentences; they add up to the number of windows."""
        ends = [*self.starts.tolist()[1:], self.count]
        return [end - start for start, end in zip(self.starts.tolist(), ends, strict=False)]

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The words of these windows, (..., size), and how they are capitalised."""
        index = index.to(self.starts.device).contiguous()  # searchsorted copies others itself, and warns
        sentence = torch.searchsorted(self.starts, index, right=True)  # counted from 1
        place = index + self.half * (sentence - 1)
        size = 2 * self.half + 1
        return self.words.unfold(0, size, 1)[place].long(), self._features.unfold(0, size, 1)[place].long()

    def count_words(self, V: int) -> Tensor:
        """How often every word stands in the sentences, (V,)."""
        counts = torch.zeros(V, dtype=torch.int64, device=self.words.device)
        for some in self.words.split(2**20):
            counts += torch.bincount(some, minlength=V)
        counts[Vocabulary.pad] -= len(self.words) - self.count
        return counts


@dataclass
class Tagger:
    """A network, its vocabulary, its tags.

    A classifier gives every word the tag of the highest score. A scorer, trained by the max-margin objective,
    answers one question, whether the word is an entity: yes above a threshold, the best one on dev.
    """

    model: WindowClassifier | WindowScorer
    vocabulary: Vocabulary
    tags: list[str]
    network: dict[str, Any]  # what build made the model from
    threshold: float = 0.0

    @classmethod
    def build(cls, vocabulary: Vocabulary, tags: list[str], network: dict[str, Any]) -> "Tagger":
        """A new network; ``network`` holds objective, unit, d, window, hidden, capitalisation, dropout."""
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
        """The network's scores: (B, K) of a classifier, (B,) of a scorer."""
        scores: Tensor = self.model(words, features if self.network["capitalisation"] else None)
        return scores

    @torch.no_grad()
    def predict(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Every centre word's tag, as an index, and its score: a classifier's probability, a scorer's s."""
        self.model.eval()
        scores = torch.cat([self(*windows[index]) for index in InOrder(len(windows), 8192)])
        if isinstance(self.model, WindowScorer):
            return (scores > self.threshold).long(), scores
        probability, tag = scores.softmax(-1).max(-1)
        return tag, probability

    def tag(self, sentence: str | Sequence[str]) -> list[tuple[str, str, float]]:
        """(word, tag, score) of every word of a sentence, a line of text or its words; entities in IOB2."""
        return self.tag_all([tokenize(sentence) if isinstance(sentence, str) else sentence])[0]

    def tag_all(self, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, str, float]]]:
        """The same of many sentences at once."""
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
        """The network that ``scripts/train_window.py`` has written.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not a checkpoint, or not a whole one.
        """
        content = load_checkpoint(path, {"model", "words", "tags", "network", "threshold"})
        try:
            vocabulary = Vocabulary(content["words"], lower=content["network"]["capitalisation"])
            tagger = cls.build(vocabulary, content["tags"], content["network"])
            tagger.model.load_state_dict(content["model"])
            tagger.threshold = float(content["threshold"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected a whole checkpoint of train_window.py, and {reason}") from error
        tagger.model.to(device)
        return tagger
