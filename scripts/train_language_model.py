"""Trains a neural language model, prints its perplexity beside a trigram's, and goes on from a prompt.

Without arguments the window model learns from the documentation that ships with Python; nothing is downloaded.

python scripts/train_language_model.py
python scripts/train_language_model.py --generate "the for statement"
python scripts/train_language_model.py --nearest list
python scripts/train_language_model.py --model recurrent --train ptb.train.txt --dev ptb.valid.txt
"""

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

# Before torch: threads that wait let go of the processor. On a busy machine two are then six times as quick.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _kneser_ney
import torch
import tyro
from _language import Batches, Language, perplexity
from _text import Text, read
from _training import pick_device, prepare_output, run
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from cs224d_l3 import (
    AdaGrad,
    InverseDecay,
    RecurrentLanguageModel,
    WindowLanguageModel,
    fan_in_groups,
    l2_penalty,
    weight_matrices,
)
from cs224d_l3._checks import check_number, check_size

Model = WindowLanguageModel | RecurrentLanguageModel
Tensors = tuple[Tensor, ...] | list[Tensor]
AVERAGED_EVERY = 10  # updates: often enough for a mean over thousands, seldom enough to cost nothing


@dataclass(frozen=True)
class Settings:
    """Train a neural language model on plain text; with --generate or --nearest, use a trained one."""

    train: Path | None = None
    """Text to train on, one sentence a line; none: Python's documentation."""
    dev: Path | None = None
    """Text to choose the best epoch by; none: every tenth sentence of --train."""
    test: Path | None = None
    """Text for the final perplexity; none: it is given on dev."""
    min_count: int = 2
    """Words seen less often are read as unknown."""
    max_words: int = 20_000
    """Size of the vocabulary at the most; the most frequent words stay."""
    lower: bool = False
    """Read words in lower case."""
    marks: Literal["auto", "split", "keep"] = "auto"
    """Set marks apart from words; auto: where the text has not done so itself, as the Penn Treebank has."""

    model: Literal["window", "recurrent"] = "window"
    """Reads the last few words; or one word and its own state."""
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh"
    """The hidden units."""
    size: int = 5
    """Words that are read (window)."""
    direct: bool = False
    """Connections from the word vectors straight to the scores (window)."""
    steps: int = 10
    """Steps that backpropagation through time goes back (recurrent)."""
    clip: float = 15.0
    """Limit of an error on its way back in time, in nats (recurrent)."""
    d: int = 100
    """Dimensions of a word vector."""
    hidden: int = 100
    """Hidden units."""

    lr: float = 0.6
    """AdaGrad's rate; a weight matrix learns at this by the root of its fan-in."""
    lr_vectors: float = 0.07
    """The rate of the word vectors, which have no fan-in."""
    tau: float | None = None
    """Epochs after which the rate falls as 1/t; none: AdaGrad alone lets it fall."""
    l2: float = 0.0
    """Lambda of the penalty on the weight matrices."""
    average: float = 0.5
    """Epochs whose mean weights are kept (Polyak and Juditsky, 1992); 0: the last weights."""
    dropout: float = 0.4
    """Share of the word vectors and of the hidden units set to zero in training."""
    batch: int = 128
    """Words an update (window)."""
    rows: int = 32
    """Rows of text that are read side by side, --steps words of each an update (recurrent)."""
    epochs: int = 5
    """At the most."""
    patience: int = 2
    """Epochs without a better perplexity on dev before it stops."""
    seed: int = 0
    """Of the weights, the order of the words, dropout, and what is generated."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    threads: int = 2
    """Of the processor."""
    out: Path = Path("runs/language_model.pt")
    """The checkpoint."""

    generate: str | None = None
    """Continue this prompt with the model in --out, and do not train."""
    length: int = 40
    """Words to generate at the most."""
    temperature: float = 0.8
    """Below 1 likely words become likelier; 0 takes the most likely."""
    top_k: int = 50
    """Draw from so many of the most likely words."""
    nearest: str | None = None
    """Print the words whose vectors are nearest to this one's, and do not train."""

    def __post_init__(self) -> None:
        sizes = "min_count size steps d hidden batch rows epochs patience threads length top_k"
        for name in sizes.split():
            check_size(name, getattr(self, name))
        check_size("max_words", self.max_words, at_least=3)
        check_number("max_words", self.max_words, at_most=_kneser_ney.MAX_WORDS)
        check_number("seed", self.seed, at_least=0, at_most=2**63 - 1)
        for name in ("lr", "lr_vectors", "clip", *(["tau"] if self.tau is not None else [])):
            check_number(name, getattr(self, name), above=0)
        check_number("l2", self.l2, at_least=0)
        check_number("average", self.average, at_least=0)
        check_number("temperature", self.temperature, at_least=0)
        check_number("dropout", self.dropout, at_least=0, below=1)
        if self.train is None and (self.dev or self.test):
            raise ValueError("train must be given where dev or test is")

    def network(self) -> dict[str, object]:
        """What the model is built from."""
        network = {"kind": self.model, **{name: getattr(self, name) for name in ("unit", "d", "hidden", "dropout")}}
        own = ("clip",) if self.model == "recurrent" else ("size", "direct")
        return network | {name: getattr(self, name) for name in own}


def read_text(settings: Settings) -> Text:
    names = ("train", "dev", "test", "min_count", "max_words", "lower", "marks", "seed")
    text = read(**{name: getattr(settings, name) for name in names})
    least = settings.rows if settings.model == "recurrent" else settings.size + 1
    if len(text.train) < least:
        what = "one for each of --rows" if settings.model == "recurrent" else "a context and the word after it"
        raise ValueError(f"train must have at least {least} words, {what}, got {len(text.train)}")
    return text


