"""Benchmarks against plain torch, interleaved in one process: on a shared machine absolute times vary, and the ratio
is the result.

python scripts/benchmark.py functions                        every Function, eager and compiled, five minutes
python scripts/benchmark.py functions tanh affine --no-compiled
python scripts/benchmark.py adagrad                          the optimizer's step, half a minute
python scripts/benchmark.py train                            the loop of train_window.py, a minute
python scripts/benchmark.py margin                           the max-margin step of the window network, five minutes
python scripts/benchmark.py language-models                  the language models' training step, ten minutes
python scripts/benchmark.py adagrad --device cuda --json gpu.json
"""

import tyro

from benchmarks.adagrad import adagrad
from benchmarks.functions import functions
from benchmarks.language_models import language_models
from benchmarks.main_job import train
from benchmarks.window import margin


def main() -> None:
    tyro.extras.subcommand_cli_from_dict(
        {
            "functions": functions,
            "adagrad": adagrad,
            "train": train,
            "margin": margin,
            "language-models": language_models,
        },
        description=__doc__,
    )


if __name__ == "__main__":
    main()
