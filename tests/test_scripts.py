"""The scripts, run small, as a user runs them."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest import mock

import pytest
import torch

import train_language_model
import train_vectors
from cs224d_l3 import UNITS
from cs224d_l3.text import Tagger
from cs224d_l3.text.corpora import read_vectors
from running import run, start
from train_window import Settings
from training.settings import read_settings

ROOT = Path(__file__).parents[1]


OTHER = "Ann O\nsees O\nParis I-LOC\n. O\n\nParis O\nsees O\nAnn O\n. O\n\n"
TRAIN = "".join(f"{word} O\nlives O\nin O\n{place} {tag}\n. O\n\n" for word, place, tag in [
    ("Ann", "Paris", "I-LOC"), ("Bob", "Rome", "I-LOC"), ("Cid", "peace", "O"), ("Dan", "Oslo", "I-LOC"),
    ("Eve", "Kyiv", "I-LOC"), ("Flo", "fear", "O"), ("Gus", "Bonn", "I-LOC"), ("Hal", "hope", "O"),
] * 5)  # fmt: skip
SMALL = ("--d", 5, "--hidden", 5, "--batch", 4, "--lr", 0.3, "--dropout", 0, "--average", 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a column file, a checkpoint trained on it, and what the training printed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "train.txt").write_text(TRAIN)
    (folder / "other.txt").write_text(OTHER)
    (folder / "oslo.txt").write_text("Ann O\nlives O\nin O\nOslo I-LOC\n. O\n\nHal O\nlives O\nin O\nhope O\n. O\n")
    files = ("--train", "train.txt", "--dev", "other.txt", "--test", "oslo.txt")
    return folder, run("train_window", *files, *SMALL, cwd=folder)


def test_training_on_columns_learns_them(trained) -> None:
    folder, result = trained
    assert result.returncode == 0, result.stderr
    assert "tags O S-LOC" in result.stdout
    lines = result.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines[:3]] == ["train.txt", "other.txt", "oslo.txt"]
    assert lines[0].endswith(
        "; tags IOB1 (B-PER); utf-8; 0 comments left out; first sentence: Ann/O lives/O in/O Paris/B-LOC ./O"
    )
    assert lines[4].startswith("epoch  1  loss ")
    assert "test LOC        100.00  100.00  100.00      1      1      1" in lines
    dev, dev_base, test, test_base = lines[-4:]
    assert test == "test precision 100.00  recall 100.00  F1 100.00"
    # of the two Parises in dev the majority finds one and calls the other a place as well; in test it is right
    assert "F1 66.67  every word's most frequent tag" in dev_base
    assert "F1 100.00  every word's most frequent tag" in test_base
    # the best epoch's score on dev is the checkpoint's
    epochs = {int(line.split()[1]): line.split("F1")[1].split()[0] for line in lines if line.startswith("epoch")}
    best = int(lines[-5].split()[2].rstrip(","))
    assert dev.split()[-1] == epochs[best]
    assert float(epochs[best]) == max(map(float, epochs.values()))
    assert min(e for e, f1 in epochs.items() if f1 == epochs[best]) == best
    assert len(epochs) == best + 5  # patience
    left = sorted(path.name for path in (folder / "runs").iterdir())
    assert left == ["window.events", "window.jsonl", "window.last.pt", "window.pt"]


@pytest.mark.long
def test_training_is_repeatable(trained) -> None:
    folder, first = trained
    files = ("--train", "train.txt", "--dev", "other.txt", "--test", "oslo.txt", "--out", "again.pt")
    second = run("train_window", *files, *SMALL, cwd=folder)
    scores = [
        [line.rsplit("  ", 1)[0] for line in r.stdout.splitlines() if line.startswith("epoch")] for r in (first, second)
    ]
    assert scores[0] == scores[1]
    models = [torch.load(folder / name, weights_only=True)["model"] for name in ("runs/window.pt", "again.pt")]
    assert all(torch.equal(a, b) for a, b in zip(models[0].values(), models[1].values(), strict=True))


def test_tagging_a_sentence_a_file_and_standard_input(trained) -> None:
    folder, _ = trained
    text = "Zoe lives in Paris.\n\nZoe lives in hope.\n"
    (folder / "text.txt").write_text(text)
    one = run("tag", "Zoe lives in Paris.", cwd=folder)
    assert one.returncode == 0, one.stderr
    words, tags, scores = zip(*(line.split("\t") for line in one.stdout.split("\n") if line), strict=True)
    assert words == ("Zoe", "lives", "in", "Paris", ".")
    assert tags == ("O", "O", "O", "B-LOC", "O")  # IOB2, whatever the training file had
    assert all(0 <= float(score) <= 1 for score in scores)
    by_file = run("tag", "--file", "text.txt", cwd=folder)
    assert by_file.stdout.startswith(one.stdout)
    assert by_file.stdout.count("\n\n") == 2
    assert run("tag", "--file", "-", cwd=folder, stdin=text).stdout == by_file.stdout
    tagger = Tagger.load(folder / "runs" / "window.pt")  # the same from Python
    assert [(word, tag) for word, tag, _ in tagger.tag("Zoe lives in Paris.")] == list(zip(words, tags, strict=True))
    assert tagger.tag(list(words)) == tagger.tag_all([words])[0]


def test_words_set_apart_and_column_files_are_tagged_as_they_stand(trained) -> None:
    folder, _ = trained
    words = ["Ann", "can't", "(see)", "U.S.-led", "e-mail:", "a\u00a0b"]

    def tagged(*arguments: object, stdin: str = "") -> list[str]:
        result = run("tag", *arguments, cwd=folder, stdin=stdin)
        assert result.returncode == 0, result.stderr
        return [line.split("\t")[0] for line in result.stdout.split("\n")]

    line = " ".join(words)
    assert tagged(line)[:4] == ["Ann", "can't", "(", "see"]
    assert tagged("--tokenized", line) == tagged("--tokenized", "--file", "-", stdin=line) == [*words, "", ""]
    columns = "# id 1\n" + "".join(f"{word}\tNN\n" for word in words)
    assert tagged("--columns", "--file", "-", stdin=columns) == [*words, "", ""]
    (folder / "words.txt").write_text("\n".join(words) + "\n\nHal\n", encoding="utf-16")
    assert tagged("--columns", "--file", "words.txt") == [*words, "", "Hal", "", ""]
    (folder / "latin.txt").write_text("Zoë\n", encoding="latin-1")
    assert "--encoding" in run("tag", "--file", "latin.txt", cwd=folder).error
    assert tagged("--file", "latin.txt", "--encoding", "latin-1")[0] == "Zoë"
    for wrong in (["--columns", "a"], ["--score", "a"], ["--score", "--tokenized", "--file", "words.txt"]):
        assert run("tag", *wrong, cwd=folder).returncode == 2


def test_a_file_with_tags_is_scored(trained) -> None:
    folder, result = trained
    (folder / "gold.txt").write_text("1\tAnn\tO\n2\tlives\tO\n3\tin\tO\n4\tOslo\tS-LOC\n5\t.\tO\n\n1\tHal\tS-PER\n")
    scored = run("tag", "--score", "--file", "gold.txt", cwd=folder)
    assert scored.stdout.splitlines()[-1].startswith("precision 100.00  recall 50.00  F1 66.67")
    assert "LOC        100.00  100.00  100.00      1      1      1" in scored.stdout
    assert "word in column 2, tag in column 3 of 3, parted by tabs; tags IOBES" in scored.stderr
    dev = next(line for line in result.stdout.splitlines() if line.startswith("dev  precision"))
    assert run("tag", "--score", "--file", "other.txt", cwd=folder).stdout.splitlines()[-1] == dev.removeprefix("dev  ")
    (folder / "plain.txt").write_text("Ann PER\n")
    assert re.search(
        "file must have tags of entities.*'PER'", run("tag", "--score", "--file", "plain.txt", cwd=folder).error
    )


def test_parts_of_speech_are_learned_and_never_called_f1(trained) -> None:
    folder, _ = trained
    text = "# text = Ann lives\n1\tAnn\t_\tPROPN\t_\t_\t_\t_\t_\t_\n2\tlives\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n"
    (folder / "pos.conllu").write_text(text * 10)
    files = ("--train", "pos.conllu", "--dev", "pos.conllu", "--out", "pos.pt")
    result = run("train_window", *files, *SMALL, "--epochs", 3, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "word in column 2, tag in column 4 of 10" in result.stdout
    assert "10 comments left out" in result.stdout
    assert "dev  word accuracy 100.00" in result.stdout
    assert not re.search(r"F1 +\d", result.stdout)
    last = json.loads((folder / "pos.jsonl").read_text().splitlines()[-1])
    assert last["dev_accuracy"] == last["dev_word_recall/VERB"] == 100
    assert not any("f1" in name and "/" not in name for name in last)
    scored = run("tag", "--score", "--file", "pos.conllu", "--checkpoint", "pos.pt", cwd=folder)
    assert scored.stdout.splitlines()[-1] == "word accuracy 100.00"
    assert "Ann\tPROPN\t" in run("tag", "Ann lives", "--checkpoint", "pos.pt", cwd=folder).stdout
    (folder / "one.txt").write_text("a X\n\nb X\n")
    assert re.search("train.*two tags.*'X'.*--tag-column", run("train_window", "--train", "one.txt", cwd=folder).error)


def test_max_margin_prints_how_often_the_true_window_wins(trained) -> None:
    folder, _ = trained
    result = run(
        "train_window", "--train", "train.txt", "--objective", "max-margin", *SMALL, "--out", "margin.pt", cwd=folder
    )
    assert result.returncode == 0, result.stderr
    assert "the window of an entity outscores another in" in result.stdout
    tagged = run("tag", "Ann lives in Rome.", "--checkpoint", "margin.pt", cwd=folder)
    assert "Rome\tENTITY\t" in tagged.stdout


@pytest.mark.parametrize("settings", [Settings, train_language_model.Settings, train_vectors.Settings])
def test_every_unit_can_be_chosen(settings: type[Any]) -> None:
    assert get_args(get_type_hints(settings)["unit"]) == tuple(UNITS)


def test_every_setting_runs(trained) -> None:
    folder, _ = trained
    (folder / "vectors.txt").write_text("paris 1 0 0\nRome 0 1 0\nnever 0 0 1\n")
    result = run(
        "train_window", "--train", "train.txt", "--vectors", "vectors.txt", "--unit", "relu", "--l2", 1e-3,
        "--window", 3, "--no-capitalisation", "--suffixes", "--scheme", "IOB2", "--no-viterbi", "--average", 0.5,
        "--d-features", 3, "--epochs", 2, "--out", "every.pt", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    content = torch.load(folder / "every.pt", weights_only=True)
    assert content["model"]["input.L.weight"].shape == (len(content["words"]), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "-1"], r"\blr\b.*-1\.0"),
        (["--suffixes", "2", "0"], r"suffixes.*\b0\b"),
        (["--suffixes", "2", "2"], r"suffixes.*\(2, 2\)"),
        (["--suffix-count", "0"], r"suffix_count.*\b0\b"),
        (["--d-features", "0"], r"d_features.*\b0\b"),
        (["--average", "-1"], r"average.*-1\.0"),
        (["--window", "4"], r"window.*odd.*\b4\b"),
        (["--unit", "cosine"], "'cosine'.*unit"),
        (["--dev", "train.txt"], r"\btrain\b.*\bdev\b"),
        (["--train", "nowhere.txt"], r"nowhere\.txt"),
        (["--train", "broken.txt"], r"broken\.txt:2: .*'b'"),
        (["--train", "all_o.txt"], r"train.*\['O'\]"),
        (["--train", "train.txt", "--dev", "person.txt"], "tags.*'I-PER'"),
        (["--train", "train.txt", "--vectors", "foreign.txt"], r"foreign\.txt"),
        (["--seed", "-1"], "seed.*-1"),
        (["--device", "meta"], "device.*'meta'"),
        (["--train", "nowhere.txt", "--out", "a/b/c.pt"], r"nowhere\.txt"),
        (["--train", "train.txt", "--vectors", "short.txt"], r"short\.txt:2: .*\b1\b"),
        (["--device", "toaster"], "device.*'toaster'"),
        (["--out", "."], r"\bout\b.*folder"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(trained, arguments: list[str], message: str) -> None:
    folder, _ = trained
    (folder / "broken.txt").write_text("a O\nb\n")
    (folder / "all_o.txt").write_text("a O\n\nb O\n\nc O\n")
    (folder / "person.txt").write_text("Ann I-PER\n")
    (folder / "foreign.txt").write_text("xyz 1 2\n")
    (folder / "short.txt").write_text("a 1 2\nb 1\n")
    before = sorted(folder.rglob("*"))
    result = run("train_window", *arguments, cwd=folder)
    assert result.returncode == 2
    assert re.search(message, result.error)
    assert "Traceback" not in result.stderr
    assert "epoch" not in result.stdout
    assert sorted(folder.rglob("*")) == before


def test_tag_refuses_what_is_no_checkpoint(trained) -> None:
    folder, _ = trained
    torch.save({"model": 1}, folder / "foreign.pt")
    torch.save({"model": {}, "words": [], "tags": [], "network": {}, "threshold": 0}, folder / "hollow.pt")
    for name in ("train.txt", "foreign.pt", "nowhere.pt", "hollow.pt"):
        result = run("tag", "a b", "--checkpoint", name, cwd=folder)
        assert result.returncode == 2
        assert name in result.stderr
        assert "Traceback" not in result.stderr
    assert run("tag", cwd=folder).returncode == 2


@pytest.mark.parametrize(
    ("script", "option"),
    [
        *(("train_window", option) for option in ("train", "dev", "test", "vectors")),
        *(("train_language_model", option) for option in ("train", "dev", "test")),
        *(("train_vectors", option) for option in ("train", "dev")),
        *(("tag", option) for option in ("checkpoint", "file")),
        ("generate", "checkpoint"),
        ("export", "checkpoint"),
    ],
)
def test_a_missing_file_is_named_with_its_option(trained, script: str, option: str) -> None:
    folder, _ = trained
    needed = ["--train", "train.txt"] if option in ("dev", "test", "vectors") else []
    needed += ["a"] if (script, option) == ("tag", "checkpoint") else []
    for name, what in (("nowhere.txt", "missing"), (".", "a folder")):
        given = [name] if script == "export" else [f"--{option}", name]
        result = run(script, *needed, *given, cwd=folder)
        assert result.returncode == 2
        assert re.search(rf"error: {option} must be a file.*{re.escape(name)} \({what}\)", result.error)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings, train_language_model.Settings, train_vectors.Settings])
def test_a_command_without_arguments_has_its_defaults(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    found = read_settings(settings)
    assert found.resume == "no"
    assert found.out == next(field.default for field in fields(settings) if field.name == "out")


@pytest.mark.parametrize("script", ["train_window", "tag", "train_language_model", "train_vectors", "generate"])
def test_scripts_start_by_themselves_and_show_their_settings(script: str, tmp_path: Path) -> None:
    result = start(ROOT / "scripts" / f"{script}.py", "--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--device" in result.stdout


@pytest.mark.long
def test_a_penalty_keeps_weights_small(trained) -> None:
    folder, _ = trained
    norms = []
    for l2 in (0, 0.1):
        run("train_window", "--train", "train.txt", *SMALL, "--l2", l2, "--epochs", 3, "--out", "l2.pt", cwd=folder)
        norms.append(torch.load(folder / "l2.pt", weights_only=True)["model"]["hidden.W"].norm())
    assert norms[1] < 0.5 * norms[0]


@pytest.mark.long
@pytest.mark.skipif(torch.__version__ < "2.9", reason="torch 2.4 cannot export a Function")
@pytest.mark.parametrize("objective", ["softmax", "max-margin"])
def test_an_exported_tagger_is_the_tagger(trained, objective: str) -> None:
    from cs224d_l3.text.tagger import Tagger

    folder, _ = trained
    run(
        "train_window",
        "--train",
        "train.txt",
        "--objective",
        objective,
        *SMALL,
        "--epochs",
        1,
        "--out",
        "e.pt",
        cwd=folder,
    )
    result = run("export", "e.pt", "--vectors", "v.txt", "--program", "e.pt2", cwd=folder)
    assert result.returncode == 0, result.stderr
    extra = {"model.json": ""}
    program = torch.export.load(folder / "e.pt2", extra_files=extra).module()
    tagger = Tagger.load(folder / "e.pt")
    words, features = tagger.windows([["Ann", "lives", "in", "Rome", "."]])[torch.arange(5)]
    with torch.no_grad():
        torch.testing.assert_close(program(words, features), tagger(words, features))
    assert json.loads(extra["model.json"])["tags"] == tagger.tags
    known, vectors = read_vectors(folder / "v.txt")
    assert known == tagger.vocabulary.words[2:]
    torch.testing.assert_close(vectors, tagger.model.input.L.weight[2:].detach(), rtol=1e-5, atol=1e-6)
    assert run("export", "nowhere.pt", cwd=folder).returncode == 2
    for same in (("--program", "e.pt"), ("--vectors", "./e.pt"), ("--program", "x", "--vectors", "x")):
        assert re.search("checkpoint.*program.*vectors", run("export", "e.pt", *same, cwd=folder).error)


def test_tagging_a_stream_in_pieces(trained) -> None:
    folder, _ = trained
    text = "Ann lives in Rome . " * 40 + "\nBob lives in Oslo .\n"
    with mock.patch("tag.BATCH", 7):
        pieces = run("tag", "--file", "-", cwd=folder, stdin=text).stdout
    whole = run("tag", "--file", "-", cwd=folder, stdin=text).stdout
    assert pieces == whole
    with mock.patch("tag.MAX_LINE", 100):
        cut = run("tag", "--file", "-", cwd=folder, stdin=text).stdout
    assert [line.split("\t")[0] for line in cut.split("\n") if line] == text.split()
    assert cut.count("\n\n") > 5