def unknown_share(text: Text, words: Tensor) -> float:
    return 100 * float((words == text.vocabulary.unknown).double().mean())


def rates(settings: Settings, model: Model) -> list[dict[str, Any]]:
    """Section 2.5: weights learn at lr / sqrt(fan_in), biases at lr, the word vectors at a rate of their own."""
    L = model.L.weight
    groups = [
        {**group, "params": [theta for theta in group["params"] if theta is not L]}
        for group in fan_in_groups(model, settings.lr)
    ]
    return [*(group for group in groups if group["params"]), {"params": [L], "lr": settings.lr_vectors}]


def averaging(settings: Settings, model: Model, updates: int) -> AveragedModel:
    """The mean of the weights over about the last ``average`` epochs, each of so many updates."""

    def average(averaged: Tensors, current: Tensors, seen: Tensor | int) -> None:
        horizon = settings.average * updates / AVERAGED_EVERY
        torch._foreach_lerp_(averaged, current, 1 / max(1.0, min(horizon, float(seen) + 1)))

    return AveragedModel(model, multi_avg_fn=average)


def train_epoch(
    settings: Settings,
    language: Language,
    batches: Batches,
    optimizer: AdaGrad,
    averaged: AveragedModel | None,
    title: str,
) -> tuple[float, float]:
    """One pass; the perplexity on the way, dropout and all, and words a second."""
    language.model.train()
    weights = weight_matrices(language.model)
    total, seen, state, clock = 0.0, 0, None, time.perf_counter()
    with tqdm(batches, title, unit="batch", leave=False, disable=None) as bar:
        for i, batch in enumerate(bar):
            J, state = language.loss(batch, state)
            optimizer.zero_grad()
            (J + l2_penalty(weights, settings.l2) if settings.l2 else J).backward()
            optimizer.step()
            if averaged and i % AVERAGED_EVERY == 0:
                averaged.update_parameters(language.model)
            total += J.item() * batch[1].numel()
            seen += batch[1].numel()
            if i % 100 == 0:
                bar.set_postfix(perplexity=f"{perplexity(total / seen):.1f}")
    if not math.isfinite(total):
        raise ValueError(f"the loss is not finite any more in {title}: try a smaller --lr than {settings.lr}")
    return perplexity(total / seen), seen / (time.perf_counter() - clock)


def train(settings: Settings, device: torch.device) -> None:
    prepare_output(settings.out)
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    print(f"reading {settings.train or 'the documentation that comes with Python'}", flush=True)
    text = read_text(settings)
    vocabulary = text.vocabulary
    language = Language.build(
        vocabulary, settings.network(), {"lower": settings.lower, "split_marks": text.split_marks}
    )
    model = language.model.to(device)
    print(
        f"{len(text.train):,} words to train on, {len(text.dev):,} dev, {len(text.test):,} test, sentence ends among"
        f" them; {len(vocabulary):,} in the vocabulary, {unknown_share(text, text.train):.1f} % of train is unknown,"
        f" {unknown_share(text, text.dev):.1f} % of dev;"
        f" {sum(p.numel() for p in model.parameters()):,} parameters on {device}",
        flush=True,
    )
    optimizer = AdaGrad(rates(settings, model))
    schedule = InverseDecay(optimizer, settings.tau) if settings.tau else None
    averaged = None
    best, best_epoch, start = math.inf, 0, time.perf_counter()
    for epoch in range(1, settings.epochs + 1):
        batches = language.batches(text.train, settings.batch, settings.rows, settings.steps, generator)
        if settings.average and averaged is None:
            averaged = averaging(settings, model, len(batches))
        on_train, speed = train_epoch(settings, language, batches, optimizer, averaged, f"epoch {epoch}")
        if schedule:
            schedule.step()
        kept = replace(language, model=cast(Model, averaged.module)) if averaged else language
        dev = kept.perplexity(text.dev)
        print(f"epoch {epoch:2}  perplexity {on_train:7.2f}  dev {dev:7.2f}  {speed:,.0f} words/s", flush=True)
        if not math.isfinite(dev):
            kept_one = f"; the best before is kept in {settings.out}" if best_epoch else ""
            raise ValueError(f"dev has no finite perplexity after epoch {epoch}: try a smaller --lr{kept_one}")
        if dev < best:
            best, best_epoch = dev, epoch
            kept.save(settings.out)
        elif epoch - best_epoch >= settings.patience:
            break

    language = Language.load(settings.out, device)
    print(f"best epoch {best_epoch}, kept in {settings.out}; trained for {time.perf_counter() - start:.0f} s")
    for name, words in (("dev", text.dev), ("test", text.test)):
        if len(words):
            print(f"{name:4} perplexity {language.perplexity(words):7.2f}")
            trigram = perplexity(-float(_kneser_ney.log_probabilities(text.train, words, len(vocabulary)).mean()))
            print(f"{'':4} perplexity {trigram:7.2f}  a trigram with interpolated Kneser-Ney smoothing")
    print("\nfor example:", language.generate("", settings.length, settings.temperature, settings.top_k, settings.seed))


def main() -> None:
    settings = tyro.cli(Settings)
    device = pick_device(settings.device)
    torch.set_num_threads(settings.threads)
    if settings.generate is None and settings.nearest is None:
        train(settings, device)
        return
    language, lines = Language.load(settings.out, device), []
    if settings.generate is not None:
        how = (settings.length, settings.temperature, settings.top_k, settings.seed)
        lines.append(language.generate(settings.generate, *how))
    if settings.nearest is not None:
        lines += [f"{word}\t{cosine:.3f}" for word, cosine in language.nearest(settings.nearest, 10)]
    print("\n".join(lines))


if __name__ == "__main__":
    run(main)
