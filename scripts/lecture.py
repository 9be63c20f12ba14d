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

    import cs224d_l3
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
    from evidence import tasks, two_classes
    from evidence.worked import race, worked
    from live import (
        continuing,
        demand,
        editing,
        experiments_1,
        experiments_2,
        experiments_3,
        page,
        parts_1,
        pictures_1,
        pictures_2,
        tables_2,
    )
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
    printed = experiments_1.printed_errors(worked(seed=backprop_seed.value))
    mo.vstack(
        [
            *parts_1.errata(say, printed, "bias", "output", "second"),
            page.source(say, elementwise_gradients),
        ]
    )
    return (printed,)


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
def _(printed, say):
    mo.vstack(
        [
            *parts_1.errata(say, printed, "weight", "delta"),
            page.source(say, vectorized_gradients),
        ]
    )
    return


# ---------------------------------------------------------------------------------------- 2.1 gradient checks


@app.cell
def _(say):
    mo.md(say("gradient check"))
    return


@app.cell
def _(say):
    planted = mo.ui.dropdown({say(f"planted {name}"): name for name in editing.PLANTED}, value=say("planted sign"))
    mo.vstack([mo.md(say("planted")), planted])
    return (planted,)


@app.cell
def _(planted):
    edited = mo.ui.code_editor(editing.text(planted.value), min_height=340, debounce=500)
    edited  # noqa: B018
    return (edited,)


@app.cell
def _(edited, say):
    def _at_one_point():
        function = editing.load(edited.value)
        found = tables_2.compared(say, editing.compare(function))
        return mo.md(
            "\n\n".join([say("compared"), found, say("verdict"), tables_2.transcript(editing.verdict(function))])
        )

    demand.answer(say, _at_one_point)
    return


@app.cell
def _(say):
    every_check = mo.ui.run_button(label=say("run check_function"))
    mo.vstack([mo.md(say("all checks")), every_check])
    return (every_check,)


@app.cell
def _(edited, every_check, say):
    mo.stop(not demand.is_wanted(every_check), mo.md(say("on demand")))

    def _every_check():
        with mo.status.spinner(title="check_function", remove_on_exit=True):
            account = editing.check(editing.load(edited.value))
        return mo.md(tables_2.checks(say, account))

    demand.answer(say, _every_check)
    return


@app.cell
def _(say):
    quotient_unit = mo.ui.dropdown(list(UNITS), value="tanh", label="$f$")
    quotient_z = mo.ui.slider(-3, 3, 0.1, value=0.5, label="$z$", show_value=True)
    quotient_h = mo.ui.slider(-13, 0, 0.5, value=-5, label=r"$\log_{10} h$", show_value=True)
    mo.vstack([mo.md(say("step size")), page.side_by_side(quotient_unit, quotient_z, quotient_h)])
    return quotient_h, quotient_unit, quotient_z


@app.cell
def _(quotient_h, quotient_unit, quotient_z, say):
    _found = experiments_2.quotients(quotient_unit.value, quotient_z.value)
    _h = min(_found, key=lambda h: abs(h - 10**quotient_h.value))
    mo.vstack(
        [
            page.picture(pictures_2.step_sizes, _found, _h, alt="|error|, h"),
            mo.md(tables_2.quotients(say, _found[_h])),
            page.source(say, cs224d_l3.numerical_gradient, cs224d_l3.relative_error),
        ]
    )
    return


@app.cell
def _(quotient_unit, quotient_z, say):
    _q = experiments_2.quotient(quotient_unit.value, quotient_z.value, 1e-5)
    _grad = experiments_2.snippet(torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64), passes=1000)
    _errors = {name: tables_2.short(abs(getattr(_q, name) - _q.exact)) for name in ("one_sided", "centred")}
    _filled = int((_grad != 0).sum())
    mo.vstack(
        [
            page.erratum(say, say("quotient printed", printed=f"{_q.printed:.1f}", exact=f"{_q.exact:.4f}")),
            page.erratum(say, say("snippet printed", **_errors, passes=1000, filled=_filled, count=len(_grad))),
        ]
    )
    return


