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

    from cs224d_l3 import (
        UNITS,
        activation,
        affine,
        augmented_activation,
        elementwise_gradients,
        embedding,
        max_margin_loss,
        score,
        sliding_windows,
        vectorized_gradients,
    )
    from evidence import two_classes
    from evidence.worked import race, worked
    from live import experiments_1, page, parts_1, pictures_1
    from live.sentences import LANGUAGES, Speaker
    from plotting.worked import number

    torch.set_num_threads(1)  # the tensors are small


@app.cell
def _():
    asked = mo.cli_args().get("lang") or "en"
    language = mo.ui.radio(
        LANGUAGES, value=next((name for name, code in LANGUAGES.items() if code == asked), "English"), inline=True
    )
    language  # noqa: B018
    return asked, language


@app.cell
def _(asked, language):
    say = Speaker(language.value)
    _title = mo.md(say("title"))
    _unknown = say("unknown language", asked=page.plain(str(asked)))
    _title if asked in LANGUAGES.values() else mo.vstack([_title, page.trouble(_unknown)])
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
    mo.vstack([neuron_unit, page.side_by_side(w_1, w_2, b), page.side_by_side(x_1, x_2)])
    return b, neuron_unit, w_1, w_2, x_1, x_2


@app.cell
def _(b, neuron_unit, say, w_1, w_2, x_1, x_2):
    _f = UNITS[neuron_unit.value].f
    _x, _w, _b = (
        torch.tensor(v, dtype=torch.float64) for v in ([x_1.value, x_2.value], [w_1.value, w_2.value], b.value)
    )
    _z = float(_w @ _x + _b)
    _a, _augmented = activation(_x, _w, _b, _f), augmented_activation(_x, torch.cat([_w, _b[None]]), _f)
    _printed, _right = experiments_1.printed_neuron(_x, _w, _b, neuron_unit.value)
    mo.vstack(
        [
            mo.md(say("neuron numbers", z=f"{_z:.2f}", a=f"{_a:.4f}", augmented=f"{_augmented:.4f}")),
            page.picture(pictures_1.neuron, neuron_unit.value, _z, alt="f(z)"),
            page.erratum(say, say("neuron erratum", printed=number(_printed, 4), right=number(_right, 4))),
            page.source(say, activation, augmented_activation),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 1.2 a layer


@app.cell
def _(say):
    mo.md(say("layer"))
    return


@app.cell
def _(say):
    layer_unit = mo.ui.dropdown(list(UNITS), value="sigmoid", label="$f$")
    layer_n = mo.ui.slider(1, 8, value=4, label="$n$", show_value=True)
    layer_m = mo.ui.slider(1, 8, value=3, label="$m$", show_value=True)
    layer_seed = mo.ui.slider(0, 20, value=1, label=say("seed"), show_value=True)
    page.side_by_side(layer_unit, layer_n, layer_m, layer_seed)
    return layer_m, layer_n, layer_seed, layer_unit


@app.cell
def _(layer_m, say):
    layer_i = mo.ui.dropdown([str(i + 1) for i in range(layer_m.value)], value="1", label=say("neuron chosen"))
    layer_i  # noqa: B018
    return (layer_i,)


@app.cell
def _(layer_i, layer_m, layer_n, layer_seed, layer_unit, say):
    _i = int(layer_i.value)
    _net = experiments_1.neurons(layer_n.value, layer_m.value, layer_unit.value, layer_seed.value)
    _one = activation(_net.x, _net.W[_i - 1], _net.b[_i - 1], UNITS[layer_unit.value].f)
    _z = _net.z[_i - 1]
    _numbers = {"m": layer_m.value, "n": layer_n.value, "i": _i, "one": f"{_one:.4f}"}
    mo.vstack(
        [
            page.picture(pictures_1.layer, _net, _i, alt="x, a = f(Wx + b)"),
            mo.md(say("layer numbers", **_numbers, whole=f"{_net.a[_i - 1]:.4f}")),
            page.erratum(
                say,
                say(
                    "layer erratum",
                    i=_i,
                    z=number(_z),
                    printed=number(1 / (1 + _z.exp()), 4),
                    right=number(1 / (1 + (-_z).exp()), 4),
                ),
            ),
            page.source(say, affine),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 1.3 forward computation


@app.cell
def _(say):
    mo.md(say("window", pad=experiments_1.PAD))
    return


@app.cell
def _(say):
    sentence = mo.ui.text(experiments_1.SENTENCE, label=say("sentence"), full_width=True)
    window_size = mo.ui.dropdown(["1", "3", "5", "7"], value="5", label=say("window size"))
    window_d = mo.ui.slider(1, 8, value=4, label="$d$", show_value=True)
    window_m = mo.ui.slider(1, 12, value=8, label="$m$", show_value=True)
    window_unit = mo.ui.dropdown(list(UNITS), value="sigmoid", label="$f$")
    mo.vstack([sentence, page.side_by_side(window_size, window_d, window_m, window_unit)])
    return sentence, window_d, window_m, window_size, window_unit


@app.cell
def _(say, sentence):
    _given = sentence.value.split()
    wrong = parts_1.wrong_with(say, _given)
    words = experiments_1.SENTENCE.split() if wrong else _given
    _options = {f"{t + 1} {word}": t for t, word in enumerate(words)}
    around = mo.ui.dropdown(_options, value=list(_options)[len(words) // 2], label=say("around"))
    page.trouble(wrong) if wrong else around
    return around, words, wrong


@app.cell
def _(around, say, window_d, window_m, window_size, window_unit, words, wrong):
    mo.stop(bool(wrong))
    _reading = experiments_1.read(words, int(window_size.value), window_d.value, window_m.value, window_unit.value)
    _net, _t = _reading.model, around.value
    _s = experiments_1.step_by_step(_reading, _t)
    with torch.no_grad():
        _other = score(_reading.x, _net.hidden.W, _net.hidden.b, _net.U, _net.f)[_t]
    mo.vstack(
        [
            page.picture(pictures_1.window, _reading, _t, alt="s = U^T f(Wx + b)"),
            parts_1.shapes(say, _reading),
            mo.md(
                say("window numbers", s=number(experiments_1.step_by_step(_reading, _t), 4), other=number(_other, 4))
            ),
            page.table(
                [say("window of"), "$s$"],
                [[parts_1.window(_reading.window(t)), number(s, 4)] for t, s in enumerate(_reading.s)],
                numbers=1,
            ),
            page.source(say, sliding_windows, embedding, score),
        ]
    )
    return


@app.cell
def _(say):
    mo.md(say("figure 1"))
    return


@app.cell
def _(say):
    class_unit = mo.ui.dropdown(list(UNITS), value="tanh", label="$f$")
    class_hidden = mo.ui.slider(0, 20, value=10, label=say("hidden units"), show_value=True, debounce=True)
    class_rule = mo.ui.dropdown(list(two_classes.RULES), value="AdaGrad", label=say("rule"))
    class_rate = mo.ui.number(value=0.3, step=0.1, label=say("rate"), debounce=True)
    class_init = mo.ui.dropdown(list(two_classes.SCALES), value="Xavier", label=say("init"))
    watch = mo.ui.run_button(label=say("watch"))
    mo.vstack(
        [
            page.side_by_side(class_unit, class_hidden, class_init),
            page.side_by_side(class_rule, class_rate, watch),
        ]
    )
    return class_hidden, class_init, class_rate, class_rule, class_unit, watch


@app.cell
def _(class_hidden, class_init, class_rate, class_rule, class_unit, say, watch):
    _rate, _steps = class_rate.value, 400
    mo.stop(_rate is None, page.trouble(say("rate missing")))
    mo.stop(_rate <= 0, page.trouble(say("rate zero", rate=f"{_rate:g}")))
    _x, _target = two_classes.interleaved()
    _model = two_classes.two_layers(class_unit.value, class_hidden.value, class_init.value)
    for _moment in two_classes.train(
        _model, _x, _target, class_rule.value, _rate, _steps, moments=40 if watch.value else 1
    ):
        _shown = mo.vstack(
            [
                page.side_by_side(
                    page.picture(pictures_1.boundary, _moment, _x, _target, alt="x_1, x_2"),
                    page.picture(pictures_1.objective, _moment, _steps, alt="J"),
                ),
                parts_1.progress(say, _moment),
                mo.md(say("init zero") if class_init.value == "zero" and class_hidden.value else ""),
            ]
        )
        if watch.value:
            mo.output.replace(_shown)
    _shown  # noqa: B018
    return


# ---------------------------------------------------------------------------------------- 1.4 the max-margin objective


@app.cell
def _(say):
    mo.md(say("margin"))
    return


@app.cell
def _(say):
    margin = mo.ui.slider(0, 3, 0.1, value=1.0, label="$\\Delta$", show_value=True)
    margin_steps = mo.ui.slider(0, 30, value=3, label=say("steps"), show_value=True)
    page.side_by_side(margin, margin_steps)
    return margin, margin_steps


@app.cell
def _(margin, margin_steps, say, words, wrong):
    _reading = experiments_1.read(words, 5, 4, 8, "sigmoid")
    _pairs = experiments_1.rank(_reading, margin.value, margin_steps.value)
    mo.vstack(
        [
            mo.md(say("margin sentence", sentence=experiments_1.SENTENCE) if wrong else ""),
            page.picture(pictures_1.hinge, _pairs, margin.value, alt="J"),
            mo.md(
                say(
                    "margin numbers",
                    paying=int((_pairs.delta != 0).sum()),
                    count=len(_pairs.J),
                    J=number(_pairs.J.mean(), 3),
                )
            ),
            parts_1.pairs(say, _reading, _pairs),
            page.source(say, max_margin_loss),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 1.5 by elements


@app.cell
def _(say):
    mo.md(say("backprop"))
    return


@app.cell
def _(say):
    edges = pictures_1.edges()
    edge = mo.ui.dropdown(edges, value=next(name for name, e in edges.items() if e == (1, 1, 4)), label=say("weight"))
    backprop_unit = mo.ui.dropdown(list(UNITS), value="sigmoid", label="$f$")
    backprop_seed = mo.ui.slider(0, 20, value=5, label=say("seed"), show_value=True)
    page.side_by_side(edge, backprop_unit, backprop_seed)
    return backprop_seed, backprop_unit, edge


@app.cell
def _(backprop_seed, backprop_unit, edge, say):
    _w = worked(unit=backprop_unit.value, seed=backprop_seed.value)
    mo.vstack(
        [
            mo.md(f"**{say('forward')}**"),
            page.picture(pictures_1.forward, _w, edge.value, alt="a, z, W"),
            mo.md(f"**{say('backward')}**"),
            page.picture(pictures_1.backward, _w, edge.value, alt="delta"),
            mo.md(parts_1.way_back(say, _w, edge.value)),
        ]
    )
    return


@app.cell
def _(backprop_seed, say):
    _printed = experiments_1.printed_errors(worked(seed=backprop_seed.value))
    mo.vstack(
        [
            *parts_1.errata(say, _printed, "bias", "output", "second"),
            page.source(say, elementwise_gradients),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 1.6 by matrices


@app.cell
def _(say):
    mo.md(say("vectorized"))
    return


@app.cell
def _(say):
    race_sizes = mo.ui.dropdown(
        {"-".join(map(str, sizes)): sizes for sizes in ((4, 2, 1), (20, 8, 1), (60, 30, 1), (120, 60, 1))},
        value="60-30-1",
        label=say("network"),
    )
    race_sizes  # noqa: B018
    return (race_sizes,)


@app.cell
def _(race_sizes, say):
    _race = race(race_sizes.value, seed=0)
    mo.md(
        say(
            "race",
            elements=f"{1e3 * _race.elements:.2f}",
            matrices=f"{1e3 * _race.matrices:.3f}",
            ratio=f"{_race.elements / _race.matrices:.0f}",
            difference=f"{_race.difference:.1g}",
        )
    )
    return


@app.cell
def _(backprop_seed, say):
    _printed = experiments_1.printed_errors(worked(seed=backprop_seed.value))
    mo.vstack(
        [
            *parts_1.errata(say, _printed, "weight", "delta"),
            page.source(say, vectorized_gradients),
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
