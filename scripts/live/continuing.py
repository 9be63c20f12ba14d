"""The language model of the lecture: trained in the reader's presence, or one that is given; it continues a prompt."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import marimo as mo
import torch

from cs224d_l3 import AdaGrad
from cs224d_l3.text import Generator, tokenize
from cs224d_l3.text.generator import perplexity
from cs224d_l3.text.plain import Text, read
from training.averaging import Averaging
from training.rates import rates

from . import page
from .demand import UnusableError, refusal
from .sentences import Speaker

NETWORK = {"unit": "tanh", "d": 50, "hidden": 50, "dropout": 0.2}
OF_KIND: dict[str, dict[str, Any]] = {"window": {"size": 5, "direct": False}, "recurrent": {"clip": 15.0}}
BATCH, ROWS, STEPS = 256, 32, 10


class Trained(NamedTuple):
    """A model in use; its perplexity on held-out text and the seconds it took, if it was trained here."""

    generator: Generator
    perplexity: float = math.nan
    seconds: float = 0.0
    words: int = 0

    def describe(self, say: Speaker) -> str:
        V = f"{len(self.generator.vocabulary):,}"
        if not self.words:
            return say("loaded", V=V)
        numbers = {"seconds": f"{self.seconds:.0f}", "words": f"{self.words:,}", "perplexity": f"{self.perplexity:.0f}"}
        return say("trained", V=V, **numbers)


def read_documentation() -> Text:
    """The documentation that comes with Python, its 4,000 most frequent words."""
    return read(None, None, None, min_count=3, max_words=4000, lower=False, marks="auto", seed=0)


def updates(text: Text, kind: str, epochs: int) -> int:
    """Updates of a training."""
    return epochs * (len(text.train) // (BATCH if kind == "window" else ROWS * STEPS))


def train(text: Text, kind: str, count: int, seed: int, tick: Callable[[float], object]) -> Trained:
    """``count`` updates; ``tick`` is told the perplexity of the text just read."""
    start, generator = time.perf_counter(), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    made = Generator.build(
        text.vocabulary,
        {**NETWORK, "kind": kind, **OF_KIND[kind]},
        {"lower": False, "split_marks": text.split_marks},
    )
    optimizer = AdaGrad(rates(made.model, 0.6, 0.07))
    averaging = Averaging(made.model, horizon=min(500, count), every=10)
    recent, done = math.log(len(text.vocabulary)), 0
    while done < count:
        state = None
        for batch in made.batches(text.train, BATCH, ROWS, STEPS, generator):
            if done == count:
                break
            optimizer.zero_grad()
            J, state = made.loss(batch, state)
            J.backward()
            optimizer.step()
            averaging.after_update()
            recent += 0.02 * (J.item() - recent)
            done += 1
            tick(perplexity(recent))
    trained = replace(made, model=averaging.mean)
    return Trained(trained, trained.perplexity(text.dev[:20_000]), time.perf_counter() - start, len(text.train))


def train_here(say: Speaker, kind: str, epochs: int) -> Trained:
    """The same with a progress bar; a few updates where the lecture is checked."""
    with mo.status.spinner(title=say("reading"), remove_on_exit=True):
        text = read_documentation()
    count = 20 if page.checking() else updates(text, kind, epochs)
    with mo.status.progress_bar(total=count, title=say("model training"), remove_on_exit=True) as bar:

        def tick(perplexity: float) -> None:
            bar.update(subtitle=say("perplexity so far", perplexity=f"{perplexity:.0f}"))

        return train(text, kind, count, 0, tick)


def obtain(say: Speaker, path: str, kind: str, epochs: int, is_wanted: bool) -> tuple[Trained | None, mo.Html]:
    """The model of a path, or one that is trained here; and what is said of it."""
    if not path.strip() and not is_wanted:
        return None, mo.md(say("no model yet"))
    try:
        trained = train_here(say, kind, epochs) if is_wanted else load(path)
    except UnusableError as error:
        return None, refusal(say, error)
    return trained, mo.md(trained.describe(say))


def load(path: str) -> Trained:
    """A checkpoint of ``train_language_model.py``."""
    try:
        return Trained(Generator.load(Path(path.strip()).expanduser()))
    except (OSError, ValueError) as error:
        raise UnusableError("no checkpoint", reason=page.plain(str(error).split("\n")[0])) from None


def continuations(generator: Generator, prompt: str, temperature: float, seed: int, count: int = 3) -> list[str]:
    """The prompt, continued ``count`` times."""
    words = tokenize(prompt) if generator.text["split_marks"] else prompt.split()
    indices = generator.vocabulary.encode(words).tolist()
    unknown = [w for w, i in zip(words, indices, strict=True) if i == generator.vocabulary.unknown]
    if unknown:
        raise UnusableError("unknown words", words=", ".join(f"“{page.plain(w)}”" for w in dict.fromkeys(unknown)))
    return [generator.generate(prompt, 40, temperature, 50, seed + k) for k in range(count)]
