"""Exports a trained model, as a program for torch.export.load, and its word vectors in GloVe's text format.

python scripts/export.py                                          runs/window.pt to runs/window.pt2
python scripts/export.py runs/language_model.pt --vectors vectors.txt

Inputs of the program are word indices, (B, size), and for a tagger with features a list of their indices, (B, size)
each, capitalisation first and then the suffixes, for any batch size B; outputs are scores, (B, K), or (B,) for a
max-margin tagger. Words, suffixes, tags and settings are stored in the file as JSON:
``torch.export.load(path, extra_files={"model.json": ""})``. The program of a recurrent language model is one step:
from a word, (B, 1), and a hidden state, (B, m), to scores, (B, 1, V), and the next hidden state.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import nn
from torch.export import Dim

from cs224d_l3 import RecurrentLanguageModel
from cs224d_l3.text.files import atomic_write, check_input, check_output, load_checkpoint, write_vectors
from cs224d_l3.text.generator import Generator
from cs224d_l3.text.tagger import Tagger
from training.command import run


@dataclass(frozen=True)
class Settings:
    """Export a trained model."""

    checkpoint: Annotated[Path, tyro.conf.Positional] = Path("runs/window.pt")
    """Checkpoint written by train_window.py or train_language_model.py."""
    program: Path | None = None
    """Output file of the program; none: named after the checkpoint, unless --vectors is given."""
    vectors: Path | None = None
    """Output file of the word vectors, in GloVe's text format."""


def export(model: nn.Module, inputs: list[Any]) -> torch.export.ExportedProgram:
    """Export a model with a dynamic batch size."""
    batch = {0: Dim("B")}
    sizes = tuple([batch] * len(given) if isinstance(given, list) else batch for given in inputs)
    try:
        return torch.export.export(model.eval(), tuple(inputs), dynamic_shapes=sizes, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"torch {torch.__version__} cannot export the model, a newer version may: {reason}") from error


def main() -> None:
    settings = tyro.cli(Settings)
    check_input("checkpoint", settings.checkpoint, "; train_window.py and train_language_model.py write one")
    content = load_checkpoint(settings.checkpoint, {"model", "words"})
    program = settings.program
    if program is None and settings.vectors is None:
        program = settings.checkpoint.with_suffix(".pt2")
    outputs = [path for path in (program, settings.vectors) if path is not None]
    for path in outputs:
        check_output(path)
    files = [settings.checkpoint, *outputs]
    if len({path.absolute() for path in files}) < len(files):
        raise ValueError(f"checkpoint, program and vectors must be different files, got {', '.join(map(str, files))}")
    cpu = torch.device("cpu")
    model: Any
    meta: dict[str, Any]
    inputs: list[Any]
    if "language" in content:
        generator = Generator.load(settings.checkpoint, cpu)
        model, words, L = generator.model, generator.vocabulary.words, generator.model.L.weight
        meta = {"words": words, "network": generator.network, "text": generator.text}
        if isinstance(model, RecurrentLanguageModel):
            inputs, names = (
                [torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, len(model.hidden.b))],
                ["words", "a_0"],
            )
        else:
            inputs, names = [torch.zeros(2, model.size, dtype=torch.int64)], ["words"]
    else:
        tagger = Tagger.load(settings.checkpoint, cpu)
        model, words, L = tagger.model, tagger.vocabulary.words, tagger.model.input.L.weight
        meta = {"words": words, "suffixes": tagger.suffixes, "tags": tagger.tags, "network": tagger.network}
        meta |= {"threshold": tagger.threshold}
        inputs, names = [torch.zeros(2, tagger.network["window"], dtype=torch.int64)], ["words"]
        if tagger.features:
            inputs, names = [*inputs, [inputs[0].clone() for _ in tagger.features]], ["words", "features"]
    if program is not None:
        exported, memory = export(model, inputs), io.BytesIO()
        torch.export.save(exported, memory, extra_files={"model.json": json.dumps(meta)})
        with atomic_write(program) as partial:
            partial.write_bytes(memory.getvalue())
        print(f"{program}: {' and '.join(names)} to scores, {len(words):,} words")
    if settings.vectors is not None:
        write_vectors(settings.vectors, words, L.detach())
        print(f"{settings.vectors}: {len(words) - 2:,} vectors of {L.shape[1]} dimensions")


if __name__ == "__main__":
    run(main)
