"""Corpus of the window trainer, and the network that its words and tags ask for."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cs224d_l3.text.corpora import OUTSIDE, PAD, ColumnFile, Sentence, Vocabulary, convert_iob, read_vectors
from cs224d_l3.text.decoding import encode_tags
from cs224d_l3.text.features import Suffixes
from cs224d_l3.text.python_corpus import python_reference
from cs224d_l3.text.schemes import ENTITY, is_iob_tag
from cs224d_l3.text.tagger import Tagger

if TYPE_CHECKING:
    from train_window import Settings


class Corpus(NamedTuple):
    """Train, dev and test sentences; every call of ``train`` reads the file anew."""

    train: Callable[[], Iterator[Sentence]]
    dev: list[Sentence]
    test: list[Sentence]
    files: Sequence[ColumnFile] = ()


def read_corpus(settings: "Settings") -> Corpus:
    """Corpus with the tags of the objective: ENTITY and O for max-margin; IOB tags converted to IOB1 for softmax."""

    def convert(sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        for words, tags in sentences:
            if settings.objective == "max-margin":
                yield Sentence(words, [OUTSIDE if tag == OUTSIDE else ENTITY for tag in tags])
            else:
                yield Sentence(words, convert_iob(tags, "IOB1"))

    path = settings.train
    if path is None:
        reference = python_reference(settings.split)
        return Corpus(lambda: convert(reference.train), list(convert(reference.dev)), list(convert(reference.test)))
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "pipe or device"
        raise ValueError(f"train must be a regular file (read several times), got {path} (a {kind})")
    files = [settings.open_columns(file) for file in (path, settings.dev, settings.test) if file]
    train, test = files[0], list(convert(files[-1])) if settings.test else []
    if settings.dev:
        return Corpus(lambda: convert(train), list(convert(files[1])), test, files)
    dev = list(convert(islice(train, 0, None, 10)))
    return Corpus(lambda: convert(s for i, s in enumerate(train) if i % 10), dev, test, files)


def check_tags(train: set[str], others: Iterable[Sentence]) -> None:
    """Check that train has two tags, and the others none that train has not."""
    if len(train) < 2:
        got = f"{sorted(train) or 'none'}; --tag-column chooses their column"
        raise ValueError(f"train must have at least two tags, got {got}")
    held_out = {tag for s in others for tag in s.tags}
    # B- is rare in IOB1, only between adjacent entities of one type, and may occur in dev alone
    if unseen := {tag for tag in held_out if tag.replace("B-", "I-", 1) not in train} - train:
        raise ValueError(f"dev and test must have tags of train only, {sorted(train)}, got {sorted(unseen)}")


def build_tagger(settings: "Settings", corpus: Corpus) -> tuple[Tagger, Tensor]:
    """Newly initialized network with the pretrained vectors, and a mask of the words that have one, (V,)."""
    held_out, seen = [*corpus.dev, *corpus.test], set[str]()
    encoded = {tag for s in held_out for tag in encode_tags(s.tags, settings.scheme)}

    def words() -> Iterator[str]:
        for sentence in corpus.train():
            seen.update(sentence.tags)
            encoded.update(encode_tags(sentence.tags, settings.scheme))
            yield from sentence.words

    counts = Counter(words())
    of_train = Vocabulary(counts.elements(), lower=settings.capitalisation)
    check_tags(seen, held_out)
    if any(map(is_iob_tag, seen)):
        encoded.add(OUTSIDE)  # between two sentences, if nowhere else
    tags = sorted(encoded, key=lambda tag: (tag != OUTSIDE, tag))
    suffixes = [Suffixes(counts.elements(), length, settings.suffix_count) for length in settings.suffixes]
    pretrained, vectors = read_vectors(settings.vectors) if settings.vectors else ([], torch.empty(0, settings.d))
    vocabulary = Vocabulary([*of_train.words, *pretrained], lower=settings.capitalisation)
    network = {
        name: getattr(settings, name)
        for name in "objective unit window hidden capitalisation d_features dropout scheme viterbi".split()
    }
    tagger = Tagger.build(vocabulary, tags, {**network, "d": vectors.shape[1]}, suffixes)
    # of the vectors of paris, Paris and PARIS: that of the form in the vocabulary, or else the first
    chosen: dict[int, int] = {}
    for i, (word, row) in enumerate(zip(pretrained, vocabulary.encode(pretrained).tolist(), strict=True)):
        if (word.lower() if settings.capitalisation else word) == PAD:  # never a word of a text
            row = vocabulary.pad
        if row not in chosen or word == vocabulary.words[row]:
            chosen[row] = i
    rows = torch.tensor(list(chosen), dtype=torch.int64)
    tagger.model.input.L.weight.data[rows] = vectors[list(chosen.values())]
    if settings.vectors and not any(row > 1 and vocabulary.words[row] in of_train.index for row in chosen):
        raise ValueError(f"{settings.vectors}: expected vectors of words of train, got none")
    return tagger, torch.zeros(len(vocabulary), dtype=torch.bool).index_fill_(0, rows, True)
