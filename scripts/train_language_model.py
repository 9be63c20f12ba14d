"""Trains a neural language model, and prints its perplexity and that of a trigram baseline.

Without arguments the window model is trained on the documentation that ships with Python; nothing is downloaded.

python scripts/train_language_model.py
python scripts/generate.py "the for statement"
python scripts/train_language_model.py --model recurrent --train ptb.train.txt --dev ptb.valid.txt
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

# Before torch is imported: idle OpenMP threads sleep instead of spinning; six times as fast with two threads on a busy
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor

from cs224d_l3 import (
    AdaGrad,
    InverseDecay,
    RecurrentLanguageModel,
    WindowLanguageModel,
    l2_penalty,
    weight_matrices,
)
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text import kneser_ney
from cs224d_l3.text.arrays import fingerprint
from cs224d_l3.text.generator import Batch, Generator, perplexity
from cs224d_l3.text.plain import Text, read
from training.averaging import Averaging
from training.command import run
from training.rates import rates
from training.run import Run, set_up
from training.settings import RunSettings, read_settings
from training.task import Dev, Task

Model = WindowLanguageModel | RecurrentLanguageModel
AVERAGED_EVERY = 10  # updates: the average spans thousands, and its cost is negligible


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a neural language model on plain text."""

    train: Path | None = None
    """Training text, one sentence a line; none: Python's documentation."""
    dev: Path | None = None
    """Text to select the best epoch on; none: every tenth sentence of --train."""
    test: Path | None = None
    """Text for the final perplexity; none: the perplexity on dev."""
    encoding: str = "utf-8"
    """Encoding of the texts, such as latin-1; a byte order mark decides where there is one."""
    min_count: int = 2
    """Minimum count of a word; rarer ones are read as unknown."""
    max_words: int = 20_000
    """Maximum size of the vocabulary: the most frequent words."""
    lower: bool = False
    """Lower-case the words."""
    marks: Literal["auto", "split", "keep"] = "auto"
    """Split punctuation from words; auto: unless the text is tokenized already, like the Penn Treebank."""

    model: Literal["window", "recurrent"] = "window"
    """Input of the network: a window of previous words; or the previous word and the hidden state."""
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh"
    """Activation function of the hidden units."""
    size: int = 5
    """Context size in words (window)."""
    direct: bool = False
    """Direct connections from the word vectors to the scores (window)."""
    steps: int = 10
    """Steps of truncated backpropagation through time (recurrent)."""
    clip: float = 15.0
    """Clipping threshold of the error backpropagated through time, in nats (recurrent)."""
    d: int = 100
    """Dimension of the word vectors."""
    hidden: int = 100
    """Number of hidden units."""

    lr: float = 0.6
    """AdaGrad's learning rate; for a weight matrix, divided by the root of its fan-in."""
    lr_vectors: float = 0.07
    """Learning rate of the word vectors, which have no fan-in."""
    tau: float | None = None
    """Epochs after which the learning rate decays as 1/t; none: AdaGrad's decay only."""
    l2: float = 0.0
    """L2 penalty (lambda) on the weight matrices."""
    average: float = 0.5
    """Epochs over which the weights are averaged (Polyak and Juditsky, 1992); 0: the last weights."""
    dropout: float = 0.4
    """Dropout probability of the word vectors and the hidden units."""
    batch: int = 128
    """Batch size in words (window)."""
    rows: int = 32
    """Batch size in rows of text, each of --steps words (recurrent)."""
    epochs: int = 5
    """Maximum number of epochs."""
    patience: int = 2
    """Epochs without a better perplexity on dev after which training stops."""
    out: Path = Path("runs/language_model.pt")
    """File of the trained model; the run's other files are named after it. An earlier run of that name is renamed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in "min_count size steps d hidden batch rows".split():
            check_size(name, getattr(self, name))
        check_size("max_words", self.max_words, at_least=3)
        check_number("max_words", self.max_words, at_most=kneser_ney.MAX_WORDS)
        for name in ("lr", "lr_vectors", "clip", *(["tau"] if self.tau is not None else [])):
            check_number(name, getattr(self, name), above=0)
        check_number("l2", self.l2, at_least=0)
        check_number("average", self.average, at_least=0)
        check_number("dropout", self.dropout, at_least=0, below=1)
        if self.train is None and (self.dev or self.test):
            raise ValueError("train must be given with dev or test, got None")

    def network(self) -> dict[str, object]:
        """Arguments of Generator.build."""
        network = {"kind": self.model, **{name: getattr(self, name) for name in ("unit", "d", "hidden", "dropout")}}
        specific = ("clip",) if self.model == "recurrent" else ("size", "direct")
        return network | {name: getattr(self, name) for name in specific}


def read_text(settings: Settings) -> Text:
    names = ("train", "dev", "test", "min_count", "max_words", "lower", "marks", "seed", "encoding")
    text = read(**{name: getattr(settings, name) for name in names})
    least = settings.rows if settings.model == "recurrent" else settings.size + 1
    if len(text.train) < least:
        reason = "one for each of --rows" if settings.model == "recurrent" else "a context and the word after it"
        raise ValueError(f"train must have at least {least} words, {reason}, got {len(text.train)}")
    return text


def unknown_rate(text: Text, words: Tensor) -> float:
    """Percentage of unknown words."""
    return 100 * float((words == text.vocabulary.unknown).double().mean())


class Modelling(Task):
    """Training task of a language model."""

    noun = "words"

    def __init__(self, settings: Settings, text: Text, device: torch.device) -> None:
        self.settings, self.text = settings, text
        self.rows = settings.rows * settings.steps if settings.model == "recurrent" else settings.batch
        preprocessing = {"lower": settings.lower, "split_marks": text.split_marks}
        self.generator = Generator.build(text.vocabulary, settings.network(), preprocessing)
        self.model: Model = self.generator.model.to(device)
        self.optimizer = AdaGrad(rates(self.model, settings.lr, settings.lr_vectors))
        self.schedule = InverseDecay(self.optimizer, settings.tau) if settings.tau else None
        self.weights = weight_matrices(self.model)
        updates = len(self.batches(torch.Generator()))
        horizon = settings.average * updates
        self.averaging = Averaging(self.model, horizon, AVERAGED_EVERY) if settings.average else None

    def data(self) -> str:
        found = fingerprint(self.text.vocabulary.words, self.text.train, self.text.dev)
        return f"{len(self.text.train)} words to train on, {len(self.text.dev)} dev, {found}"

    def batches(self, generator: torch.Generator) -> Sequence[Batch]:
        batch, rows, steps = self.settings.batch, self.settings.rows, self.settings.steps
        return self.generator.batches(self.text.train, batch, rows, steps, generator)

    def loss(self, words: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        J, self.state = self.generator.loss((words, target), self.state)
        return J

    def penalty(self) -> Tensor | None:
        return l2_penalty(self.weights, self.settings.l2) if self.settings.l2 else None

    def after_update(self) -> None:
        if self.averaging:
            self.averaging.after_update()

    def after_epoch(self) -> None:
        self.state = None
        if self.schedule:
            self.schedule.step()

    def describe(self, J: float) -> str:
        return f"perplexity {perplexity(J):7.2f}"

    def averaged_generator(self) -> Generator:
        """Generator with the averaged weights, which are evaluated and saved."""
        return replace(self.generator, model=self.averaging.mean) if self.averaging else self.generator

    def evaluate(self) -> Dev:
        dev = self.averaged_generator().perplexity(self.text.dev)
        return Dev(-dev, f"{dev:7.2f}", {"dev_perplexity": dev})

    def save(self, path: Path) -> None:
        self.averaged_generator().save(path)

    def state_dict(self) -> dict[str, Any]:
        return {
            **(self.averaging.state_dict() if self.averaging else {}),
            "schedule": self.schedule.state_dict() if self.schedule else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.averaging and state.get("averaged"):
            self.averaging.load_state_dict(state)
        if self.schedule and state["schedule"]:
            current = {"base_lrs": self.schedule.base_lrs, "tau": self.schedule.tau}
            self.schedule.load_state_dict({**state["schedule"], **current})
            if self.settings.accept_changes:  # --lr or --tau may have changed
                for group, lr in zip(self.optimizer.param_groups, self.schedule._get_closed_form_lr(), strict=True):
                    group["lr"] = lr

    def report(self, generator: Generator) -> Iterator[str]:
        """Perplexities of the best model and of the trigram baseline, and a generated sentence."""
        for name, words in (("dev", self.text.dev), ("test", self.text.test)):
            if len(words):
                yield f"{name:4} perplexity {generator.perplexity(words):7.2f}"
                V = len(generator.vocabulary)
                trigram = perplexity(-float(kneser_ney.log_probabilities(self.text.train, words, V).mean()))
                yield f"{'':4} perplexity {trigram:7.2f}  a trigram with interpolated Kneser-Ney smoothing"
        yield f"\nfor example: {generator.generate('', seed=self.settings.seed)}"


def main() -> None:
    settings = read_settings(Settings)
    with set_up(settings) as (processes, generator):
        if processes.is_first and not settings.quiet:
            print(f"reading {settings.train or 'the documentation that ships with Python'}", flush=True)
        text = read_text(settings)
        task = Modelling(settings, text, processes.device)
        training = Run(settings, task, generator, processes)
        training.log(
            f"{len(text.train):,} words to train on, {len(text.dev):,} dev, {len(text.test):,} test, including"
            f" sentence ends; {len(text.vocabulary):,} in the vocabulary, {unknown_rate(text, text.train):.1f} % of"
            f" train is unknown, {unknown_rate(text, text.dev):.1f} % of dev;"
            f" {sum(p.numel() for p in task.model.parameters()):,} parameters on {processes.device}"
        )
        training.fit()
        if processes.is_first:
            trained = Generator.load(settings.out, processes.device)
            print(f"best epoch {training.best_epoch}, saved in {settings.out}; trained for {training.seconds:.0f} s")
            print("\n".join(task.report(trained)))


if __name__ == "__main__":
    run(main)
