"""Continues a prompt with a language model that train_language_model.py has trained, or names a word's neighbours.

python scripts/generate.py "the for statement"
python scripts/generate.py                            a sentence of its own
python scripts/generate.py --nearest list             words whose vectors have the largest cosine with this one's
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text import Generator
from training.command import pick_device, run


@dataclass(frozen=True)
class Settings:
    """Continue a prompt, or name the nearest words."""

    prompt: Annotated[str, tyro.conf.Positional] = ""
    """Words to begin with, all of the vocabulary; none for a sentence of its own."""
    nearest: str | None = None
    """Print the words nearest to this one, with their cosines, instead."""
    length: int = 40
    """Maximum number of words to generate."""
    temperature: float = 0.8
    """Below 1 likely words become likelier; 0 takes the most likely."""
    top_k: int = 50
    """Draw from this many of the most likely words."""
    seed: int = 0
    """Random seed of the draws."""
    checkpoint: Path = Path("runs/language_model.pt")
    """The trained model, as train_language_model.py has written it."""
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
            raise ValueError("give either a prompt or --nearest")


def main() -> None:
    settings = tyro.cli(Settings)
    torch.set_num_threads(settings.threads)
    generator = Generator.load(settings.checkpoint, pick_device(settings.device))
    if settings.nearest is None:
        print(generator.generate(settings.prompt, settings.length, settings.temperature, settings.top_k, settings.seed))
    else:
        print("\n".join(f"{word}\t{cosine:.3f}" for word, cosine in generator.nearest(settings.nearest)))


if __name__ == "__main__":
    run(main)
