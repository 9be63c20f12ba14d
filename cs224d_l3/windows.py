"""1.3 Windows: the word indices of a word and its neighbours; and corrupt windows, with another centre word."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._checks import check_indices, check_size

Features = Tensor | Sequence[Tensor] | None  # of a word beside itself: one feature, several, none


def sliding_windows(words: Tensor, size: int, pad: int) -> Tensor:
    """The window around each word of a sentence.

    "Museums in Paris are amazing" with size 5 has five windows; the third is the sentence itself, with Paris as its
    centre, and the first has two pads before Museums.

    Args:
        words: word indices of one sentence, (T,).
        size: words in a window, odd, so that there is a centre word.
        pad: the index used beyond both ends.

    Returns:
        windows, (T, size); ``windows[:, size // 2]`` equals ``words``.

    Raises:
        ValueError: an even size, or words that are not one-dimensional.
        TypeError: words that are not int64 or int32.
    """
    check_odd("size", size)
    check_indices("words", words)
    check_size("pad", pad, at_least=0)
    if words.ndim != 1:
        raise ValueError(f"words must have shape (T,), one sentence, got {tuple(words.shape)}")
    edge = words.new_full((size // 2,), pad)
    padded = torch.cat([edge, words, edge])
    return padded.unfold(0, size, 1).contiguous() if len(words) else words.new_empty(0, size)


def corrupt(windows: Tensor, num_words: int, generator: torch.Generator | None = None) -> Tensor:
    """Corrupt windows: the centre word replaced by another word, drawn uniformly.

    Args:
        windows: (..., size), size odd.
        num_words: V, the size of the vocabulary; at least 2.
        generator: random number generator; torch's default one if None.

    Returns:
        corrupt windows, a new tensor, (..., size).

    Raises:
        ValueError: an even size, or a num_words below 2.
        IndexError: a word outside [0, V).
    """
    check_size("num_words", num_words, at_least=2)
    check_indices("windows", windows, num_words, "vocabulary")
    check_odd("windows.shape[-1]", windows.shape[-1] if windows.ndim else 0)
    centre = windows.shape[-1] // 2
    # a uniform shift of 1 to V - 1, modulo V, reaches every word except the centre word
    shift = torch.randint(1, num_words, windows.shape[:-1], generator=generator, device=windows.device)
    corrupted = windows.clone()
    corrupted[..., centre] = (windows[..., centre] + shift) % num_words
    return corrupted


def check_odd(name: str, size: int) -> None:
    """An odd integer, at least 1: the window has a centre word."""
    check_size(name, size)
    if size % 2 == 0:
        raise ValueError(f"{name} must be odd, so that a window has a centre word, got {size}")


def each_feature(features: Features) -> tuple[Tensor, ...]:
    """One tensor per feature."""
    return () if features is None else (features,) if isinstance(features, Tensor) else tuple(features)
