"""Inference with a trained window network: tags of sentences; its checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..feed_forward import WindowClassifier, WindowScorer
from ..units import UNITS
from .arrays import ArrayBuilder, InOrder
from .corpora import Vocabulary, tokenize
from .decoding import decode_tags, transitions, viterbi
from .features import Capitals, Suffixes
from .files import load_checkpoint, save_checkpoint

Feature = Capitals | Suffixes


class Windows:
    """Windows of sentences, as strided views of arrays of indices with padding between the sentences.

    No window is materialized, and a text that is too long for memory is memory-mapped.

    Args:
        sentences: words of each sentence, read once.
        vocabulary: maps the words to indices.
        features: map the words to the indices of each feature.
        size: window size, odd.
        device: device of the arrays.

    Attributes:
        offsets: index in ``words`` of the first word of each window, (N,).
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str]],
        vocabulary: Vocabulary,
        features: Sequence[Feature],
        size: int,
        device: torch.device,
    ) -> None:
        self.size = size
        encoders = [vocabulary, *features]
        padding = [encoder.pad for encoder in encoders] * (size // 2)
        start = 0
        with ArrayBuilder("i") as offsets, ArrayBuilder("i") as lengths, ArrayBuilder("i") as rows:
            rows.extend(padding)
            for sentence in sentences:
                columns = [encoder.encode(sentence).tolist() for encoder in encoders]
                rows.extend([*chain.from_iterable(zip(*columns, strict=True)), *padding])
                offsets.extend(range(start, start + len(sentence)))
                lengths.extend([len(sentence)])
                start += len(sentence) + size // 2
            self.offsets, self._lengths = offsets.tensor().to(device), lengths.tensor()
            self._columns = rows.tensor().to(device).view(-1, len(encoders)).mT  # of words, and of each feature

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def words(self) -> Tensor:
        """Word indices of the sentences, with padding."""
        return self._columns[0]

    @property
    def lengths(self) -> list[int]:
        """Sentence lengths; their sum is the number of windows."""
        return self._lengths.tolist()

    def __getitem__(self, index: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Word indices of the windows at these indices, and the indices of each feature, (..., size) each."""
        found = self._columns.unfold(1, self.size, 1)[:, self.offsets[index.to(self.offsets.device)]]
        words, *features = found.to(torch.int64, memory_format=torch.contiguous_format)
        return words, features

    def count_words(self, V: int) -> Tensor:
        """Counts of the words in the sentences, (V,)."""
        counts = torch.zeros(V, dtype=torch.int64, device=self.words.device)
        for chunk in self.words.split(2**20):
            counts += torch.bincount(chunk, minlength=V)
        counts[Vocabulary.pad] -= len(self.words) - len(self)
        return counts


@dataclass
class Tagger:
    """A window network with its vocabulary and its tags.

    A classifier predicts the most probable sequence of tags that its tagging scheme admits, or, without Viterbi, the
    most probable tag of each word. A scorer, trained with the max-margin objective, is a binary classifier: a word is
    an entity if its score exceeds the threshold, which is tuned on dev.
    """

    model: WindowClassifier | WindowScorer
    vocabulary: Vocabulary
    features: list[Feature]
    tags: list[str]
    network: dict[str, Any]  # arguments of build
    threshold: float = 0.0

    @classmethod
    def build(
        cls, vocabulary: Vocabulary, tags: list[str], network: dict[str, Any], suffixes: Sequence[Suffixes] = ()
    ) -> "Tagger":
        """A newly initialized network.

        Args:
            vocabulary: the words.
            tags: O, then the others, in the scheme of training.
            network: objective, unit, d, window, hidden, capitalisation, d_features, dropout, scheme, viterbi.
            suffixes: a feature each.
        """
        sizes = {"d": network["d"], "size": network["window"], "m": network["hidden"], "f": UNITS[network["unit"]].f}
        features: list[Feature] = [*([Capitals()] if network["capitalisation"] else []), *suffixes]
        options = {"num_features": [len(feature) for feature in features], "d_features": network["d_features"]}
        options |= {"dropout": network["dropout"], "sparse": True}
        model: WindowClassifier | WindowScorer
        if network["objective"] == "max-margin":
            model = WindowScorer(len(vocabulary), **sizes, **options)
        else:
            model = WindowClassifier(len(vocabulary), len(tags), **sizes, **options)
        return cls(model, vocabulary, features, tags, network)

    @property
    def device(self) -> torch.device:
        return self.model.hidden.W.device

    @property
    def suffixes(self) -> dict[int, list[str]]:
        """Known suffixes by length, in the order of their indices, from 2 on."""
        return {feature.length: feature.words[2:] for feature in self.features if isinstance(feature, Suffixes)}

    def windows(self, sentences: Iterable[Sequence[str]]) -> Windows:
        return Windows(sentences, self.vocabulary, self.features, self.network["window"], self.device)

    def __call__(self, words: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Scores of windows: (B, K) of a classifier, (B,) of a scorer."""
        scores: Tensor = self.model(words, features)
        return scores

    @torch.no_grad()
    def predict(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """Predicted tag indices of the centre words and their scores: probabilities of a classifier, s of a scorer."""
        self.model.eval()
        scores = torch.cat([self(*windows[index]) for index in InOrder(len(windows), 8192)])
        if isinstance(self.model, WindowScorer):
            return (scores > self.threshold).long(), scores
        log_p = scores.log_softmax(-1)
        allowed = transitions(self.tags, self.network["scheme"])
        tag = viterbi(log_p, windows.lengths, allowed) if self.network["viterbi"] else log_p.argmax(-1)
        return tag, log_p.gather(1, tag[:, None]).squeeze(1).exp()

    def decode(self, indices: Sequence[int]) -> list[str]:
        """Tags of a sentence from their indices; IOB tags in IOB2."""
        return decode_tags([self.tags[i] for i in indices], self.network["scheme"])

    @property
    def output_tags(self) -> set[str]:
        """The tags that are given, IOB tags in IOB2."""
        return {tag for i in range(len(self.tags)) for tag in self.decode([i])}

    def tag(self, sentence: str | Sequence[str]) -> list[tuple[str, str, float]]:
        """(word, tag, score) of every word of a sentence, given as a line of text or as words; IOB tags in IOB2."""
        return self.tag_all([tokenize(sentence) if isinstance(sentence, str) else sentence])[0]

    def tag_all(self, sentences: Sequence[Sequence[str]]) -> list[list[tuple[str, str, float]]]:
        """(word, tag, score) of every word of several sentences, in one batch."""
        windows = self.windows(sentences)
        if not len(windows):
            return [[] for _ in sentences]
        indices, scores = (iter(t.tolist()) for t in self.predict(windows))
        tagged = []
        for words in sentences:
            tags = self.decode(list(islice(indices, len(words))))
            tagged.append(list(zip(words, tags, islice(scores, len(words)), strict=True)))
        return tagged

    def save(self, path: Path) -> None:
        content = {"model": self.model.state_dict(), "words": self.vocabulary.words, "tags": self.tags}
        save_checkpoint(
            path, {**content, "suffixes": self.suffixes, "network": self.network, "threshold": self.threshold}
        )

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
            suffixes = [Suffixes(words, length) for length, words in content.get("suffixes", {}).items()]
            tagger = cls.build(vocabulary, content["tags"], {**_BEFORE, **content["network"]}, suffixes)
            tagger.model.load_state_dict({_RENAMED.get(k, k): theta for k, theta in content["model"].items()})
            tagger.threshold = float(content["threshold"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected a complete checkpoint of train_window.py, but {reason}") from error
        tagger.model.to(device)
        return tagger


# checkpoints from before there were several features, and schemes other than that of the file
_BEFORE = {"d_features": 5, "scheme": "IOB1", "viterbi": False}
_RENAMED = {"input.C.weight": "input.C.0.weight"}
