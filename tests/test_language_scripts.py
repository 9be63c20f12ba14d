"""The scripts that learn from plain text, run small, as a user runs them."""

import math
import os
import re
from pathlib import Path
from unittest import mock

import pytest
import torch

from cs224d_l3.text.arrays import InOrder, Ngrams, Segments
from cs224d_l3.text.corpora import Vocabulary
from cs224d_l3.text.generator import Generator, nearest
from cs224d_l3.text.python_corpus import TextSplits
from running import Result, run
from trainings import PLAIN, PLAIN_DEV

SMALL = "--d 6 --hidden 8 --batch 8 --rows 8 --size 3 --steps 4 --lr 0.3 --dropout 0 --threads 1".split()
FILES = ("--train", "train.txt", "--dev", "dev.txt", "--test", "dev.txt")


@pytest.fixture(scope="module", params=["window", "recurrent"])
def trained(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Result]:
    """A folder with texts and a checkpoint, the kind of its model, and what the training printed."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "train.txt").write_text(PLAIN)
    (folder / "dev.txt").write_text(PLAIN_DEV)
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
    text = language.vocabulary.encode_text(line.split() for line in PLAIN_DEV.splitlines())
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
    sentences = [line.split() for line in PLAIN.splitlines()]
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
