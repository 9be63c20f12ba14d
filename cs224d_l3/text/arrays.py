"""Integer arrays, memory-mapped where they are too long for memory, and batches of their positions in any order."""

import hashlib
import mmap
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

IN_MEMORY = 2**26  # bytes
SHUFFLE_BUFFER, BLOCK = 2**20, 2**12  # in examples
TYPES = {"b": torch.int8, "h": torch.int16, "i": torch.int32, "q": torch.int64}


class ArrayBuilder(AbstractContextManager["ArrayBuilder"]):
    """Array of integers, built incrementally: in memory up to 64 MB, beyond that a memory-mapped, unnamed file in the
    temporary folder (``TMPDIR``). A context manager.

    Args:
        code: type code of the standard library's ``array``, a key of ``TYPES``.
    """

    def __init__(self, code: str) -> None:
        self.code, self.count = code, 0
        self.file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed at the end of with

    def extend(self, numbers: Iterable[int]) -> None:
        chunk = array(self.code, numbers)
        self.count += len(chunk)
        self.file.write(chunk.tobytes())

    def __exit__(self, *_: object) -> None:
        self.file.close()  # the mapping stays valid, and lives as long as its tensor

    def tensor(self) -> Tensor:
        """All integers, (N,)."""
        if not self.count:
            return torch.empty(0, dtype=TYPES[self.code])
        if self.count * array(self.code).itemsize > IN_MEMORY:
            self.file.flush()
            memory: object = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        else:
            self.file.seek(0)
            memory = bytearray(self.file.read())
        return torch.frombuffer(memory, dtype=TYPES[self.code])


def positions(values: Tensor, predicate: Callable[[Tensor], Tensor]) -> Tensor:
    """Positions of the values for which the predicate holds, int32; evaluated in chunks, in bounded memory."""
    with ArrayBuilder("i") as found:
        for i, chunk in enumerate(values.split(SHUFFLE_BUFFER)):
            found.extend((predicate(chunk).nonzero().squeeze(1) + i * SHUFFLE_BUFFER).tolist())
        return found.tensor()


def fingerprint(words: Iterable[str], *arrays: Tensor) -> str:
    """Hash of the words and of the arrays' values, whatever their types: the first 16 hex digits of SHA-256."""
    digest = hashlib.sha256("\n".join(words).encode())
    for values in arrays:
        for chunk in values.split(SHUFFLE_BUFFER):
            digest.update(array("q", chunk.tolist()).tobytes())
    return digest.hexdigest()[:16]


class InOrder(Sequence[Tensor]):
    """Batches of the indices 0 to N - 1, in order.

    Args:
        N: number of examples.
        size: batch size.
    """

    def __init__(self, N: int, size: int) -> None:
        self.N, self.size = N, size

    def __len__(self) -> int:
        return -(-self.N // self.size)

    def __getitem__(self, i: int) -> Tensor:  # type: ignore[override]
        return torch.arange(*self._bounds(i))

    def _bounds(self, i: int) -> tuple[int, int]:
        if not 0 <= i < len(self):
            raise IndexError(f"batch must lie in 0 to {len(self) - 1}, got {i}")
        return i * self.size, min((i + 1) * self.size, self.N)


class Shuffled(InOrder):
    """Batches of the indices 0 to N - 1, in random order.

    Up to 2**20 indices are one permutation. More are a block shuffle: blocks of 4,096 indices in random order, and
    within them a shuffle buffer of 2**20, permuted when it is reached: 2 bytes for a thousand indices, and a constant.
    """

    def __init__(self, N: int, size: int, generator: torch.Generator) -> None:
        super().__init__(N, size)
        self.blocks: Tensor | None = None
        if N <= SHUFFLE_BUFFER:
            self.current, self.buffer_size, self.permuted = 0, max(N, 1), torch.randperm(N, generator=generator)
        else:
            self.current, self.buffer_size = -1, -(-SHUFFLE_BUFFER // size) * size
            self.blocks = torch.randperm(N // BLOCK, generator=generator)
            self.seed = int(torch.randint(2**62, (), generator=generator))

    def __getitem__(self, i: int) -> Tensor:  # type: ignore[override]
        start, end = self._bounds(i)
        number = start // self.buffer_size
        if number != self.current:
            self.current, self.permuted = number, self._permute(number)
        first = number * self.buffer_size
        return self.permuted[start - first : end - first]

    def _permute(self, number: int) -> Tensor:
        """The indices of one shuffle buffer."""
        assert self.blocks is not None
        start = number * self.buffer_size
        slots = torch.arange(start, min(start + self.buffer_size, self.N))
        slots = slots[torch.randperm(len(slots), generator=torch.Generator().manual_seed(self.seed + number))]
        in_block = slots < len(self.blocks) * BLOCK  # the incomplete last block stays in its place
        moved = self.blocks[(slots // BLOCK).clamp(max=len(self.blocks) - 1)] * BLOCK + slots % BLOCK
        return torch.where(in_block, moved, slots)


def around(text: Tensor, positions: Tensor, before: int, after: int) -> Tensor:
    """Context windows of a text, (B, before + 1 + after), zero-padded at its ends."""
    index = positions[:, None] + torch.arange(-before, after + 1)
    return text[index.clamp(0, len(text) - 1)].long().masked_fill_((index < 0) | (index >= len(text)), 0)


class Ngrams(Sequence[tuple[Tensor, Tensor]]):
    """Batches of contexts, (B, size), and the words that follow them, (B,).

    Args:
        text: word indices, (N,).
        size: context size.
        order: batches of positions in the text.
    """

    def __init__(self, text: Tensor, size: int, order: Sequence[Tensor]) -> None:
        self.text, self.size, self.order = text, size, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        rows = around(self.text, self.order[i], self.size, 0)
        return rows[:, :-1], rows[:, -1]


class Segments(Sequence[tuple[Tensor, Tensor]]):
    """Batches for truncated backpropagation through time: inputs and targets, (rows, steps) each.

    The text is split into contiguous rows, which are read in parallel; a remainder shorter than ``rows`` is dropped.
    """

    def __init__(self, text: Tensor, rows: int, steps: int) -> None:
        self.text, self.steps, self.N = text, steps, len(text) // rows
        self.target = text[: rows * self.N].view(rows, self.N)

    def __len__(self) -> int:
        return -(-self.N // self.steps)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        if not 0 <= i < len(self):
            raise IndexError(f"batch must lie in 0 to {len(self) - 1}, got {i}")
        target = self.target[:, i * self.steps : (i + 1) * self.steps].long()
        before = torch.arange(len(self.target)) * self.N + i * self.steps - 1
        first = torch.where(before < 0, 0, self.text[before.clamp(min=0)].long())
        return torch.cat([first[:, None], target[:, :-1]], 1), target
