"""1.3 Windows: a word with its neighbours, as rows of word indices; and corrupt ones."""

import torch
from torch import Tensor

from ._checks import check_indices, check_size


def sliding_windows(words: Tensor, size: int, pad: int) -> Tensor:
    """The window around every word of a sentence.

    "Museums in Paris are amazing" with size 5 gives five windows; the third is the sentence itself,
    with Paris in its centre, the first has two pads before Museums.

    Args:
        words: word indices of one sentence, (T,).
        size: words in a window, odd, so that one of them is the centre.
        pad: the index that stands beyond both ends.

    Returns:
        windows, (T, size); ``windows[:, size // 2]`` are the words.

    Raises:
        ValueError: an even size, or words that are not one row.
    """
    check_odd("size", size)
    check_indices("words", words)
    check_size("pad", pad, at_least=0)
    if words.ndim != 1:
        raise ValueError(f"words must be one sentence, (T,), got {tuple(words.shape)}")
    edge = words.new_full((size // 2,), pad)
    padded = torch.cat([edge, words, edge])
    return padded.unfold(0, size, 1).contiguous() if len(words) else words.new_empty(0, size)


def corrupt(windows: Tensor, num_words: int, generator: torch.Generator | None = None) -> Tensor:
    """The same windows with the centre word replaced by another one, every other word as likely.

    Args:
        windows: (..., size), size odd.
        num_words: V, the size of the vocabulary; at least 2.
        generator: the source of randomness.

    Returns:
        a new tensor, (..., size).

    Raises:
        ValueError: an even size, or a vocabulary of one word.
        IndexError: a word outside the vocabulary.
    """
    check_size("num_words", num_words, at_least=2)
    check_indices("windows", windows, num_words, "vocabulary")
    check_odd("the size of a window", windows.shape[-1] if windows.ndim else 0)
    centre = windows.shape[-1] // 2
    # a shift by 1 to V - 1 around the vocabulary reaches every word but the one it starts from
    shift = torch.randint(1, num_words, windows.shape[:-1], generator=generator, device=windows.device)
    corrupted = windows.clone()
    corrupted[..., centre] = (windows[..., centre] + shift) % num_words
    return corrupted


def check_odd(name: str, size: int) -> None:
    """A window has a centre."""
    check_size(name, size)
    if size % 2 == 0:
        raise ValueError(f"{name} must be odd, so that a window has a centre word, got {size}")