# ------------------------------------------------------------------------------------------ 2.2 regularisation


@app.cell
def _(say):
    mo.md(say("regularisation"))
    return


@app.cell
def _(say):
    lambdas = mo.ui.text("0, 0.001, 0.01, 0.1", label=say("lambdas"))
    penalised_digits = mo.ui.slider(50, 600, 50, value=150, label=say("digits"), show_value=True)
    run_penalties = mo.ui.run_button(label=say("run"))
    mo.vstack([page.side_by_side(lambdas, penalised_digits), run_penalties])
    return lambdas, penalised_digits, run_penalties


@app.cell
def _(lambdas, penalised_digits, run_penalties, say):
    mo.stop(not demand.is_wanted(run_penalties), mo.md(say("on demand")))

    def _penalties():
        values, count = demand.numbers(r"\lambda", lambdas.value, 6), 3 if page.checking() else 40
        with mo.status.progress_bar(total=len(values) * count, remove_on_exit=True) as bar:
            data = tasks.digits(0, penalised_digits.value)
            found = [experiments_2.penalised(data, lam, count, 0, bar.update) for lam in values]
        picture = page.picture(pictures_2.penalties, found, alt="||W||, J")
        return mo.vstack([picture, mo.md(tables_2.penalties(say, found))])

    demand.answer(say, _penalties)
    return


@app.cell
def _(say):
    _W = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _found = {norm: experiments_2.penalty_gradients(norm * _W / _W.norm()) for norm in (0.1, 1.0, 10.0)}
    mo.vstack(
        [
            page.source(say, cs224d_l3.l2_penalty, cs224d_l3.regularization._SquaredNorm),
            page.erratum(say, say("penalty printed") + "\n\n" + tables_2.penalty_gradients(say, _found)),
        ]
    )
    return


# ------------------------------------------------------------------------------------------ 2.3 units


@app.cell
def _(say):
    mo.md(say("units"))
    return


@app.cell
def _(say):
    shown_unit = mo.ui.dropdown(
        {say("all six"): None, **{name: name for name in UNITS}}, value=say("all six"), label="$f$"
    )
    unit_z = mo.ui.slider(-6, 6, 0.1, value=-0.5, label="$z$", show_value=True)
    page.side_by_side(shown_unit, unit_z)
    return shown_unit, unit_z


@app.cell
def _(say, shown_unit, unit_z):
    _names = [shown_unit.value] if shown_unit.value else list(UNITS)
    mo.vstack(
        [
            page.picture(pictures_2.units, shown_unit.value, unit_z.value, alt="f(z), f'(z)"),
            mo.md(tables_2.units(say, _names, unit_z.value)),
            *(page.source(say, *experiments_2.sources(name)) for name in _names),
        ]
    )
    return


@app.cell
def _(say, unit_z):
    _found = tables_2.derivatives(say, experiments_2.printed_derivatives(unit_z.value))
    _hardtanh = say("hardtanh printed", z=f"{unit_z.value:g}", **experiments_2.printed_hardtanh(unit_z.value))
    mo.vstack([page.erratum(say, say("units printed") + "\n\n" + _found), page.erratum(say, _hardtanh)])
    return


@app.cell
def _(say):
    lost_rate = mo.ui.number(value=0.5, step=0.1, label=r"$\alpha$")
    lost_epochs = mo.ui.slider(1, 20, value=8, label=say("epochs"), show_value=True)
    run_lost = mo.ui.run_button(label=say("run"))
    mo.vstack([mo.md(say("lost units")), page.side_by_side(lost_rate, lost_epochs), run_lost])
    return lost_epochs, lost_rate, run_lost


