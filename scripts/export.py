"""Takes a trained model out of here: as a program for torch.export.load, and its word vectors in GloVe's text form.

python scripts/export.py                                          runs/window.pt to runs/window.pt2
python scripts/export.py runs/language_model.pt --vectors vectors.txt

The program reads words as numbers, (B, size), and for a tagger how they are capitalised, (B, size), and gives the
scores, (B, K), or (B,) of a max-margin tagger, of a batch of any size. Words, tags and settings are beside it as JSON:
``torch.export.load(path, extra_files={"model.json": ""})``. Of a recurrent language model the program makes one step:
it reads a word (B, 1) and the state before it (B, m), and gives scores (B, 1, V) and the state after.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor, nn
from torch.export import Dim

from cs224d_l3 import RecurrentLanguageModel
from cs224d_l3.text.files import atomic_write, check_output, load_checkpoint, write_vectors
from cs224d_l3.text.generator import Generator
from cs224d_l3.text.tagger import Tagger
from training.command import run


@dataclass(frozen=True)
class Settings:
    """Export a trained model."""

    checkpoint: Annotated[Path, tyro.conf.Positional] = Path("runs/window.pt")
    """What train_window.py or train_language_model.py has written."""
    program: Path | None = None
    """The program for torch.export.load; none: named after the checkpoint, unless --vectors is given."""
    vectors: Path | None = None
    """The word vectors, in GloVe's text form."""


def export(model: nn.Module, reads: list[Tensor]) -> torch.export.ExportedProgram:
    """The model as a program, for batches of any size."""
    sizes = tuple({0: Dim("B")} for _ in reads)
    try:
        return torch.export.export(model.eval(), tuple(reads), dynamic_shapes=sizes, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"torch {torch.__version__} cannot export the model; a newer one may: {reason}") from error


def main() -> None:
    settings = tyro.cli(Settings)
    content = load_checkpoint(settings.checkpoint, {"model", "words"})
    program = settings.program
    if program is None and settings.vectors is None:
        program = settings.checkpoint.with_suffix(".pt2")
    written = [path for path in (program, settings.vectors) if path is not None]
    for path in written:
        check_output(path)
    if len({path.absolute() for path in (settings.checkpoint, *written)}) <= len(written):
        raise ValueError("checkpoint, program and vectors must be different files")
    cpu = torch.device("cpu")
    model: Any
    meta: dict[str, Any]
    if "language" in content:
        language = Generator.load(settings.checkpoint, cpu)
        model, words, L = language.model, language.vocabulary.words, language.model.L.weight
        meta = {"words": words, "network": language.network, "text": language.text}
        if isinstance(model, RecurrentLanguageModel):
            reads, names = [torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, len(model.hidden.b))], ["words", "a_0"]
        else:
            reads, names = [torch.zeros(2, model.size, dtype=torch.int64)], ["words"]
    else:
        tagger = Tagger.load(settings.checkpoint, cpu)
        model, words, L = tagger.model, tagger.vocabulary.words, tagger.model.input.L.weight
        meta = {"words": words, "tags": tagger.tags, "network": tagger.network, "threshold": tagger.threshold}
        reads, names = [torch.zeros(2, tagger.network["window"], dtype=torch.int64)], ["words"]
        if tagger.network["capitalisation"]:
            reads, names = [*reads, reads[0].clone()], ["words", "features"]
    if program is not None:
        exported, memory = export(model, reads), io.BytesIO()
        torch.export.save(exported, memory, extra_files={"model.json": json.dumps(meta)})
        with atomic_write(program) as partial:
            partial.write_bytes(memory.getvalue())
        print(f"{program}: {' and '.join(names)} to scores, {len(words):,} words")
    if settings.vectors is not None:
        write_vectors(settings.vectors, words, L.detach())
        print(f"{settings.vectors}: {len(words) - 2:,} vectors of {L.shape[1]} dimensions")


if __name__ == "__main__":
    run(main)
