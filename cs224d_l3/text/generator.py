"""Inference with a trained language model: perplexity, generation, nearest neighbours; its checkpoint."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..language_model import RecurrentLanguageModel, WindowLanguageModel
from ..units import UNITS
from .arrays import InOrder, Ngrams, Segments, Shuffled
from .corpora import UNKNOWN, Vocabulary, tokenize
from .files import load_checkpoint, save_checkpoint
from .plain import join

Batch = tuple[Tensor, Tensor]  # inputs and targets


@dataclass
class Generator:
    """A language model with its vocabulary and its text preprocessing."""

    model: WindowLanguageModel | RecurrentLanguageModel
    vocabulary: Vocabulary
    network: dict[str, Any]  # arguments of build
    text: dict[str, bool]  # lower, split_marks

    @classmethod
    def build(cls, vocabulary: Vocabulary, network: dict[str, Any], text: dict[str, bool]) -> "Generator":
        """A newly initialized network.

        Args:
            vocabulary: the words.
            network: kind, unit, d, hidden, dropout; size and direct of a window model, clip of a recurrent one.
            text: preprocessing, lower and split_marks.
        """
        sizes = {"d": network["d"], "m": network["hidden"], "f": UNITS[network["unit"]].f}
        options = {"dropout": network["dropout"], "sparse": True}
        if network["kind"] == "recurrent":
            recurrent = RecurrentLanguageModel(len(vocabulary), **sizes, clip=network["clip"], **options)
            return cls(recurrent, vocabulary, network, text)
        window = {"size": network["size"], "direct": network["direct"]}
        return cls(WindowLanguageModel(len(vocabulary), **sizes, **window, **options), vocabulary, network, text)

    @property
    def device(self) -> torch.device:
        return self.model.output.W.device

    # ---------------------------------------------------------------------------------------- objective

    def loss(self, batch: Batch, state: Tensor | None, reduction: str = "mean") -> tuple[Tensor, Tensor | None]:
        """Loss J of a batch, and the hidden state after it; None for the window model."""
        words, target = (t.to(self.device) for t in batch)
        if isinstance(self.model, WindowLanguageModel):
            return self.model.loss(words, target, reduction), None
        return self.model.loss(words, target, state, reduction)

    def batches(self, text: Tensor, size: int, rows: int, steps: int, generator: torch.Generator) -> Sequence[Batch]:
        """Batches of an epoch: ``size`` shuffled words for the window model; for the recurrent one ``steps`` words of
        each of ``rows`` contiguous parts of the text."""
        if isinstance(self.model, WindowLanguageModel):
            return Ngrams(text, self.model.size, Shuffled(len(text), size, generator))
        return Segments(text, rows, steps)

    @torch.no_grad()
    def perplexity(self, text: Tensor) -> float:
        """Perplexity of a text, exp of the mean J of its words, including sentence ends."""
        self.model.eval()
        batches = (
            Ngrams(text, self.model.size, InOrder(len(text), 2048))
            if isinstance(self.model, WindowLanguageModel)
            else Segments(text, 1, 512)
        )
        total, state = 0.0, None
        for batch in batches:
            J, state = self.loss(batch, state, "sum")
            total += J.item()
        return perplexity(total / len(text))

    # --------------------------------------------------------------------------------------- inference

    def parse(self, name: str, text: str) -> list[str]:
        """Words of the argument of that name, tokenized like the training text; all must be in the vocabulary."""
        words = tokenize(text) if self.text["split_marks"] and UNKNOWN not in text else text.split()
        indices = self.vocabulary.encode(words).tolist()
        unknown = [w for w, i in zip(words, indices, strict=True) if i == self.vocabulary.unknown and w != UNKNOWN]
        if unknown:
            raise ValueError(f"{name} must have words of the vocabulary only, got {', '.join(map(repr, unknown))}")
        return words

    @torch.no_grad()
    def continuations(self, words: Sequence[str], temperature: float, top_k: int, seed: int) -> Iterator[str]:
        """Sample words one by one, up to the end of the sentence, by top-k sampling at a temperature; 0 is greedy."""
        self.model.eval()
        generator = torch.Generator().manual_seed(seed)
        text = torch.cat([torch.zeros(1, dtype=torch.int64), self.vocabulary.encode(words)]).to(self.device)
        state = None
        while True:
            if isinstance(self.model, WindowLanguageModel):
                size = self.model.size
                z = self.model(torch.cat([text.new_zeros(size), text])[-size:])
            else:
                scores, state = self.model(text, state)
                z = scores[-1]
            z[self.vocabulary.unknown] = -math.inf
            likely = z.topk(min(top_k, len(z) - 1) if temperature else 1)
            below = likely.values.double() - likely.values[0]  # maximum 0, so that no temperature overflows
            p = (below / (temperature or 1)).softmax(-1).cpu()
            word = likely.indices[torch.multinomial(p, 1, generator=generator).to(self.device)]
            if word.item() == self.vocabulary.pad:
                return
            yield self.vocabulary.words[word.item()]
            text = word if state is not None else torch.cat([text, word])

    def generate(self, prompt: str, length: int = 40, temperature: float = 0.8, top_k: int = 50, seed: int = 0) -> str:
        """The prompt and its continuation, up to the end of the sentence.

        Args:
            prompt: words of the vocabulary; empty: a new sentence.
            length: maximum number of words to generate.
            temperature: divisor of the logits: below 1 sharpens the distribution, 0 is greedy.
            top_k: number of most likely words to sample from.
            seed: random seed of the sampling.
        """
        words = self.parse("prompt", prompt)
        following = self.continuations(words, temperature, top_k, seed)
        return join([*words, *(word for _, word in zip(range(length), following, strict=False))])

    def nearest(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """Nearest neighbours of a word by cosine similarity: (word, cosine), in descending order."""
        words = self.parse("nearest", word)
        if len(words) != 1:
            raise ValueError(f"nearest must be one word, got {len(words)}: {word!r}")
        (i,) = self.vocabulary.encode(words).tolist()
        return nearest(self.vocabulary, self.model.L.weight.detach(), i, count)

    def save(self, path: Path) -> None:
        content = {"model": self.model.state_dict(), "words": self.vocabulary.words}
        save_checkpoint(path, {**content, "language": self.network, "text": self.text})

    @classmethod
    def load(cls, path: str | PathLike[str], device: torch.device | str = "cpu") -> "Generator":
        """Load a checkpoint written by ``scripts/train_language_model.py``.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file is not a checkpoint, or an incomplete one.
        """
        content = load_checkpoint(path, {"model", "words", "language", "text"})
        try:
            vocabulary = Vocabulary(content["words"], lower=content["text"]["lower"])
            generator = cls.build(vocabulary, content["language"], content["text"])
            generator.model.load_state_dict(content["model"])
            generator.text = {option: bool(content["text"][option]) for option in ("lower", "split_marks")}
            if not all(theta.isfinite().all() for theta in generator.model.parameters()):
                raise ValueError("its weights are not all finite")
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            message = f"{path}: expected a complete checkpoint of train_language_model.py, but {reason}"
            raise ValueError(message) from error
        generator.model.to(device)
        return generator


def perplexity(J: float) -> float:
    """exp(J) of a mean cross-entropy in nats; infinite where it would overflow."""
    return math.exp(J) if J < 700 else math.inf


def nearest(vocabulary: Vocabulary, L: Tensor, i: int, count: int) -> list[tuple[str, float]]:
    """Nearest neighbours of word i by cosine similarity, without padding and unknown word: (word, cosine)."""
    unit = torch.nn.functional.normalize(L, dim=-1)
    cosine = unit @ unit[i]
    cosine[[vocabulary.pad, vocabulary.unknown, i]] = -math.inf
    found = cosine.topk(min(count, len(vocabulary) - 3))
    return [(vocabulary.words[j], c) for j, c in zip(found.indices.tolist(), found.values.tolist(), strict=True)]
