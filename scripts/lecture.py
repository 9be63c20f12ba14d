"""The lecture, live: CS224d, Lecture 3, with something to touch in every section.

python3 noxfile.py -s lecture                 opens it in the browser
python3 noxfile.py -s lecture -- --lang zh    in Chinese
python3 noxfile.py -s lecture -- --check      runs every cell once, without a browser

It is a marimo notebook; its sentences, pictures and experiments lie in scripts/live.
"""

import marimo

app = marimo.App(width="compact", app_title="CS224d, Lecture 3")

with app.setup:
    import marimo as mo
    import torch

    from cs224d_l3 import UNITS, activation, augmented_activation
    from live import page, pictures_1
    from live.sentences import LANGUAGES, Speaker


@app.cell
def _():
    asked = mo.cli_args().get("lang") or "en"
    language = mo.ui.radio(
        LANGUAGES, value=next(name for name, code in LANGUAGES.items() if code == asked), inline=True
    )
    language  # noqa: B018
    return (language,)


@app.cell
def _(language):
    say = Speaker(language.value)
    mo.md(say("title"))
    return (say,)


# ---------------------------------------------------------------------------------------- 1.1 a neuron


@app.cell
def _(say):
    mo.md(say("neuron"))
    return


@app.cell
def _():
    neuron_unit = mo.ui.dropdown(list(UNITS), value="sigmoid", label="$f$")
    w_1, w_2, b, x_1, x_2 = (
        mo.ui.slider(-3, 3, 0.1, value=value, label=f"${name}$", show_value=True)
        for name, value in (("w_1", 1.0), ("w_2", -2.0), ("b", 0.5), ("x_1", 1.5), ("x_2", 0.5))
    )
    mo.vstack([neuron_unit, mo.hstack([w_1, w_2, b], wrap=True), mo.hstack([x_1, x_2], wrap=True)])
    return b, neuron_unit, w_1, w_2, x_1, x_2


@app.cell
def _(b, neuron_unit, say, w_1, w_2, x_1, x_2):
    _f = UNITS[neuron_unit.value].f
    _x, _w, _b = (
        torch.tensor(v, dtype=torch.float64) for v in ([x_1.value, x_2.value], [w_1.value, w_2.value], b.value)
    )
    _z = float(_w @ _x + _b)
    _a, _augmented = activation(_x, _w, _b, _f), augmented_activation(_x, torch.cat([_w, _b[None]]), _f)
    mo.vstack(
        [
            mo.md(say("neuron numbers", z=f"{_z:.2f}", a=f"{_a:.4f}", augmented=f"{_augmented:.4f}")),
            page.picture(pictures_1.neuron, neuron_unit.value, _z, alt="f(z)"),
            page.source(say, activation, augmented_activation),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 2.1 gradient checks


@app.cell
def _(say):
    mo.md(say("gradient check"))
    return


if __name__ == "__main__":
    from functools import partial

    from live.command import main
    from training.command import run

    run(partial(main, app))
