"""Tagging schemes of training, and decoding by what may follow what."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3.text.corpora import convert_iob
from cs224d_l3.text.decoding import SCHEMES, decode_tags, encode_tags, transitions, viterbi
from helpers import normal, seeds
from training.scores import entities

IOB = ["O", "B-X", "I-X", "B-Y", "I-Y"]
TAGS = {
    "IOB1": IOB,
    "IOB2": IOB,
    "IOBES": ["O", *(f"{mark}-{kind}" for mark in "BIES" for kind in "XY")],
    "plain": ["O", "X", "Y"],
}


def scheme_of(name: str) -> str:
    return "IOBES" if name == "plain" else name


@given(st.lists(st.sampled_from(IOB), max_size=9), st.sampled_from(SCHEMES))
def test_a_scheme_holds_the_entities_and_gives_them_back(tags: list[str], scheme: str) -> None:
    """Of IOB1, IOB2 and what is neither."""
    encoded = encode_tags(tags, scheme)
    assert decode_tags(encoded, scheme) == convert_iob(tags, "IOB2")
    assert encode_tags(decode_tags(encoded, scheme), scheme) == encoded
    index = {tag: i for i, tag in enumerate(TAGS[scheme])}
    allowed = transitions(TAGS[scheme], scheme)
    path = [index[tag] for tag in ("O", *encoded, "O")]
    assert all(allowed[before, tag] for before, tag in zip(path, path[1:], strict=False))


@given(st.lists(st.sampled_from(TAGS["IOBES"]), max_size=9))
def test_what_no_scheme_admits_is_read_as_iob(tags: list[str]) -> None:
    read = [tag.replace("S-", "B-").replace("E-", "I-") for tag in tags]
    assert entities(decode_tags(tags, "IOBES")) == entities(read)


def test_an_entity_in_iobes() -> None:
    tags = "I-X O I-X I-X I-X B-X I-Y I-Y".split()
    assert encode_tags(tags, "IOBES") == "S-X O B-X I-X E-X S-X B-Y E-Y".split()
    assert encode_tags(["X", "O", "Y"], "IOBES") == decode_tags(["X", "O", "Y"], "IOBES") == ["X", "O", "Y"]


@pytest.mark.parametrize("name", TAGS)
def test_what_may_follow_is_what_encoding_writes(name: str) -> None:
    """Between two O, a sequence of tags is admitted if and only if it is the encoding of some IOB2 tags."""
    tags, scheme = TAGS[name], scheme_of(name)
    allowed = transitions(tags, scheme)
    for n in (1, 2, 3):
        written = {tuple(encode_tags(iob, scheme)) for iob in product(IOB if name != "plain" else tags, repeat=n)}
        found = {
            tuple(tags[i] for i in path)
            for path in product(range(len(tags)), repeat=n)
            if all(allowed[i, j] for i, j in zip((0, *path), (*path, 0), strict=True))
        }
        assert found == written


@given(st.sampled_from(sorted(TAGS)), st.lists(st.integers(0, 5), min_size=1, max_size=3), seeds)
def test_viterbi_is_the_best_of_all_sequences(name: str, lengths: list[int], seed: int) -> None:
    tags = TAGS[name][:5]  # O B-X B-Y I-X I-Y of IOBES: B-Y E-Y cannot be, and is not found
    allowed = transitions(tags, scheme_of(name))
    log_p = normal(sum(lengths), len(tags), seed=seed, grad=False).log_softmax(-1)

    def best(log_p: torch.Tensor) -> list[int]:
        T = len(log_p)
        paths = torch.cartesian_prod(*[torch.arange(len(tags))] * T).view(-1, T)
        around = torch.nn.functional.pad(paths, (1, 1))
        admitted = allowed[around[:, :-1], around[:, 1:]].all(1)
        totals = log_p[torch.arange(T), paths].sum(1).masked_fill(~admitted, -torch.inf)
        return paths[totals.argmax()].tolist()

    expected = [tag for sentence in log_p.split(lengths) if len(sentence) for tag in best(sentence)]
    assert viterbi(log_p, lengths, allowed).tolist() == expected


def test_bad_input_is_named() -> None:
    log_p, allowed = torch.zeros(3, 5), transitions(IOB, "IOB2")
    with pytest.raises(ValueError, match=r"scheme.*IOBES.*'BIO'"):
        encode_tags(["O"], "BIO")
    with pytest.raises(ValueError, match=r"scheme.*IOBES.*'BIO'"):
        decode_tags(["O"], "BIO")
    with pytest.raises(ValueError, match=r"scheme.*IOBES.*'BIO'"):
        transitions(["O"], "BIO")
    with pytest.raises(ValueError, match=r"log_p.*\(4, K\).*\(3, 5\)"):
        viterbi(log_p, [3, 1], allowed)
    with pytest.raises(ValueError, match=r"allowed.*\(5, 5\).*\(4, 4\)"):
        viterbi(log_p, [3], allowed[1:, 1:])
    with pytest.raises(TypeError, match=r"log_p.*int64"):
        viterbi(log_p.long(), [3], allowed)
