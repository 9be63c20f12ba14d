"""The scripts that learn from plain text, run small, as a user runs them."""

import math
import os
import re
from pathlib import Path
from unittest import mock

import pytest
import torch

from cs224d_l3 import corrupt
from cs224d_l3.text.arrays import InOrder, Ngrams, Segments
from cs224d_l3.text.corpora import Vocabulary, read_vectors
from cs224d_l3.text.generator import Generator, nearest
from cs224d_l3.text.plain import Text, is_tokenized, join
from cs224d_l3.text.python_corpus import TextSplits
from running import Result, run
from train_language_model import Modelling, Settings
from training.averaging import Averaging
from training.rates import rates

# after "the cat" comes "sat", after "the dog" comes "ran"; what comes before tells nothing
TRAIN = "the cat sat .\na the dog ran .\n" * 40
DEV = "the dog ran .\nthe cat sat .\n" * 3
SMALL = "--d 6 --hidden 8 --batch 8 --rows 8 --size 3 --steps 4 --lr 0.3 --dropout 0 --threads 1".split()
FILES = ("--train", "train.txt", "--dev", "dev.txt", "--test", "dev.txt")


@pytest.fixture(scope="module", params=["window", "recurrent"])
def trained(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Result]:
    """A folder with texts and a checkpoint, the kind of its model, and what the training printed."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "train.txt").write_text(TRAIN)
    (folder / "dev.txt").write_text(DEV)
    return folder, request.param, run("train_language_model", "--model", request.param, *FILES, *SMALL, cwd=folder)


def perplexities(result: Result, start: str) -> list[float]:
    return [
        float(line.split("perplexity")[1].split()[0]) for line in result.stdout.splitlines() if line.startswith(start)
    ]


def test_training_learns_the_text(trained) -> None:
    folder, _, result = trained
    assert result.returncode == 0, result.stderr
    assert "440 words to train on, 30 dev, 30 test" in result.stdout
    assert "9 in the vocabulary" in result.stdout
    dev = [float(line.split("dev")[1].split()[0]) for line in result.stdout.splitlines() if line.startswith("epoch")]
    (kept,), (test,) = perplexities(result, "dev "), perplexities(result, "test ")
    assert kept == min(dev) == test
    assert kept < 3  # of 9 words
    assert all(math.isfinite(p) for p in perplexities(result, "     perplexity"))
    assert "for example:" in result.stdout
    left = sorted(path.name for path in (folder / "runs").iterdir())
    assert left == [f"language_model{ending}" for ending in (".events", ".jsonl", ".last.pt", ".pt")]


@pytest.mark.long
def test_training_is_repeatable(trained) -> None:
    folder, kind, _ = trained
    again = run("train_language_model", "--model", kind, *FILES, *SMALL, "--out", "again.pt", cwd=folder)
    assert again.returncode == 0
    models = [torch.load(folder / n, weights_only=True)["model"] for n in ("runs/language_model.pt", "again.pt")]
    assert all(map(torch.equal, models[0].values(), models[1].values()))


def test_a_prompt_is_continued(trained) -> None:
    folder, _, _ = trained
    for prompt, line in (("the cat", "the cat sat."), ("a the dog", "a the dog ran.")):
        result = run("generate", prompt, "--temperature", 0, cwd=folder)
        assert result.returncode == 0, result.stderr
        assert result.stdout == line + "\n"
    one = run("generate", "the", "--length", 1, "--top-k", 1, cwd=folder).stdout
    assert len(one.split()) == 2
    drawn = {run("generate", "the", "--seed", s, "--temperature", 3, cwd=folder).stdout for s in range(5)}
    assert len(drawn) > 1
    cold = [run("generate", "the", "--temperature", t, cwd=folder) for t in (0, 1e-38, 1e-3)]
    assert len({result.stdout for result in cold}) == 1
    again = [run("generate", "the", "--seed", 1, cwd=folder).stdout for _ in range(2)]
    assert again[0] == again[1]
    assert "<unk>" not in "".join(drawn)


def test_words_are_drawn_by_their_probability(trained) -> None:
    folder, _, _ = trained
    language = Generator.load(folder / "runs" / "language_model.pt", torch.device("cpu"))
    model, vocabulary = language.model, language.vocabulary
    the = vocabulary.index["the"]
    context = torch.tensor([0] * 3 + [the]) if language.network["kind"] == "window" else torch.tensor([0, the])
    z = model(context[-3:]) if language.network["kind"] == "window" else model(context)[0][-1]
    z = z.detach().index_fill(0, torch.tensor(vocabulary.unknown), -math.inf)
    p = (z / 2).softmax(-1)
    first = [next(language.continuations(["the"], 2.0, 100, seed), "") for seed in range(400)]
    for word in ("cat", "dog"):
        assert first.count(word) / 400 == pytest.approx(float(p[vocabulary.index[word]]), abs=0.08)


def test_the_perplexity_is_that_of_the_scores(trained) -> None:
    """exp of the mean cross-entropy, word by word, whatever the pieces that the text is read in."""
    folder, _, _ = trained
    language = Generator.load(folder / "runs" / "language_model.pt", torch.device("cpu"))
    text = language.vocabulary.encode_text(line.split() for line in DEV.splitlines())
    before = torch.cat([torch.zeros(3, dtype=torch.int64), text])
    if language.network["kind"] == "window":
        z = language.model(torch.stack([before[i : i + 3] for i in range(len(text))]))
    else:
        z, _ = language.model(before[2:-1])
    right = torch.nn.functional.cross_entropy(z, text).exp().item()
    with (
        mock.patch("cs224d_l3.text.generator.Ngrams", lambda text, size, _: Ngrams(text, size, InOrder(len(text), 7))),
        mock.patch("cs224d_l3.text.generator.Segments", lambda text, rows, _: Segments(text, rows, 7)),
    ):
        assert language.perplexity(text) == pytest.approx(right, rel=1e-5)


def test_nearest_words_have_the_largest_cosines(trained) -> None:
    folder, _, _ = trained
    result = run("generate", "--nearest", "cat", cwd=folder)
    assert result.returncode == 0, result.stderr
    words, cosines = zip(*(line.split("\t") for line in result.stdout.splitlines()), strict=True)
    assert set(words) == {"the", "sat", ".", "a", "dog", "ran"}
    assert list(map(float, cosines)) == sorted(map(float, cosines), reverse=True)
    L = torch.tensor([[1.0, 0], [1, 0], [1, 0], [2, 1], [-1, 0], [0, 1]])
    found = nearest(Vocabulary(["a", "b", "c", "d"]), L, 2, 2)
    assert [word for word, _ in found] == ["b", "d"]
    assert found[0][1] == pytest.approx(2 / math.sqrt(5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "0"], r"\blr\b.*0\.0"),
        (["--dev", "train.txt"], r"\btrain\b.*\bdev\b"),
        (["--train", "nowhere.txt"], r"nowhere\.txt"),
        (["--train", "empty.txt"], r"empty\.txt: .*\btrain\b"),
        (["--train", "binary.txt"], r"binary\.txt:1: .*UTF-8"),
        (["--train", "nul.txt"], r"nul\.txt:1: .*0x00"),
        (["--train", "line.txt"], r"line\.txt: .*\bdev\b.*--dev"),
        (["--train", "line.txt", "--dev", "dev.txt", "--size", "7"], r"\btrain\b.*\b8\b.*\b7\b"),
        (
            ["--train", "line.txt", "--dev", "dev.txt", "--model", "recurrent"],
            r"\btrain\b.*\b32\b.*--rows.*\b7\b",
        ),
        (["--train", "line.txt", "--dev", "dev.txt", "--min-count", "9"], r"min-count.*\b9\b"),
        (["--train", "train.txt", "--test", "empty.txt"], r"empty\.txt: .*\btest\b"),
        (["--max-words", "2"], r"max_words.*\b2\b"),
        (["--out", "."], r"\bout\b.*folder"),
        (["--max-words", "3000000"], "max_words.*3000000"),
        (["--train", "pipe"], "train.*pipe"),
        (["--train", "train.txt", "--out", "pipe"], r"\bout\b.*pipe"),
        (["--train", "train.txt", "--hidden", "1000000000000"], "memory.*--hidden"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(trained, arguments: list[str], message: str) -> None:
    folder, _, _ = trained
    (folder / "empty.txt").write_text("\n \n")
    (folder / "line.txt").write_text("a b a b a b")
    (folder / "nul.txt").write_bytes(b"a\0b\n" * 20)
    (folder / "binary.txt").write_bytes(bytes(range(255, 0, -1)))
    if not (folder / "pipe").exists():
        os.mkfifo(folder / "pipe")
    before = sorted(folder.rglob("*"))
    result = run("train_language_model", *arguments, cwd=folder)
    assert result.returncode == 2
    assert re.search(message, result.error)
    assert "Traceback" not in result.stderr
    assert "epoch" not in result.stdout
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["the frog and the fox"], "vocabulary.*'frog', 'and', 'fox'"),
        (["--nearest", "the cat"], r"nearest.*\b2\b.*'the cat'"),
        (["the", "--checkpoint", "train.txt"], r"train\.txt: "),
        (["the", "--checkpoint", "tagger.pt"], r"tagger\.pt: .*language"),
        (["--nearest", "frog"], "vocabulary.*'frog'"),
        (["the", "--checkpoint", "nan.pt"], r"nan\.pt: .*finite"),
        (["the", "--checkpoint", "hollow.pt"], r"hollow\.pt: "),
        (["the", "--nearest", "the"], "prompt.*--nearest"),
        (["--temperature", "-1"], r"temperature.*-1\.0"),
        (["--length", "0"], r"length.*\b0\b"),
        (["--checkpoint", "nowhere.pt"], r"nowhere\.pt"),
    ],
)
def test_bad_input_for_a_prompt_is_one_sentence(trained, arguments: list[str], message: str) -> None:
    folder, _, _ = trained
    torch.save({key: {} for key in ("model", "words", "tags", "network", "threshold")}, folder / "tagger.pt")
    torch.save({key: {} for key in ("model", "words", "language", "text")}, folder / "hollow.pt")
    content = torch.load(folder / "runs" / "language_model.pt", weights_only=True)
    content["model"]["output.b"][0] = torch.nan
    torch.save(content, folder / "nan.pt")
    result = run("generate", *arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.search(message, result.error)
    assert "Traceback" not in result.stderr


def test_without_files_it_reads_pythons_documentation(tmp_path: Path) -> None:
    sentences = [line.split() for line in TRAIN.splitlines()]
    splits = TextSplits(sentences, sentences[:4], sentences[4:8])
    with mock.patch("cs224d_l3.text.plain.python_documentation", return_value=splits) as documentation:
        result = run("train_language_model", *SMALL, "--epochs", 1, "--seed", 3, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    documentation.assert_called_once_with(3)
    assert "test perplexity" in result.stdout


@pytest.mark.long
def test_every_setting_runs(trained) -> None:
    folder, kind, _ = trained
    result = run(
        "train_language_model", "--model", kind, "--train", "train.txt", "--unit", "relu", "--direct", "--tau", 1,
        "--l2", 1e-4, "--average", 0, "--lr-vectors", 0.1, "--dropout", 0.2, "--lower", "--max-words", 5, "--epochs", 2,
        "--batch", 8, "--d", 4, "--hidden", 4, "--threads", 1, "--marks", "split", "--out", "every.pt", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    content = torch.load(folder / "every.pt", weights_only=True)
    assert len(content["words"]) == 5
    assert content["text"] == {"lower": True, "split_marks": True}


def language_of(kind: str, dropout: float = 0.0) -> Generator:
    torch.manual_seed(0)
    vocabulary = Vocabulary("the cat sat . a dog ran".split())
    network = {"kind": kind, "unit": "tanh", "d": 4, "hidden": 5, "dropout": dropout}
    network |= {"clip": 15.0} if kind == "recurrent" else {"size": 3, "direct": False}
    return Generator.build(vocabulary, network, {"lower": False, "split_marks": False})


@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_an_epoch_carries_the_state(kind: str) -> None:
    vocabulary = Vocabulary("the cat sat . a dog ran".split(), lower=False)
    words = vocabulary.encode_text(line.split() for line in TRAIN.splitlines())
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


@pytest.mark.long
def test_the_rate_falls_and_patience_ends(trained) -> None:
    """After the first epoch the rate is next to nothing, so that nothing gets better any more."""
    folder, kind, _ = trained
    result = run(
        "train_language_model", "--model", kind, *FILES, *SMALL, "--tau", 1e-30, "--average", 0, "--patience", 3,
        "--epochs", 9, "--out", "tau.pt", cwd=folder,
    )  # fmt: skip
    dev = [line.split("dev")[1].split()[0] for line in result.stdout.splitlines() if line.startswith("epoch")]
    assert len(dev) == 4
    assert len(set(dev)) == 1


@pytest.mark.long
def test_a_penalty_keeps_weights_small(trained) -> None:
    folder, kind, _ = trained
    norms = []
    for l2 in (0, 0.1):
        run("train_language_model", "--model", kind, *FILES, *SMALL, "--l2", l2, "--out", "l2.pt", cwd=folder)
        norms.append(torch.load(folder / "l2.pt", weights_only=True)["model"]["output.W"].norm())
    assert norms[1] < 0.5 * norms[0]


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


@pytest.mark.long
@pytest.mark.skipif(torch.__version__ < "2.9", reason="torch 2.4 cannot export a Function")
def test_an_exported_model_is_the_model(trained) -> None:
    folder, kind, _ = trained
    result = run("export", "runs/language_model.pt", "--program", "m.pt2", cwd=folder)
    assert result.returncode == 0, result.stderr
    program = torch.export.load(folder / "m.pt2").module()
    model = Generator.load(folder / "runs" / "language_model.pt", torch.device("cpu")).model
    reads = (
        [torch.tensor([[3], [4], [2]]), torch.ones(3, 8)] if kind == "recurrent" else [torch.tensor([[3, 4, 2]] * 5)]
    )
    with torch.no_grad():
        torch.testing.assert_close(program(*reads), model(*reads))


# -------------------------------------------------------------------------------------------- ranking vectors


def test_vectors_are_trained_on_raw_text_and_taken_by_the_tagger(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(TRAIN + "rare words\n")
    (tmp_path / "dev.txt").write_text(DEV)
    with mock.patch("train_vectors.corrupt", side_effect=corrupt) as corrupted:
        result = run(
            "train_vectors", "--train", "train.txt", "--dev", "dev.txt", "--d", 5, "--hidden", 8, "--window", 3,
            "--batch", 8, "--epochs", 5, "--lr", 0.3, "--nearest", "Cat", cwd=tmp_path,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rates = [float(line.split("wins in ")[1].split()[0]) for line in result.stdout.splitlines() if "wins" in line]
    assert len(rates) == 5
    assert rates[-1] > 90
    assert result.stdout.splitlines()[-1].startswith("Cat: ")
    centres = torch.cat([call.args[0][:, 1] for call in corrupted.call_args_list])
    assert centres.min() > 1  # no end of a sentence, no unknown word
    words, vectors = read_vectors(tmp_path / "runs" / "vectors.txt")
    assert sorted(words) == sorted({"the", "cat", "sat", ".", "a", "dog", "ran"})
    assert vectors.shape == (7, 5)
    (tmp_path / "tags.txt").write_text("the O\ncat X\nsat O\n\nthe O\ndog X\nran O\n\n" * 10)
    tagged = run(
        "train_window", "--train", "tags.txt", "--vectors", "runs/vectors.txt", "--epochs", 1, "--hidden", 4,
        cwd=tmp_path,
    )  # fmt: skip
    assert tagged.returncode == 0, tagged.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "4"], r"window.*odd.*\b4\b"),
        (["--margin", "-1"], "margin.*-1"),
        (["--train", "train.txt", "--nearest", "frog"], "nearest.*'frog'"),
        (["--train", "nowhere.txt"], r"nowhere\.txt"),
        (["--dev", "train.txt"], r"\btrain\b.*\bdev\b"),
        (["--train", "train.txt", "--dev", "other.txt"], r"\bdev\b.*\b2\b.*\btrain\b"),
        (["--train", "train.txt", "--out", "."], r"\bout\b.*folder"),
    ],
)
def test_bad_input_for_vectors_is_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "train.txt").write_text(TRAIN)
    (tmp_path / "other.txt").write_text("nothing known\n")
    result = run("train_vectors", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(message, result.error)
    assert not (tmp_path / "runs").exists()