@app.cell
def _(lost_epochs, lost_rate, run_lost, say):
    mo.stop(not demand.is_wanted(run_lost), mo.md(say("on demand")))

    def _lost_units():
        lr, count = demand.rate(lost_rate.value), 1 if page.checking() else lost_epochs.value
        units = ("tanh", "softsign", "relu", "leaky_relu")
        with mo.status.progress_bar(total=len(units) * count, remove_on_exit=True) as bar:
            data = tasks.digits(0)
            found = {unit: experiments_2.lost_units(data, unit, lr, count, 0, bar.update) for unit in units}
        last = {unit: f"{values[-1]:.1f}" for unit, values in found.items()}
        picture = page.picture(pictures_2.lost_units, found, alt="|a| > 0.95, f' = 0")
        return mo.vstack([picture, mo.md(say("lost numbers", epochs=count, **last))])

    demand.answer(say, _lost_units)
    return


# ------------------------------------------------------------------------------------------ 2.4 Xavier


@app.cell
def _(say):
    mo.md(say("xavier"))
    return


@app.cell
def _(say):
    layers_unit = mo.ui.dropdown(list(UNITS), value="tanh", label="$f$")
    _others = [rule for rule in experiments_2.INITIAL if rule != "Xavier"]
    other_rule = mo.ui.dropdown(_others, value=_others[0], label=say("other rule"))
    layers_seed = mo.ui.slider(0, 9, value=0, label=say("seed"), show_value=True)
    page.side_by_side(layers_unit, other_rule, layers_seed)
    return layers_seed, layers_unit, other_rule


@app.cell
def _(layers_seed, layers_unit, other_rule, say):
    _rules = ("Xavier", other_rule.value)
    _found = {rule: experiments_2.signals(layers_unit.value, rule, layers_seed.value) for rule in _rules}
    mo.vstack(
        [
            page.picture(pictures_2.layers, _found, alt="a, delta"),
            mo.md(say("layers caption") + "\n\n" + tables_2.signals(say, _found)),
            page.source(say, cs224d_l3.xavier_uniform_),
        ]
    )
    return


# ------------------------------------------------------------------------------------------ 2.5 learning rates


@app.cell
def _(say):
    mo.md(say("rates"))
    return


@app.cell
def _(say):
    path_rule = mo.ui.dropdown(
        {say(f"rule {rule}"): rule for rule in experiments_2.STEPS}, value=say("rule SGD"), label=say("path rule")
    )
    path_rate = mo.ui.slider(steps=experiments_2.RATES, value=0.15, label=r"$\alpha$", show_value=True)
    path_steps = mo.ui.slider(1, 60, value=25, label=say("path steps"), show_value=True)
    typed_rate = mo.ui.text(placeholder="0.15", label=say("typed rate"))
    page.side_by_side(path_rule, path_rate, path_steps, typed_rate)
    return path_rate, path_rule, path_steps, typed_rate


@app.cell
def _(path_rule):
    path_tau = mo.ui.slider(1, 30, value=5, label=r"$\tau$", show_value=True)
    path_eps = mo.ui.slider(steps=[1e-8, 1e-4, 1e-2, 1, 100], value=1e-8, label=r"$\epsilon$", show_value=True)
    {"annealed": path_tau, "AdaGrad": path_eps}.get(path_rule.value)
    return path_eps, path_tau


@app.cell
def _(path_eps, path_rate, path_rule, path_steps, path_tau, say, typed_rate):
    def _path():
        lr = demand.number(r"\alpha", typed_rate.value) if typed_rate.value.strip() else float(path_rate.value)
        found = experiments_2.path(path_rule.value, lr, path_steps.value, path_tau.value, path_eps.value)
        outcome = experiments_2.outcome(found, lr, path_steps.value)
        text = say(outcome.sentence, **outcome.values)
        return mo.vstack(
            [
                page.picture(pictures_2.path, found, outcome.is_good, alt="theta"),
                mo.md(text) if outcome.is_good else page.trouble(text),
                mo.md(say("fan-in")),
                demand.answer(say, lambda: mo.md(tables_2.fan_in(say, lr))),
            ]
        )

    demand.answer(say, _path)
    return


@app.cell
def _(say):
    page.source(say, cs224d_l3.fan_in_groups, cs224d_l3.InverseDecay)
    return


# ------------------------------------------------------------------------------------------ 2.6 AdaGrad


@app.cell
def _(say):
    mo.md(say("adagrad"))
    return


