"""The numbers of the live lecture's second part."""

import math

import pytest
import torch

from live import (
    continuing,
    demand,
    editing,
    experiments_2,
    experiments_3,
    pictures_2,
    sentences_1,
    sentences_2,
    sentences_3,
    tables_2,
)
from live.demand import UnusableError
from live.sentences import SENTENCES, Speaker

SAY = Speaker("en")


@pytest.mark.parametrize("planted", editing.PLANTED)
def test_a_planted_error_in_a_gradient_is_named(planted: str) -> None:
    function = editing.load(editing.text(planted))
    wrong = {c.argument for c in editing.compare(function) if c.relative_error > 1e-6}
    assert wrong == {"sign": {"W"}, "thousandth": {"W"}, "index": {"x"}}.get(planted, set())
    assert bool(editing.verdict(function)) == (not wrong)


@pytest.mark.long
@pytest.mark.parametrize(
    ("planted", "check"),
    [("right", None), ("sign", "gradients"), ("sum", "returned_gradients"), ("saved", "saving")],
)
def test_check_function_finds_what_no_gradient_shows(planted: str, check: str) -> None:
    account = editing.check(editing.load(editing.text(planted)))
    assert set(account.report.failures) == ({check} if check else set())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = (", "does not parse"),
        ("1 / 0", "raises"),
        ("exit()", "raises"),
        ("class A: pass", "no Function"),
        ("from torch.autograd import Function\nclass A(Function): pass", "no backward"),
        (editing.text("right").replace("delta @ W", "delta @ W.T"), "raises"),
        (editing.text("right").replace("return grad_x, grad_W, grad_b", "return grad_x"), "raises"),
    ],
)
def test_code_that_cannot_be_checked_is_answered_by_a_sentence(code: str, sentence: str) -> None:
    with pytest.raises(UnusableError) as caught:
        editing.compare(editing.load(code))
    assert caught.value.sentence == sentence
    assert "{" not in SAY(sentence, **caught.value.values)


def test_the_centred_quotient_beats_the_one_sided_one() -> None:
    q = experiments_2.quotient("tanh", 0.5, 1e-5)
    assert abs(q.centred - q.exact) < 1e-9 < 1e-7 < abs(q.one_sided - q.exact)
    assert abs(q.printed - q.exact) > 1000
    errors = {h: abs(q.centred - q.exact) for h, q in experiments_2.quotients("sigmoid", 1.0).items()}
    assert 1e-8 < min(errors, key=errors.__getitem__) < 1e-3  # neither end is best


def test_the_printed_loop_fills_one_element() -> None:
    assert experiments_2.snippet(torch.tensor([1.0, 2.0, 3.0]).double(), 10).count_nonzero() == 1


def test_only_the_squared_norm_has_a_gradient_that_grows() -> None:
    for scale in (0.1, 10.0):
        assert experiments_2.penalty_gradients(torch.full((1, 4), scale / 2)) == pytest.approx((1.0, 2 * scale))


def test_printed_derivatives_are_wrong_and_ours_are_not() -> None:
    for d in experiments_2.printed_derivatives(-0.5):
        assert d.right == pytest.approx(d.difference, abs=1e-9)
        assert abs(d.printed - d.right) > 0.1
    assert experiments_2.printed_hardtanh(-0.5) == {"printed": "-1", "right": "-0.5", "slope": "0"}


def test_xavier_keeps_the_errors_of_tanh() -> None:
    fall = {rule: s.errors[0].std() / s.errors[-1].std() for rule in experiments_2.INITIAL
            if (s := experiments_2.signals("tanh", rule, 0))}  # fmt: skip
    assert fall["Xavier"] > 0.1
    assert fall["U[-1/√n, 1/√n]"] < 0.05
    assert fall["N(0, 0.01²)"] < 1e-6


@pytest.mark.parametrize(
    ("rule", "lr", "sentence"),
    [
        ("SGD", 0.15, "path numbers"),
        ("SGD", 0.0, "path still"),
        ("SGD", 0.208, "path leaves"),
        ("SGD", 1e6, "path overflows"),
        ("annealed", 0.208, "path numbers"),
        ("AdaGrad", 1.2, "path numbers"),
        ("AdaGrad", 1e6, "path leaves"),
    ],
)
def test_what_becomes_of_a_path_is_said(rule: str, lr: float, sentence: str) -> None:
    path = experiments_2.path(rule, lr, 25, 5, 1e-8)
    outcome = experiments_2.outcome(path, lr, 25)
    assert outcome.sentence == sentence
    assert "{steps}" not in SAY(sentence, **outcome.values)
    pictures_2.path(path, outcome.is_good)


def test_rare_words_keep_a_large_rate() -> None:
    found = experiments_3.word_rates(0.05, 1e-8, 60, lambda: None)
    seen = found.counts > 0
    assert found.rates[~seen].numpy() == pytest.approx(0.05 / math.sqrt(1e-8), rel=1e-4)  # alpha / sqrt(eps)
    often = found.rates[found.counts > 50].median()
    assert found.rates[seen & (found.counts < 5)].median() > 5 * often
    with pytest.raises(UnusableError, match="not in text"):
        experiments_3.known_words("the qwertyuiop")


def test_adagrad_is_a_sum_and_needs_eps() -> None:
    steps, mean = experiments_3.constant_gradient(4)
    assert steps == pytest.approx([t**-0.5 for t in (1, 2, 3, 4)])
    assert mean == [1.0] * 4
    assert math.isnan(experiments_3.unmoved(0.0))
    assert experiments_3.unmoved(1e-8) == 0


@pytest.mark.long
@pytest.mark.parametrize("kind", continuing.OF_KIND)
def test_a_model_learns_and_continues_a_prompt(kind: str) -> None:
    trained = continuing.train(continuing.read_documentation(), kind, 60, 0, lambda perplexity: None)
    assert trained.perplexity < 1000 < len(trained.generator.vocabulary)
    assert all(text.startswith("The file") for text in continuing.continuations(trained.generator, "The file", 0.7, 0))
    with pytest.raises(UnusableError, match="unknown words"):
        continuing.continuations(trained.generator, "The qwertyuiop", 0.7, 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "how many"), ("1 2 3", "how many"), ("a", "no number"), ("-1", "range"), ("inf", "range"), ("nan", "range")],
)
def test_numbers_that_are_typed_are_checked(text: str, sentence: str) -> None:
    with pytest.raises(UnusableError, match=sentence):
        demand.numbers("x", text, 2)


def test_numbers_are_printed_as_formulas() -> None:
    assert [demand.in_print(x) for x in (0.15, 1e6, -3.21e-5)] == ["0.15", "10^{6}", r"{-3.21 \cdot 10^{-5}}"]
    assert tables_2.number(-0.5, 2) == "−0.50"


def test_no_sentence_hides_another() -> None:
    parts = (sentences_1, sentences_2, sentences_3)
    assert len(SENTENCES) == sum(len(part.SENTENCES) for part in parts)
