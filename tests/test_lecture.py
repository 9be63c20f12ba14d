"""The live lecture: its sentences in two languages, its command, and the numbers that it shows."""

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import marimo
import pytest
import torch

from cs224d_l3 import UNITS, WindowScorer, elementwise_gradients, hardtanh, max_margin_loss
from evidence import two_classes
from evidence.worked import by_differences, race, worked
from live import command, experiments_1, page, parts_1, pictures_1
from live.sentences import LANGUAGES, SENTENCES, Speaker
from plotting.worked import Edge, factor, number
from running import start

SCRIPTS = Path(__file__).parents[1] / "scripts"
ENGLISH = Speaker("en")

# ------------------------------------------------------------------------------------------- the sentences


def formulas(text: str) -> list[str]:
    return sorted(re.findall(r"\$\$.+?\$\$|\$.+?\$", text, re.DOTALL))


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_says_the_same_in_both_languages(name: str) -> None:
    english, chinese = SENTENCES[name]
    assert english.strip()
    assert chinese.strip()
    assert formulas(english) == formulas(chinese)
    fields = [set(re.findall(r"\{(\w+)\}", text)) for text in (english, chinese)]
    assert fields[0] == fields[1]
    assert not re.search("[\u4e00-\u9fff]", english)


SAYING = ("say", "UnusableError", "Outcome")  # what is called with the name of a sentence


def asked() -> Iterator[str]:
    """Patterns of the names of sentences that are said; ``.+`` where a part is filled in."""
    for source in (SCRIPTS / "lecture.py", *(SCRIPTS / "live").glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    yield re.escape(name.value)
                elif isinstance(name, ast.JoinedStr):
                    yield "".join(re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in name.values)


def test_every_sentence_is_said_and_no_other() -> None:
    patterns = set(asked())
    assert len(patterns) > 50
    assert [name for name in SENTENCES if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in SENTENCES)] == []


def test_what_is_filled_in_leaves_formulas_alone() -> None:
    assert ENGLISH("neuron numbers", z="1.00", a="0.7", augmented="0.7").startswith("$z = 1.00$")
    assert r"\frac{1}{1 + e^{-z}}" in ENGLISH("neuron", z="wrong")
    assert Speaker("zh")("seed") == "随机种子"


# --------------------------------------------------------------------------------------------- the command


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES.values())
def test_every_cell_runs(language: str, tmp_path: Path) -> None:
    result = start(SCRIPTS / "lecture.py", "--check", "--lang", language, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert re.search(r"\d\d cells ran without an error in \d+ s", result.stdout)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_another_language_is_refused_in_a_sentence(tmp_path: Path) -> None:
    result = start(SCRIPTS / "lecture.py", "--lang", "fr", cwd=tmp_path)
    assert result.returncode == 2
    assert "lang must be en or zh, got 'fr'" in result.error
    assert "Traceback" not in result.stderr


NOTEBOOK = """
import marimo

app = marimo.App()

@app.cell
def _():
    import marimo as mo
    return (mo,)

@app.cell
def _(mo):
    {cell}
    return
"""


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("mo.md('x')", None),
        ("mo.callout('x', kind='warn')", None),
        ("1 / 0", "a cell of the lecture raised"),
        ("mo.callout('x', kind='danger')", "a cell of the lecture must not show an error, got 1"),
        ("mo.vstack([mo.md('x'), mo.callout('x', kind='danger')])", "a cell of the lecture must not show an error"),
    ],
)
def test_the_check_fails_where_a_cell_shows_an_error(
    cell: str, error: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["lecture.py"])
    file = tmp_path / "notebook.py"
    file.write_text(NOTEBOOK.format(cell=cell))
    names: dict[str, marimo.App] = {}
    exec(compile(file.read_text(), str(file), "exec"), {"__file__": str(file), "__name__": "notebook"}, names)
    if error is None:
        command.check(names["app"], "en")
    else:
        with pytest.raises(RuntimeError, match=error):
            command.check(names["app"], "en")


