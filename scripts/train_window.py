"""Trains the lecture's window network to tag words, and prints an honest score.

Without arguments it learns which words of the Python reference are code; nothing is downloaded.
With ``--train`` and ``--dev`` it learns the tags of CoNLL files, from ``--vectors`` if you have them.
"""

import math
import random
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import torch
import tyro
from _scores import Score, best_threshold, by_majority, score_tags, win_rate
from _tagger import Tagger, Windows
from _training import pick_device, prepare_output, run
from torch import Tensor
from tqdm import tqdm

from cs224d_l3 import (
    AdaGrad,
    l2_penalty,
    max_margin_loss,
    softmax_cross_entropy,
    weight_matrices,
)
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.corpora import (
    OUTSIDE,
    Sentence,
    Vocabulary,
    convert_iob,
    read_columns,
    read_vectors,
)
from cs224d_l3.python_corpus import Splits, python_reference
from cs224d_l3.windows import check_odd

ENTITY = "ENTITY"  # the one tag of the max-margin objective


@dataclass(frozen=True)
class Settings:
    """Train the window network of CS224d, Lecture 3, to tag words."""

    train: Path | None = None
    """Tagged words to train on, one a line; none: the Python reference."""
    dev: Path | None = None
    """Tagged words to choose the best epoch by; none: every tenth sentence of --train."""
    test: Path | None = None
    """Tagged words for the final score; none: it is given on dev."""
    vectors: Path | None = None
    """Word vectors to start from, in GloVe's text form; they set --d."""
    split: int = 0
    """Which split by topic of the Python reference."""

    objective: Literal["softmax", "max-margin"] = "softmax"
    """Softmax over the tags; or the notes' margin between entity windows and corrupt ones."""
    margin: float = 1.0
    """By how much an entity's window must win (max-margin)."""
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh"
    """The hidden units."""
    window: int = 5
    """Words in a window, odd."""
    d: int = 50
    """Dimensions of a word vector."""
    hidden: int = 100
    """Hidden units."""
    capitalisation: bool = True
    """Read words in lower case, with how they are capitalised as a feature of its own."""

    lr: float = 0.05
    """AdaGrad's rate."""
    l2: float = 0.0
    """Lambda of the penalty on the weight matrices."""
    dropout: float = 0.5
    """Share of the network's input set to zero in training."""
    unknown: float = 0.5
    """Share of the once-seen words without a given vector that are read as unknown in training."""
    batch: int = 64
    """Windows an update."""
    epochs: int = 30
    """At the most."""
    patience: int = 5
    """Epochs without a better dev F1 before it stops."""
    seed: int = 0
    """Of the weights, the order of the windows, and dropout."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    threads: int = 1
    """Of the processor. Products this small are quickest with one, on a busy machine by far."""
    out: Path = Path("runs/window.pt")
    """The checkpoint."""

    def __post_init__(self) -> None:
        for name in ("d", "hidden", "batch", "epochs", "patience", "threads"):
            check_size(name, getattr(self, name))
        check_size("split", self.split, at_least=0)
        check_number("seed", self.seed, at_least=0, at_most=2**63 - 1)
        check_odd("window", self.window)
        check_number("lr", self.lr, above=0)
        check_number("l2", self.l2, at_least=0)
        check_number("margin", self.margin, at_least=0)
        check_number("dropout", self.dropout, at_least=0, below=1)
        check_number("unknown", self.unknown, at_least=0, at_most=1)
        if self.train is None and (self.dev or self.test):
            raise ValueError("train must be given where dev or test is")


# ------------------------------------------------------------------------------------------------- data


def read_splits(settings: Settings) -> Splits:
    """Sentences with the tags that the objective knows; IOB is brought to one of its two ways, IOB1."""
    if settings.train is None:
        splits = python_reference(settings.split)
    else:
        train, dev, test = (read_columns(p) if p else [] for p in (settings.train, settings.dev, settings.test))
        if not dev:
            shuffled = random.Random(0).sample(train, len(train))
            train, dev = [s for i, s in enumerate(shuffled) if i % 10], shuffled[::10]
        splits = Splits(train, dev, test)

    def known(tags: list[str]) -> list[str]:
        if settings.objective == "max-margin":
            return [OUTSIDE if tag == OUTSIDE else ENTITY for tag in tags]
        return convert_iob(tags, "IOB1")

    return Splits(*([Sentence(s.words, known(s.tags)) for s in part] for part in splits))


def tag_set(splits: Splits) -> list[str]:
    """O, and the others in order."""
    train, dev, test = ({tag for s in part for tag in s.tags} for part in splits)
    if OUTSIDE not in train or len(train) < 2:
        raise ValueError(f"the tags to train on must hold {OUTSIDE} and one more, got {sorted(train) or 'none'}")
    # B- in IOB1 stands between neighbours of one type: a rare thing, that may be in dev alone
    if unseen := {tag for tag in dev | test if tag.replace("B-", "I-", 1) not in train} - train:
        raise ValueError(f"the tags of dev and test must be among those to train on, and {sorted(unseen)} are not")
    return [OUTSIDE, *sorted((train | dev | test) - {OUTSIDE})]


def build_tagger(settings: Settings, tags: list[str], train: list[Sentence]) -> tuple[Tagger, Tensor]:
    """The network at its start; and of every word, whether it is rare: seen once, and without a given vector."""
    words = Vocabulary((word for s in train for word in s.words), lower=settings.capitalisation)
    given, vectors = read_vectors(settings.vectors) if settings.vectors else ([], torch.empty(0, settings.d))
    vocabulary = Vocabulary([*words.words, *given], lower=settings.capitalisation)
    network = {
        "objective": settings.objective,
        "unit": settings.unit,
        "d": vectors.shape[1],
        "window": settings.window,
        "hidden": settings.hidden,
        "capitalisation": settings.capitalisation,
        "dropout": settings.dropout,
    }
    tagger = Tagger.build(vocabulary, tags, network)
    # of paris, Paris and PARIS the vector of the form in the vocabulary, or else the first
    chosen: dict[int, int] = {}
    for i, (word, row) in enumerate(zip(given, vocabulary.encode(given).tolist(), strict=True)):
        if row not in chosen or word == vocabulary.words[row]:
            chosen[row] = i
    rows = torch.tensor(list(chosen), dtype=torch.int64)
    tagger.model.input.L.weight.data[rows] = vectors[list(chosen.values())]
    if settings.vectors and not any(vocabulary.words[row] in words.index for row in chosen):
        raise ValueError(f"{settings.vectors}: expected vectors of some of the words to train on, and there are none")
    counts = torch.bincount(torch.cat([vocabulary.encode(s.words) for s in train]), minlength=len(vocabulary))
    return tagger, (counts == 1).index_fill(0, rows, False)


# ------------------------------------------------------------------------------------------------- loop


def batches(settings: Settings, target: Tensor, generator: torch.Generator) -> list[Tensor]:
    """The windows of an epoch, some at a time: all of them; or, for the margin, rows of two, true and corrupt."""
    if settings.objective == "softmax":
        windows = torch.randperm(len(target), generator=generator)
    else:
        true, other = (target != 0).nonzero(), (target == 0).nonzero()
        corrupt = other[torch.randint(len(other), (len(true),), generator=generator)]
        windows = torch.cat([true, corrupt], dim=1)[torch.randperm(len(true), generator=generator)]
    return list(windows.split(settings.batch))


def objective(settings: Settings, scores: Tensor, target: Tensor) -> Tensor:
    """J of a batch."""
    if settings.objective == "softmax":
        return softmax_cross_entropy(scores, target)
    true, corrupt = scores.unbind(-1)
    return max_margin_loss(true, corrupt, settings.margin)


def main() -> None:
    settings = tyro.cli(Settings)
    device = pick_device(settings.device)
    prepare_output(settings.out)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)

    splits = read_splits(settings)
    tags = tag_set(splits)
    tagger, rare = build_tagger(settings, tags, splits.train)
    model = tagger.model.to(device)
    rare = rare.to(device)
    train, dev, test = (tagger.windows(s.words for s in part) for part in splits)
    index = {tag: i for i, tag in enumerate(tags)}
    target = torch.tensor([index[tag] for s in splits.train for tag in s.tags])

    def evaluate(part: list[Sentence], windows: Windows, fit_threshold: bool = False) -> Score:
        found, scores = tagger.predict(windows)
        gold = [s.tags for s in part]
        if fit_threshold and settings.objective == "max-margin":
            tagger.threshold = best_threshold(scores, is_entity(gold))
            found = (scores > tagger.threshold).long()
        names = iter([tags[i] for i in found.tolist()])
        return score_tags(gold, [list(islice(names, n)) for n in windows.lengths])

    def is_entity(gold: list[list[str]]) -> Tensor:
        return torch.tensor([tag != OUTSIDE for sentence in gold for tag in sentence], device=device)

    print(
        f"{len(train):,} words to train on, {len(dev):,} dev, {len(test):,} test; {len(tagger.vocabulary):,} in the"
        f" vocabulary; tags {' '.join(tags)}; {sum(p.numel() for p in model.parameters()):,} parameters on {device}"
    )
    optimizer = AdaGrad(model.parameters(), lr=settings.lr)
    weights = weight_matrices(model)
    best, best_epoch, start = -1.0, 0, time.perf_counter()
    for epoch in range(1, settings.epochs + 1):
        model.train()
        total, examples, seen, clock = 0.0, 0, 0, time.perf_counter()
        for chosen in tqdm(
            batches(settings, target, generator), f"epoch {epoch}", unit="batch", leave=False, disable=None
        ):
            words = train.words[chosen.to(device)]
            hidden = rare[words] & (torch.rand(words.shape, device=device) < settings.unknown)
            words = words.masked_fill(hidden, tagger.vocabulary.unknown)
            J = objective(settings, tagger(words, train.features[chosen.to(device)]), target[chosen].to(device))
            if settings.l2:
                J = J + l2_penalty(weights, settings.l2)
            optimizer.zero_grad()
            J.backward()
            optimizer.step()
            total += J.item() * len(chosen)
            examples, seen = examples + len(chosen), seen + chosen.numel()
        speed = seen / (time.perf_counter() - clock)
        if not math.isfinite(total):
            raise ValueError(f"the loss is not finite any more in epoch {epoch}: try a smaller --lr than {settings.lr}")
        dev_score = evaluate(splits.dev, dev, fit_threshold=True)
        print(f"epoch {epoch:2}  loss {total / examples:.4f}  dev {dev_score}  {speed:,.0f} windows/s", flush=True)
        if dev_score.f1 > best:
            best, best_epoch = dev_score.f1, epoch
            tagger.save(settings.out)
        elif epoch - best_epoch >= settings.patience:
            break

    tagger = Tagger.load(settings.out, device)
    print(f"best epoch {best_epoch}, kept in {settings.out}; trained for {time.perf_counter() - start:.0f} s")
    majority = by_majority(splits.train)
    for name, part, windows in (("dev", splits.dev, dev), ("test", splits.test, test)):
        if part:
            print(f"{name:4} {evaluate(part, windows)}")
            baseline = score_tags([s.tags for s in part], [majority(s) for s in part])
            print(f"{'':4} {baseline}  every word's most frequent tag")
            if settings.objective == "max-margin":
                rate = win_rate(tagger.predict(windows)[1], is_entity([s.tags for s in part]))
                print(f"{'':4} the window of an entity outscores another in {rate:.2f} % of all pairs")


if __name__ == "__main__":
    run(main)
