"""The task of training a language model: its batches, rates and averaged weights, and its text."""

import math
from pathlib import Path

import pytest
import torch

from cs224d_l3.text.corpora import Vocabulary
from cs224d_l3.text.generator import Generator
from cs224d_l3.text.plain import Text, is_tokenized, join
from train_language_model import Modelling, Settings
from training.averaging import Averaging
from training.rates import rates
from trainings import PLAIN


def language_of(kind: str, dropout: float = 0.0) -> Generator:
    torch.manual_seed(0)
    vocabulary = Vocabulary("the cat sat . a dog ran".split())
    network = {"kind": kind, "unit": "tanh", "d": 4, "hidden": 5, "dropout": dropout}
    network |= {"clip": 15.0} if kind == "recurrent" else {"size": 3, "direct": False}
    return Generator.build(vocabulary, network, {"lower": False, "split_marks": False})


@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_an_epoch_carries_the_state(kind: str) -> None:
    vocabulary = Vocabulary("the cat sat . a dog ran".split(), lower=False)
    words = vocabulary.encode_text(line.split() for line in PLAIN.splitlines())
    settings = Settings(model=kind, batch=16, rows=4, steps=5, size=3, d=4, hidden=5, average=0)
    task = Modelling(settings, Text(vocabulary, words, words[:30], words[:0], False), torch.device("cpu"))
    seen = []
    right = task.generator.loss

    def loss(batch, state):
        J, after = right(batch, state)
        seen.append((state, after))
        return J, after

    task.generator.loss = loss
    batches = task.batches(torch.Generator())
    for batch in batches:
        task.loss(*batch)
    assert len(seen) == len(batches) > 2
    assert seen[0][0] is None
    assert all(state is after for (_, after), (state, _) in zip(seen, seen[1:], strict=False))
    assert (seen[1][0] is None) == (kind == "window")
    task.after_epoch()
    assert task.state is None


def test_an_epoch_is_every_word_once() -> None:
    text = torch.arange(1, 41)
    window, recurrent = language_of("window"), language_of("recurrent")
    batches = list(window.batches(text, 16, 4, 5, torch.Generator().manual_seed(0)))
    target = torch.cat([batch[1] for batch in batches])
    assert sorted(target.tolist()) == text.tolist()
    assert target.tolist() != text.tolist()
    assert [len(batch[1]) for batch in batches] == [16, 16, 8]
    for words, after in batches:
        assert torch.equal(words[:, -1], after - 1)
        assert torch.equal(words[:, 0], (after - 3).clamp(min=0))
    segments = list(recurrent.batches(text, 16, 4, 5, torch.Generator()))
    assert torch.equal(torch.cat([after for _, after in segments], 1), text.view(4, 10))
    assert all(torch.equal(words, after - 1) for words, after in segments)


def test_rates_are_by_fan_in_but_those_of_word_vectors() -> None:
    model = language_of("window").model
    groups = rates(model, lr=0.6, lr_vectors=0.07)
    rate = {theta: group["lr"] for group in groups for theta in group["params"]}
    assert rate.keys() == set(model.parameters())
    assert rate[model.L.weight] == 0.07
    assert rate[model.output.W] == pytest.approx(0.6 / math.sqrt(5))
    assert rate[model.output.b] == 0.6


def test_weights_are_averaged_over_the_last_updates() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    averaging = Averaging(model, horizon=40, every=10)  # four of them
    averaged = [1.0, 5.0, 2.0, 8.0, 3.0, 7.0]
    expected = averaged[0]
    for i in range(60):
        model.weight.data.fill_(averaged[i // 10] if i % 10 == 0 else -99)
        averaging.after_update()
        expected += (averaged[i // 10] - expected) / min(i // 10 + 1, 4) if i % 10 == 0 else 0
        assert averaging.mean.weight.item() == pytest.approx(expected)
    again = Averaging(torch.nn.Linear(1, 1, bias=False), horizon=40, every=10)
    again.load_state_dict(averaging.state_dict())
    for each in (averaging, again):
        each.model.weight.data.fill_(6)
        each.after_update()
    assert torch.equal(again.mean.weight, averaging.mean.weight)


def test_marks_are_set_apart_where_they_are_not(tmp_path: Path) -> None:
    plain, apart, unknown = (tmp_path / name for name in ("plain", "apart", "unknown"))
    plain.write_text("Well, it works.\nDoes it? Yes, it does!\n")
    apart.write_text("well , it works .\nmr. smith 's u.s. office , inc. works\n")
    unknown.write_text("well, <unk> it is\n")
    assert [is_tokenized(path) for path in (plain, apart, unknown)] == [False, True, True]


def test_words_are_joined_as_text() -> None:
    assert join("a list ( or set ) , e . g . this !".split()) == "a list (or set), e. g. this!"
    assert join([]) == ""