def test_a_token_is_left_out_on_loopback_alone() -> None:
    assert "--no-token" in command.server(command.Settings())
    assert "--no-token" in command.server(command.Settings(host="localhost"))
    for host in ("0.0.0.0", "192.168.1.2"):
        line = command.server(command.Settings(host=host))
        assert "--token" in line
        assert "--no-token" not in line
    assert command.server(command.Settings(lang="zh", port=8080))[-2:] == ["--lang", "zh"]


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="lang must be en or zh, got 'de'"):
        command.Settings(lang="de")
    with pytest.raises(ValueError, match="port must be 0 to 65535, got 70000"):
        command.Settings(port=70000)


# ------------------------------------------------------------------------------------------ parts of the page


def test_what_a_reader_types_is_no_markdown() -> None:
    assert page.plain("a|b $x$ *c* <b>") == "a&#124;b &#36;x&#36; &#42;c&#42; &#60;b&#62;"
    assert page.plain("Paris 巴黎") == "Paris 巴黎"


def test_numbers_have_a_minus_sign_and_no_signed_zero() -> None:
    assert [number(v) for v in (-1.5, 0.0, -0.0, -0.001, 2)] == ["−1.50", "0.00", "0.00", "0.00", "2.00"]
    assert (factor(-0.5, 1), factor(0.5, 1)) == ("(−0.5)", "0.5")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "without words"),
        ("Paris", "One word"),
        ("no no no", "All words are the same"),
        ("a b " * 21, "40 words here, got 42"),
        ("a b", ""),
    ],
)
def test_what_is_wrong_with_a_sentence_is_said(words: str, expected: str) -> None:
    said = parts_1.wrong_with(ENGLISH, words.split())
    assert expected in said
    assert bool(said) == bool(expected)


def test_words_without_glyphs_are_not_drawn() -> None:
    assert pictures_1.drawable("Museums")
    assert not pictures_1.drawable("巴黎")


# ----------------------------------------------------------------------------------------------- the numbers


def test_a_sentence_goes_through_the_window_network() -> None:
    words = experiments_1.SENTENCE.split()
    r = experiments_1.read(words, 5, 4, 8, "sigmoid")
    assert [tuple(t.shape) for t in (r.windows, r.vectors, r.x, r.z, r.a, r.s)] == [
        *((5, 5), (5, 5, 4), (5, 20), (5, 8), (5, 8), (5,)),
    ]
    assert r.window(2) == words
    assert r.window(0) == [experiments_1.PAD] * 2 + words[:3]
    assert isinstance(r.model, WindowScorer)
    torch.testing.assert_close(r.s, r.model(r.windows).detach())
    assert experiments_1.step_by_step(r, 3) == pytest.approx(float(r.s[3]), rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, 1.0, 3.0])
def test_a_pair_pays_where_its_lead_is_small(margin: float) -> None:
    reading = experiments_1.read("Ann sees Rome and Bob sees Oslo".split(), 3, 4, 8, "tanh")
    p = experiments_1.rank(reading, margin, steps=4)
    assert (p.windows[:, [0, 2]] == p.corrupted[:, [0, 2]]).all()
    assert (p.windows[:, 1] != p.corrupted[:, 1]).all()
    assert (p.corrupted[:, 1] < len(reading.vocabulary) - 1).all()  # no pad in the middle
    torch.testing.assert_close(p.J, max_margin_loss(p.s, p.s_c, margin, "none"))
    assert torch.equal(p.delta != 0, p.s - p.s_c <= margin)
    assert set(p.delta.tolist()) <= {0.0, -1.0}


def test_training_makes_pairs_pay_less() -> None:
    def J(steps: int) -> float:
        reading = experiments_1.read(experiments_1.SENTENCE.split(), 5, 4, 8, "sigmoid")
        return float(experiments_1.rank(reading, 1.0, steps).J.sum())

    assert J(30) < 0.1 * J(0)