@app.cell
def _(say):
    words_rate = mo.ui.number(value=0.05, step=0.01, label=r"$\alpha$")
    words_eps = mo.ui.slider(steps=[1e-8, 1e-4, 1e-2, 1], value=1e-8, label=r"$\epsilon$", show_value=True)
    some_words = mo.ui.text("the for statement yield asynchronous", label=say("some words"))
    run_words = mo.ui.run_button(label=say("run"))
    mo.vstack([page.side_by_side(words_rate, words_eps, some_words), run_words])
    return run_words, some_words, words_eps, words_rate


@app.cell
def _(run_words, say, some_words, words_eps, words_rate):
    mo.stop(not demand.is_wanted(run_words), mo.md(say("on demand")))

    def _words():
        lr = demand.rate(words_rate.value)
        chosen = experiments_3.known_words(some_words.value)
        count = 20 if page.checking() else experiments_3.word_batches()
        with mo.status.progress_bar(total=count, remove_on_exit=True) as bar:
            found = experiments_3.word_rates(lr, words_eps.value, count, bar.update)
        return mo.vstack(
            [
                page.picture(pictures_2.word_rates, found, chosen, alt="lr / sqrt(G + eps)"),
                mo.md(say("words numbers", **tables_2.tenths(found)) + "\n\n" + tables_2.words(say, found, chosen)),
            ]
        )

    demand.answer(say, _words)
    return


@app.cell
def _(say):
    _lengths, _mean = (", ".join(f"{step:.3g}" for step in steps) for steps in experiments_3.constant_gradient(4))
    _numbers = {
        "without": f"{experiments_3.unmoved(0.0)}".replace("nan", "NaN"),
        "with_eps": f"{experiments_3.unmoved(1e-8):g}",
    }
    mo.vstack(
        [
            page.source(say, cs224d_l3.adagrad.update),
            page.erratum(say, say("adagrad printed", **_numbers, lengths=_lengths, mean=_mean)),
        ]
    )
    return


# ------------------------------------------------------------------------------------------ a language model


@app.cell
def _(say):
    mo.md(say("language model"))
    return


@app.cell
def _(say):
    model_kind = mo.ui.dropdown(
        {say(f"kind {kind}"): kind for kind in continuing.OF_KIND}, value=say("kind window"), label=say("kind")
    )
    model_epochs = mo.ui.slider(1, 4, value=1, label=say("epochs"), show_value=True)
    train_model = mo.ui.run_button(label=say("train model"))
    checkpoint = mo.ui.text(placeholder="runs/language_model.pt", label=say("checkpoint"))
    mo.vstack([page.side_by_side(model_kind, model_epochs, checkpoint), train_model])
    return checkpoint, model_epochs, model_kind, train_model


@app.cell
def _(checkpoint, model_epochs, model_kind, say, train_model):
    _is_wanted = demand.is_wanted(train_model)
    trained, _said = continuing.obtain(say, checkpoint.value, model_kind.value, model_epochs.value, _is_wanted)
    _said  # noqa: B018
    return (trained,)


@app.cell
def _(say):
    prompt = mo.ui.text("The with statement", label=say("prompt"), full_width=True)
    temperature = mo.ui.slider(0, 2, 0.1, value=0.7, label=say("temperature"), show_value=True)
    prompt_seed = mo.ui.slider(0, 99, value=0, label=say("seed"), show_value=True)
    mo.vstack([prompt, page.side_by_side(temperature, prompt_seed)])
    return prompt, prompt_seed, temperature


@app.cell
def _(prompt, prompt_seed, say, temperature, trained):
    mo.stop(trained is None)

    def _continuations():
        found = continuing.continuations(trained.generator, prompt.value, temperature.value, prompt_seed.value)
        return mo.md("\n".join(f"> {page.plain(text)}\n" for text in found))

    demand.answer(say, _continuations)
    return


@app.cell
def _(say):
    page.source(say, cs224d_l3.WindowLanguageModel)
    return


if __name__ == "__main__":
    from functools import partial

    from live.command import main
    from training.command import run

    run(partial(main, app))
