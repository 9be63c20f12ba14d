"""Long rows of whole numbers: on the disk where they are too long for memory, and read in random order either way."""

import hashlib
import mmap
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

IN_MEMORY = 2**26  # bytes
SHUFFLED_AT_ONCE, PIECE = 2**20, 2**12  # examples
TYPES = {"b": torch.int8, "h": torch.int16, "i": torch.int32, "q": torch.int64}


class Growing(AbstractContextManager["Growing"]):
    """Whole numbers as they come: in memory up to 64 MB, then in a file without a name in the folder for temporary
    files (``TMPDIR``), which is mapped, so that the system holds of it what it has room for. To be used in ``with``."""

    def __init__(self, code: str) -> None:
        self.code, self.count = code, 0
        self.file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed at the end of with

    def extend(self, numbers: Iterable[int]) -> None:
        some = array(self.code, numbers)
        self.count += len(some)
        self.file.write(some.tobytes())

    def __exit__(self, *_: object) -> None:
        self.file.close()  # a mapping goes on without it, as long as its tensor

    def tensor(self) -> Tensor:
        """All of them, (N,)."""
        if not self.count:
            return torch.empty(0, dtype=TYPES[self.code])
        if self.count * array(self.code).itemsize > IN_MEMORY:
            self.file.flush()
            memory: object = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        else:
            self.file.seek(0)
            memory = bytearray(self.file.read())
        return torch.frombuffer(memory, dtype=TYPES[self.code])


def places(row: Tensor, holds: Callable[[Tensor], Tensor]) -> Tensor:
    """Where something holds in a long row, as int32."""
    with Growing("i") as found:
        for i, piece in enumerate(row.split(SHUFFLED_AT_ONCE)):
            found.extend((holds(piece).nonzero().squeeze(1) + i * SHUFFLED_AT_ONCE).tolist())
        return found.tensor()


def fingerprint(words: Iterable[str], *rows: Tensor) -> str:
    """What other words, or other numbers, would have otherwise."""
    found = hashlib.sha256("\n".join(words).encode())
    for row in rows:
        for piece in row.split(SHUFFLED_AT_ONCE):
            found.update(array("q", piece.tolist()).tobytes())
    return found.hexdigest()[:16]


class InOrder(Sequence[Tensor]):
    """The numbers below N in order, some at a time."""

    def __init__(self, N: int, size: int) -> None:
        self.N, self.size = N, size

    def __len__(self) -> int:
        return -(-self.N // self.size)

    def __getitem__(self, i: int) -> Tensor:  # type: ignore[override]
        if not 0 <= i < len(self):
            raise IndexError(f"batch must lie in 0 to {len(self) - 1}, got {i}")
        return torch.arange(i * self.size, min((i + 1) * self.size, self.N))


class Shuffled(InOrder):
    """The numbers below N in a random order, some at a time.

    Up to a million are permuted at once. More are cut into pieces of 4,096, which are put in a random order; a million
    numbers of it at a time are permuted when their turn comes: 2 bytes for a thousand numbers, and a constant.
    """

    def __init__(self, N: int, size: int, generator: torch.Generator) -> None:
        super().__init__(N, size)
        self.pieces: Tensor | None = None
        if N <= SHUFFLED_AT_ONCE:
            self.at, self.group, self.permuted = 0, max(N, 1), torch.randperm(N, generator=generator)
        else:
            self.at, self.group = -1, -(-SHUFFLED_AT_ONCE // size) * size
            self.pieces = torch.randperm(N // PIECE, generator=generator)
            self.seed = int(torch.randint(2**62, (), generator=generator))

    def __getitem__(self, i: int) -> Tensor:  # type: ignore[override]
        places = super().__getitem__(i)
        group = i * self.size // self.group
        if group != self.at:
            self.at, self.permuted = group, self._permute(group)
        return self.permuted[places - group * self.group]

    def _permute(self, group: int) -> Tensor:
        assert self.pieces is not None
        begin = group * self.group
        places = torch.arange(begin, min(begin + self.group, self.N))
        places = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(self.seed + group))]
        whole = places < len(self.pieces) * PIECE
        moved = self.pieces[(places // PIECE).clamp(max=len(self.pieces) - 1)] * PIECE + places % PIECE
        return torch.where(whole, moved, places)


def around(text: Tensor, places: Tensor, before: int, after: int) -> Tensor:
    """The words from so many before these places to so many after them; 0 beyond the text."""
    at = places[:, None] + torch.arange(-before, after + 1)
    return text[at.clamp(0, len(text) - 1)].long().masked_fill_((at < 0) | (at >= len(text)), 0)


class Ngrams(Sequence[tuple[Tensor, Tensor]]):
    """Every word behind the ``size`` words before it, some at a time."""

    def __init__(self, text: Tensor, size: int, order: Sequence[Tensor]) -> None:
        self.text, self.size, self.order = text, size, order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        rows = around(self.text, self.order[i], self.size, 0)
        return rows[:, :-1], rows[:, -1]


class Segments(Sequence[tuple[Tensor, Tensor]]):
    """The text in rows that are read side by side, some steps at a time; less than a word a row is left over."""

    def __init__(self, text: Tensor, rows: int, steps: int) -> None:
        self.text, self.steps, self.N = text, steps, len(text) // rows
        self.target = text[: rows * self.N].view(rows, self.N)

    def __len__(self) -> int:
        return -(-self.N // self.steps)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        if not 0 <= i < len(self):
            raise IndexError(f"batch must lie in 0 to {len(self) - 1}, got {i}")
        target = self.target[:, i * self.steps : (i + 1) * self.steps].long()
        first = torch.arange(len(self.target)) * self.N + i * self.steps - 1
        before = torch.where(first < 0, 0, self.text[first.clamp(min=0)].long())
        return torch.cat([before[:, None], target[:, :-1]], 1), target
