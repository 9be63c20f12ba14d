"""Generates text with a language model trained by train_language_model.py, or prints a word's nearest neighbours.

python scripts/generate.py "the for statement"
python scripts/generate.py                            a sentence without a prompt
python scripts/generate.py --nearest list             nearest neighbours by cosine similarity of the word vectors
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text import Generator
from cs224d_l3.text.files import check_input
from training.command import pick_device, run


@dataclass(frozen=True)
class Settings:
    """Generate text from a prompt, or print the nearest neighbours of a word."""

    prompt: Annotated[str, tyro.conf.Positional] = ""
    """Beginning of the text, in words of the vocabulary; none: a new sentence."""
    nearest: str | None = None
    """Print the nearest neighbours of this word, with their cosine similarities, instead."""
    length: int = 40
    """Maximum number of words to generate."""
    temperature: float = 0.8
    """Sampling temperature: below 1 sharpens the distribution, 0 is greedy."""
    top_k: int = 50
    """Number of most likely words to sample from."""
    seed: int = 0
    """Random seed of the sampling."""
    checkpoint: Path = Path("runs/language_model.pt")
    """Checkpoint written by train_language_model.py."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    threads: int = 2
    """CPU threads."""

    def __post_init__(self) -> None:
        for name in ("length", "top_k", "threads"):
            check_size(name, getattr(self, name))
        check_number("temperature", self.temperature, at_least=0)
        check_number("seed", self.seed, at_least=0, at_most=2**63 - 1)
        if self.nearest is not None and self.prompt:
            raise ValueError(f"prompt must be empty with --nearest, got {self.prompt!r}")


def main() -> None:
    settings = tyro.cli(Settings)
    check_input("checkpoint", settings.checkpoint, "; train_language_model.py writes one")
    torch.set_num_threads(settings.threads)
    generator = Generator.load(settings.checkpoint, pick_device(settings.device))
    if settings.nearest is None:
        print(generator.generate(settings.prompt, settings.length, settings.temperature, settings.top_k, settings.seed))
    else:
        print("\n".join(f"{word}\t{cosine:.3f}" for word, cosine in generator.nearest(settings.nearest)))


if __name__ == "__main__":
    run(main)