@pytest.mark.parametrize("unit", UNITS)
def test_the_worked_network_has_its_gradients(unit: str) -> None:
    w = worked(unit=unit)
    by_elements = elementwise_gradients(w.z[0], w.W, w.b, UNITS[unit].f, UNITS[unit].f_prime)
    for k in range(2):
        torch.testing.assert_close(w.gradients.W[k], by_elements.W[k])
        torch.testing.assert_close(w.gradients.W[k], by_differences(w, w.W, k), rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(w.gradients.b[k], by_differences(w, w.b, k), rtol=1e-6, atol=1e-8)
    assert all(torch.equal((10 * W).round() / 10, W) for W in w.W)  # one decimal, to follow by hand


@pytest.mark.parametrize(("name", "edge"), pictures_1.edges().items())
def test_the_error_is_followed_back_to_every_weight(name: str, edge: Edge) -> None:
    w = worked()
    text = parts_1.way_back(ENGLISH, w, edge)
    gradients = w.gradients.b if edge.j is None else w.gradients.W
    gradient = gradients[edge.k - 1][edge.i - 1 if edge.j is None else (edge.i - 1, edge.j - 1)]
    assert text.splitlines()[-2].endswith(f"= {number(gradient, 4)}$.")
    assert text.splitlines()[-1].endswith(f"${number(gradient, 4)}$.")
    assert len(text.splitlines()) == (5 if edge.k == 1 else 3), name


@pytest.mark.parametrize("seed", range(0, 21, 4))
def test_printed_errors_are_wrong_and_ours_right(seed: int) -> None:
    for name, (printed, right, numerical) in experiments_1.printed_errors(worked(seed=seed)).items():
        assert right == pytest.approx(numerical, rel=1e-6, abs=1e-9), name
        assert printed != pytest.approx(right, rel=1e-3), name


def test_elements_and_matrices_give_the_same_numbers() -> None:
    times = race((30, 20, 1), seed=0, repeats=1)
    assert times.difference < 1e-5
    assert times.elements > times.matrices


def test_the_printed_neuron_is_another() -> None:
    x, w = torch.tensor([1.5, 0.5]), torch.tensor([1.0, -2.0])
    printed, right = experiments_1.printed_neuron(x, w, torch.tensor(0.5), "hardtanh")
    assert printed == float(hardtanh(torch.tensor(1.0 * 1.5 + 1.5)))  # w x + x, b is missing
    assert right == float(hardtanh(torch.tensor(1.0 * 1.5 + 0.5)))
    assert experiments_1.printed_neuron(x, w, torch.tensor(-1.0), "relu") == (3.0, 0.5)


# ---------------------------------------------------------------------------------------------- figure 1


def last(unit: str, hidden: int, scale: str, rule: str, lr: float) -> two_classes.Moment:
    x, target = two_classes.interleaved()
    *_, moment = two_classes.train(two_classes.two_layers(unit, hidden, scale), x, target, rule, lr)
    return moment


@pytest.mark.long
def test_figure_1_learns_diverges_or_stands_still() -> None:
    assert last("tanh", 10, "Xavier", "AdaGrad", 0.3).accuracy > 98
    assert last("tanh", 0, "Xavier", "AdaGrad", 0.3).accuracy < 93
    still = last("tanh", 10, "zero", "AdaGrad", 0.3)
    assert max(still.J) - min(still.J) < 1e-6
    assert still.J[0] == pytest.approx(math.log(2))
    for rule in two_classes.RULES:
        moment = last("relu", 10, "Xavier", rule, 1e6)
        assert moment.diverged
        assert "overshoot" in parts_1.progress(ENGLISH, moment).text
    assert not last("tanh", 10, "large", "SGD", 0.3).diverged


def test_training_is_seen_at_moments() -> None:
    x, target = two_classes.interleaved()
    model = two_classes.two_layers("tanh", 3, "Xavier")
    seen = [len(m.J) - 1 for m in two_classes.train(model, x, target, "annealed", 0.3, steps=20, moments=4)]
    assert seen == [0, 5, 10, 15, 20]
