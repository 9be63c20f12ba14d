"""The task of train_window.py without a run: corpus, batches, objective, decoding, averages, checkpoints."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cs224d_l3 import sliding_windows
from cs224d_l3.text import Tagger
from cs224d_l3.text.arrays import positions
from cs224d_l3.text.corpora import Sentence, capitalisation
from cs224d_l3.text.files import load_checkpoint, save_checkpoint
from train_window import Corpus, Settings, Tagging, build_tagger, read_corpus
from training.batches import Epoch

SENTENCES = [Sentence("Ann saw Paris saw".split(), ["O", "O", "LOC", "O"])]


CORPUS = Corpus(lambda: iter(SENTENCES), [], [])
CPU = torch.device("cpu")


def test_given_vectors_are_the_networks_and_their_words_are_not_rare(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("PARIS 9 9\nparis 1 2\nParis 8 8\nRome 3 4\n")
    task = Tagging(Settings(vectors=path), CORPUS, CPU)
    words, vectors = task.tagger.vocabulary.words, task.model.input.L.weight
    assert sorted(words) == ["<pad>", "<unk>", "ann", "paris", "rome", "saw"]
    assert vectors[words.index("paris")].tolist() == [1, 2]
    assert vectors[words.index("rome")].tolist() == [3, 4]
    assert [word for word, r in zip(words, task.rare.tolist(), strict=True) if r] == ["ann"]
    cased, _ = build_tagger(Settings(vectors=path, capitalisation=False, suffixes=()), CORPUS)
    assert cased.model.input.L.weight[cased.vocabulary.words.index("Paris")].tolist() == [8, 8]
    assert cased.features == list(cased.model.input.C) == []


@pytest.mark.parametrize("capitalisation", [True, False])
def test_vectors_of_padding_and_unknown_word_are_their_own(tmp_path: Path, capitalisation: bool) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("<unk> 1 2\n<pad> 3 4\nsaw 5 6\n")
    tagger, has_vector = build_tagger(Settings(vectors=path, capitalisation=capitalisation), CORPUS)
    vectors = tagger.model.input.L.weight
    assert vectors[:2].tolist() == [[3, 4], [1, 2]]
    assert has_vector[:2].all()
    path.write_text("<unk> 1 2\nforeign 3 4\n")
    with pytest.raises(ValueError, match=r"vectors\.txt.*none"):
        build_tagger(Settings(vectors=path), CORPUS)


def test_batches_hold_every_window_once_in_a_new_order() -> None:
    target = torch.tensor([0, 1, 0, 0, 2, 0])
    generator = torch.Generator().manual_seed(0)
    epochs = [torch.cat([b for (b,) in Epoch(6, 4, generator)]).tolist() for _ in range(3)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert epochs[0] != epochs[1] or epochs[1] != epochs[2]
    for _ in range(5):
        true, other = (positions(target, holds) for holds in (lambda t: t != 0, lambda t: t == 0))
        pairs = list(Epoch(true, 1, generator, other))
        assert sorted(int(true) for true, _ in pairs) == [1, 4]
        assert {int(corrupt) for _, corrupt in pairs} <= {0, 2, 3, 5}


def test_the_objective_has_its_margin() -> None:
    settings = Settings(objective="max-margin", margin=2.0, unknown=0, dropout=0)
    entity = Corpus(lambda: iter([Sentence(s.words, ["O", "O", "ENTITY", "O"]) for s in SENTENCES]), [], [])
    task = Tagging(settings, entity, CPU)
    s, s_c = (task.tagger(*task.train[torch.tensor([i])]) for i in (2, 0))
    torch.testing.assert_close(task.loss(torch.tensor([2]), torch.tensor([0])), (2 + s_c - s).squeeze())


def test_windows_are_strides_of_one_row() -> None:
    tagger, _ = build_tagger(Settings(window=3, suffixes=(2,), suffix_count=2), CORPUS)
    sentences = ["Ann saw Paris".split(), ["Ann"], "saw ann".split()]
    windows = tagger.windows(sentences)
    words, features = windows[torch.arange(6)]
    expected = torch.cat([sliding_windows(tagger.vocabulary.encode(s), 3, 0) for s in sentences])
    assert torch.equal(words, expected)
    capitals = torch.cat([sliding_windows(torch.tensor([capitalisation(w) for w in s]), 3, 4) for s in sentences])
    known = {"aw": 2}  # of saw, twice in training; 1 is any other
    endings = [sliding_windows(torch.tensor([known.get(w[-2:], 1) for w in s]), 3, 0) for s in sentences]
    assert [len(feature) for feature in tagger.features] == [5, 3]
    assert torch.equal(torch.stack(features), torch.stack([capitals, torch.cat(endings)]))
    assert torch.equal(windows[torch.tensor([[5, 0]])][0], expected[[5, 0]][None])
    assert windows.lengths == [3, 1, 2]
    counts = windows.count_words(len(tagger.vocabulary)).tolist()
    assert counts == [[w.lower() for s in sentences for w in s].count(w) for w in tagger.vocabulary.words]
    assert (len(tagger.windows([])), tagger.windows([]).lengths) == (0, [])


def test_tags_are_brought_to_one_scheme_and_b_may_be_new_in_dev(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a B-X\nb I-X\nc O\n")
    (tmp_path / "dev.txt").write_text("a B-X\nb B-X\nc O\n")
    settings = Settings(train=tmp_path / "train.txt", dev=tmp_path / "dev.txt")
    corpus = read_corpus(settings)
    assert next(corpus.train()).tags == ["I-X", "I-X", "O"]
    assert corpus.dev[0].tags == ["I-X", "B-X", "O"]
    assert build_tagger(replace(settings, scheme="IOB1"), corpus)[0].tags == ["O", "B-X", "I-X"]
    assert build_tagger(settings, corpus)[0].tags == ["O", "B-X", "E-X", "S-X"]
    target = Tagging(settings, corpus, CPU).target
    assert target.tolist() == [1, 2, 0]
    assert list(read_corpus(Settings(split=1)).train()) != list(read_corpus(Settings(split=0)).train())
    held_out = read_corpus(Settings(train=tmp_path / "train.txt", objective="max-margin"))
    assert held_out.dev[0].tags == ["ENTITY", "ENTITY", "O"]


def test_sentences_without_words_have_no_tags() -> None:
    tagger, _ = build_tagger(Settings(), CORPUS)
    assert (tagger.tag(""), tagger.tag_all([]), tagger.tag_all([[], []])) == ([], [], [[], []])
    assert [len(tags) for tags in tagger.tag_all([[], ["Ann", "saw"], []])] == [0, 2, 0]


@pytest.mark.parametrize("size", [1, 7])
def test_windows_of_any_size_are_read(size: int) -> None:
    task = Tagging(Settings(window=size), CORPUS, CPU)
    words, features = task.train[torch.arange(4)]
    assert words.shape == (4, size)
    assert [len(feature) for feature in features] == [4] * len(task.tagger.features)
    assert torch.equal(words, sliding_windows(task.tagger.vocabulary.encode(SENTENCES[0].words), size, 0))
    assert task.train.lengths == [4]


def test_prediction_is_without_dropout_and_reads_capitals() -> None:
    tagger, _ = build_tagger(Settings(dropout=0.9), CORPUS)
    windows = tagger.windows([["paris"], ["Paris"]])
    scores = [tagger.predict(windows)[1] for _ in range(3)]
    assert torch.equal(scores[0], scores[1])
    assert torch.equal(scores[1], scores[2])
    assert scores[0][0] != scores[0][1]


def test_a_tag_is_one_that_may_follow_the_one_before() -> None:
    sentences = [Sentence(["a", "b", "c", "d"], ["I-X", "I-X", "O", "I-X"])]
    torch.manual_seed(0)
    tagger, _ = build_tagger(Settings(), Corpus(lambda: iter(sentences), [], []))
    tagger.model.output.b.data = torch.tensor([0.0, 0.4, 0.5, 0.0])  # O, B-X, E-X, S-X
    words = ["a", "b", "c", "d"]
    tags = [tag for _, tag, _ in tagger.tag(words)]
    windows = tagger.windows([words])
    found, p = tagger.predict(windows)
    assert tags == ["B-X", "I-X"] * 2
    assert [tagger.tags[i] for i in found] == ["B-X", "E-X"] * 2
    each = tagger(*windows[torch.arange(4)]).softmax(-1)
    torch.testing.assert_close(p, each[torch.arange(4), found])
    tagger.network["viterbi"] = False
    assert [tagger.tags[i] for i in tagger.predict(windows)[0]] == ["E-X"] * 4
    assert [tag for _, tag, _ in tagger.tag(words)] == ["B-X", "I-X", "I-X", "I-X"]


def test_a_checkpoint_from_before_there_were_suffixes_and_schemes(tmp_path: Path) -> None:
    corpus = Corpus(lambda: iter([Sentence(s.words, ["O", "O", "I-LOC", "O"]) for s in SENTENCES]), [], [])
    tagger, _ = build_tagger(Settings(suffixes=(), scheme="IOB1", viterbi=False), corpus)
    tagger.save(tmp_path / "now.pt")
    content = load_checkpoint(tmp_path / "now.pt", {"model"})
    del content["suffixes"]
    for name in ("scheme", "viterbi", "d_features"):
        del content["network"][name]
    content["model"]["input.C.weight"] = content["model"].pop("input.C.0.weight")
    save_checkpoint(tmp_path / "before.pt", content)
    words = ["Ann", "saw", "PARIS"]
    assert Tagger.load(tmp_path / "before.pt").tag(words) == tagger.tag(words)


def test_the_mean_of_the_weights_is_evaluated_and_saved(tmp_path: Path) -> None:
    for average, same in ((0, True), (2, False)):  # epochs of a single update
        task = Tagging(Settings(average=average), Corpus(lambda: iter(SENTENCES), SENTENCES, []), CPU)
        for _ in range(2):
            task.loss(torch.arange(4)).backward()
            task.optimizer.step()
            task.after_update()
        task.save(tmp_path / "model.pt")
        saved = Tagger.load(tmp_path / "model.pt").model.hidden.W
        assert torch.equal(saved, task.tagger.model.hidden.W)
        assert torch.equal(saved, task.model.hidden.W) == same


def test_a_scorers_threshold_is_kept(tmp_path: Path) -> None:
    tagger, _ = build_tagger(Settings(objective="max-margin"), CORPUS)
    tagger.tags = ["O", "ENTITY"]
    tagger.threshold = -1e9
    tagger.save(tmp_path / "low.pt")
    again = Tagger.load(tmp_path / "low.pt", torch.device("cpu"))
    assert [tag for _, tag, _ in again.tag(["Ann", "saw"])] == ["ENTITY", "ENTITY"]
