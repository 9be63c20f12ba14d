"""A trained window network with all it takes to tag a sentence: what a checkpoint holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from _training import load_checkpoint, save_checkpoint
from torch import Tensor

from cs224d_l3 import UNITS, WindowClassifier, WindowScorer, sliding_windows
from cs224d_l3.corpora import CAPITALISATION, Vocabulary, capitalisation


class Windows:
    """The windows of some sentences, as index tensors on one device.

    Attributes:
        words: the words of every window, (N, size).
        features: how they are capitalised, (N, size).
        lengths: of the sentences; they add up to N.
    """

    def __init__(
        self, sentences: Iterable[Sequence[str]], vocabulary: Vocabulary, size: int, device: torch.device
    ) -> None:
        words, features = [torch.empty(0, size, dtype=torch.int64)], [torch.empty(0, size, dtype=torch.int64)]
        self.lengths: list[int] = []
        for sentence in sentences:
            capitals = torch.tensor([capitalisation(word) for word in sentence], dtype=torch.int64)
            words.append(sliding_windows(vocabulary.encode(sentence), size, vocabulary.pad))
            features.append(sliding_windows(capitals, size, CAPITALISATION.index("none")))
            self.lengths.append(len(sentence))
        self.words, self.features = torch.cat(words).to(device), torch.cat(features).to(device)

    def __len__(self) -> int:
        return len(self.words)


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
        parts = zip(windows.words.split(8192), windows.features.split(8192), strict=True)
        scores = torch.cat([self(words, features) for words, features in parts])
        if isinstance(self.model, WindowScorer):
            return (scores > self.threshold).long(), scores
        probability, tag = scores.softmax(-1).max(-1)
        return tag, probability

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, float]]]:
        """(tag, score) of every word of every sentence."""
        windows = self.windows(sentences)
        indices, scores = self.predict(windows)
        words = zip((self.tags[i] for i in indices.tolist()), scores.tolist(), strict=True)
        return [list(islice(words, n)) for n in windows.lengths]

    def save(self, path: Path) -> None:
        parts = {"model": self.model.state_dict(), "words": self.vocabulary.words, "tags": self.tags}
        save_checkpoint(path, {**parts, "network": self.network, "threshold": self.threshold})

    @classmethod
    def load(cls, path: Path, device: torch.device) -> "Tagger":
        parts = load_checkpoint(path, {"model", "words", "tags", "network", "threshold"})
        try:
            vocabulary = Vocabulary(parts["words"], lower=parts["network"]["capitalisation"])
            tagger = cls.build(vocabulary, parts["tags"], parts["network"])
            tagger.model.load_state_dict(parts["model"])
            tagger.threshold = float(parts["threshold"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected a whole checkpoint of train_window.py, and {reason}") from error
        tagger.model.to(device)
        return tagger
