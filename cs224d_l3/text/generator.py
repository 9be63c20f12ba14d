"""A trained language model with all it takes to use it: what a checkpoint holds."""

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

Batch = tuple[Tensor, Tensor]  # words that are read, and the words to be predicted


@dataclass
class Generator:
    """A language model, its vocabulary, and how its text was made of lines."""

    model: WindowLanguageModel | RecurrentLanguageModel
    vocabulary: Vocabulary
    network: dict[str, Any]  # what build made the model from
    text: dict[str, bool]  # lower, split_marks

    @classmethod
    def build(cls, vocabulary: Vocabulary, network: dict[str, Any], text: dict[str, bool]) -> "Generator":
        """A new network; ``network`` holds kind, unit, d, hidden, dropout, and size and direct, or clip."""
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
        """J of a batch, and the state after it, which the window model has none of."""
        words, target = (t.to(self.device) for t in batch)
        if isinstance(self.model, WindowLanguageModel):
            return self.model.loss(words, target, reduction), None
        return self.model.loss(words, target, state, reduction)

    def batches(self, text: Tensor, size: int, rows: int, steps: int, generator: torch.Generator) -> Sequence[Batch]:
        """An epoch: for the window model ``size`` words at a time, in a new order; for the recurrent one the text in
        ``rows`` that are read side by side, ``steps`` words at a time."""
        if isinstance(self.model, WindowLanguageModel):
            return Ngrams(text, self.model.size, Shuffled(len(text), size, generator))
        return Segments(text, rows, steps)

    @torch.no_grad()
    def perplexity(self, text: Tensor) -> float:
        """exp of the mean J of every word of a text, sentence ends among them, read from its beginning."""
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

    # -------------------------------------------------------------------------------------------- use

    def words_of(self, prompt: str) -> list[str]:
        """The words of a line, as the training text had them."""
        words = tokenize(prompt) if self.text["split_marks"] and UNKNOWN not in prompt else prompt.split()
        indices = self.vocabulary.encode(words).tolist()
        unknown = [w for w, i in zip(words, indices, strict=True) if i == self.vocabulary.unknown and w != UNKNOWN]
        if unknown:
            raise ValueError(f"the vocabulary of this model does not have {', '.join(map(repr, unknown))}")
        return words

    @torch.no_grad()
    def continuations(self, words: Sequence[str], temperature: float, top_k: int, seed: int) -> Iterator[str]:
        """Word after word, each drawn from the ``top_k`` most likely, p to the power of 1 / temperature; ends with
        the sentence. Temperature 0 takes the most likely."""
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
            below = likely.values.double() - likely.values[0]  # the largest is 0, whatever it is divided by
            p = (below / (temperature or 1)).softmax(-1).cpu()
            word = likely.indices[torch.multinomial(p, 1, generator=generator).to(self.device)]
            if word.item() == self.vocabulary.pad:
                return
            yield self.vocabulary.words[word.item()]
            text = word if state is not None else torch.cat([text, word])

    def generate(self, prompt: str, length: int = 40, temperature: float = 0.8, top_k: int = 50, seed: int = 0) -> str:
        """The prompt, continued to the end of the sentence, or by ``length`` words.

        Args:
            prompt: words of the vocabulary; none for a sentence of its own.
            length: maximum number of words to generate.
            temperature: below 1 likely words become likelier; 0 takes the most likely.
            top_k: draw from this many of the most likely words.
            seed: of the draws.
        """
        words = self.words_of(prompt)
        following = self.continuations(words, temperature, top_k, seed)
        return join([*words, *(word for _, word in zip(range(length), following, strict=False))])

    def nearest(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The words whose vectors have the smallest angle to that of a word, with its cosine."""
        words = self.words_of(word)
        if len(words) != 1:
            raise ValueError(f"nearest takes one word, got {len(words)}: {word!r}")
        (i,) = self.vocabulary.encode(words).tolist()
        return nearest(self.vocabulary, self.model.L.weight.detach(), i, count)

    def save(self, path: Path) -> None:
        parts = {"model": self.model.state_dict(), "words": self.vocabulary.words}
        save_checkpoint(path, {**parts, "language": self.network, "text": self.text})

    @classmethod
    def load(cls, path: str | PathLike[str], device: torch.device | str = "cpu") -> "Generator":
        """The model that ``scripts/train_language_model.py`` has written.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not a checkpoint, or not a whole one.
        """
        parts = load_checkpoint(path, {"model", "words", "language", "text"})
        try:
            vocabulary = Vocabulary(parts["words"], lower=parts["text"]["lower"])
            generator = cls.build(vocabulary, parts["language"], parts["text"])
            generator.model.load_state_dict(parts["model"])
            generator.text = {"lower": bool(parts["text"]["lower"]), "split_marks": bool(parts["text"]["split_marks"])}
            if not all(theta.isfinite().all() for theta in generator.model.parameters()):
                raise ValueError("its weights are not all finite")
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected a whole checkpoint of train_language_model.py, and {reason}") from error
        generator.model.to(device)
        return generator


def perplexity(J: float) -> float:
    """exp(J) of a mean cross-entropy in nats; infinite where that is no number any more."""
    return math.exp(J) if J < 700 else math.inf


def nearest(vocabulary: Vocabulary, L: Tensor, i: int, count: int) -> list[tuple[str, float]]:
    """The words whose vectors have the smallest angle to the i-th, with its cosine; those that stand for others out."""
    unit = torch.nn.functional.normalize(L, dim=-1)
    cosine = unit @ unit[i]
    cosine[[vocabulary.pad, vocabulary.unknown, i]] = -math.inf
    found = cosine.topk(min(count, len(vocabulary) - 3))
    return [(vocabulary.words[j], c) for j, c in zip(found.indices.tolist(), found.values.tolist(), strict=True)]
