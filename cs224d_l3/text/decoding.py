"""Tagging schemes of training, and the most probable sequence of tags that a scheme admits."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from .._checks import check_choice, check_floating
from .corpora import OUTSIDE, convert_iob, is_iob_tag

SCHEMES = ("IOB1", "IOB2", "IOBES")


def encode_tags(tags: Sequence[str], scheme: str) -> list[str]:
    """IOB tags of a sentence in the scheme of training; plain tags are unchanged.

    IOB1 and IOB2 are those of :func:`~cs224d_l3.text.schemes.convert_iob`. IOBES also marks where an entity ends: it is
    S-, or B- E-, or B- I- ... E-; Collobert et al. (2011, section 2.4) train with it.

    Raises:
        ValueError: a scheme that is not in ``SCHEMES``.
    """
    check_choice("scheme", scheme, SCHEMES)
    if scheme != "IOBES":
        return convert_iob(tags, scheme)
    iob2 = convert_iob(tags, "IOB2")
    return [
        tag if not is_iob_tag(tag) or following == f"I{tag[1:]}" else {"B": "S", "I": "E"}[tag[0]] + tag[1:]
        for tag, following in zip(iob2, [*iob2, OUTSIDE][1:], strict=True)
    ]


def decode_tags(tags: Sequence[str], scheme: str) -> list[str]:
    """IOB2 tags of a sentence from those of the scheme: the inverse of :func:`encode_tags`.

    A sequence that the scheme does not admit is read as :func:`~cs224d_l3.text.schemes.convert_iob` reads it, with S-
    as B- and E- as I-.

    Raises:
        ValueError: a scheme that is not in ``SCHEMES``.
    """
    check_choice("scheme", scheme, SCHEMES)
    if scheme == "IOBES":
        tags = [{"S-": "B-", "E-": "I-"}.get(tag[:2], tag[:2]) + tag[2:] for tag in tags]
    return convert_iob(tags, "IOB2")


def transitions(tags: Sequence[str], scheme: str) -> Tensor:
    """Which tag may follow which: entry (i, j) says whether ``tags[j]`` may follow ``tags[i]``, (K, K).

    ======  ===================================================================================
    IOB1    B-X separates two entities of a type: it follows B-X or I-X.
    IOB2    I-X follows B-X or I-X.
    IOBES   B-X and I-X are followed by I-X or E-X, and these follow nothing else.
    ======  ===================================================================================

    Plain tags may follow any tag that ends there.

    Raises:
        ValueError: a scheme that is not in ``SCHEMES``.
    """
    check_choice("scheme", scheme, SCHEMES)

    def may_follow(before: str, tag: str) -> bool:
        is_open = before[:2] in ("B-", "I-")
        continues = tag[:2] in {"IOB1": ("B-",), "IOB2": ("I-",), "IOBES": ("I-", "E-")}[scheme]
        if continues:
            return is_open and before[1:] == tag[1:]
        return not is_open or scheme != "IOBES"

    return torch.tensor([[may_follow(before, tag) for tag in tags] for before in tags])


def viterbi(log_p: Tensor, lengths: Sequence[int], allowed: Tensor) -> Tensor:
    r"""The most probable sequence of tags in which each may follow the one before (Viterbi, 1967).

    $$y = \mathrm{argmax}_y \sum_t \log p_t(y_t), \qquad m_t(j) = \log p_t(j) + \max_i m_{t-1}(i)$$

    The maximum is over the tags i that tag j may follow.

    A sentence stands between two O: its first tag may follow tag 0, and tag 0 its last. No transition is learned.

    Args:
        log_p: log-probabilities of the tags of each word, sentence after sentence, (N, K); tag 0 is O.
        lengths: number of words of each sentence; their sum is N.
        allowed: :func:`transitions`, (K, K).

    Returns:
        tag indices y, (N,).

    Raises:
        ValueError: shapes or lengths that do not match.
        TypeError: a log_p that is not a floating-point tensor.
    """
    check_floating("log_p", log_p)
    if log_p.ndim != 2 or sum(lengths) != len(log_p):
        raise ValueError(f"log_p must have shape ({sum(lengths)}, K), a row a word, got {tuple(log_p.shape)}")
    if allowed.shape != (log_p.shape[1],) * 2:
        raise ValueError(f"allowed must have shape {(log_p.shape[1],) * 2}, got {tuple(allowed.shape)}")
    if not len(log_p):
        return log_p.new_empty(0, dtype=torch.int64)
    barred = torch.zeros(allowed.shape).masked_fill(~allowed.cpu(), -torch.inf).to(log_p)
    # time-major: step t holds the sentences that have a word t, longest first
    packed = pack_sequence([sentence for sentence in log_p.split(list(lengths)) if len(sentence)], enforce_sorted=False)
    first, *others = packed.data.split(packed.batch_sizes.tolist())
    m, choices = first + barred[0], []
    for step in others:
        best, choice = (m[: len(step), :, None] + barred).max(1)
        m = torch.cat([step + best, m[len(step) :]])
        choices.append(choice)
    y = (m + barred[:, 0]).argmax(1)
    path = [y]
    for choice in reversed(choices):
        path[-1] = y[: len(choice)]
        y = torch.cat([choice.gather(1, y[: len(choice), None]).squeeze(1), y[len(choice) :]])
        path.append(y)
    tags = PackedSequence(torch.cat(path[::-1]), packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    return torch.cat(unpack_sequence(tags))
