"""What cells of the lecture's first part show, put together from numbers and sentences."""

from collections.abc import Mapping, Sequence

import marimo as mo

from cs224d_l3 import UNITS
from evidence.two_classes import Moment
from evidence.worked import Worked, by_differences
from plotting.worked import Edge, factor, number

from . import page
from .experiments_1 import LONGEST, Pairs, Reading
from .sentences import Speaker


def wrong_with(say: Speaker, words: Sequence[str]) -> str:
    """What is wrong with a sentence; empty if nothing is."""
    if not words:
        return say("sentence empty")
    if len(words) == 1:
        return say("sentence short")
    if len(words) > LONGEST:
        return say("sentence long", most=LONGEST, count=len(words))
    return "" if len(set(words)) > 1 else say("sentence same")


def window(words: Sequence[str]) -> str:
    """A window's words, the centre in bold."""
    centre = len(words) // 2
    return " ".join(f"**{page.plain(w)}**" if i == centre else page.plain(w) for i, w in enumerate(words))


def shapes(say: Speaker, r: Reading) -> mo.Html:
    """The steps of the forward pass, with the shapes of one window and of the sentence."""
    size, (m, n), d = r.windows.shape[1], r.model.hidden.W.shape, r.vectors.shape[-1]
    steps = (
        ("windows", "$w_1 \\ldots w_T$", f"${size}$", r.windows),
        ("look-ups", f"$L \\in \\mathbb{{R}}^{{{len(r.vocabulary)} \\times {d}}}$", f"${size} \\times {d}$", r.vectors),
        ("x", "$x = [L_{w_1} \\ldots]$", f"$\\mathbb{{R}}^{{{n}}}$", r.x),
        ("z", f"$z = Wx + b,\\; W \\in \\mathbb{{R}}^{{{m} \\times {n}}}$", f"$\\mathbb{{R}}^{{{m}}}$", r.z),
        ("a", "$a = f(z)$", f"$\\mathbb{{R}}^{{{m}}}$", r.a),
        ("s", f"$s = U^T a,\\; U \\in \\mathbb{{R}}^{{{m}}}$", "$\\mathbb{R}$", r.s),
    )
    rows = [[say(f"step {name}"), formula, one, f"`{tuple(every.shape)}`"] for name, formula, one, every in steps]
    return page.table([say("step"), say("formula"), say("one window"), say("all windows")], rows)


def progress(say: Speaker, moment: Moment) -> mo.Html:
    """How far training is; as an error where it diverges."""
    first, last = (f"{J:.3g}" for J in (moment.J[0], moment.J[-1]))
    numbers = {"steps": len(moment.J) - 1, "first": first, "last": last}
    if moment.diverged:
        return page.trouble(say("diverged", **numbers))
    return mo.md(say("training", **numbers, accuracy=f"{moment.accuracy:.0f}"))


def pairs(say: Speaker, r: Reading, p: Pairs) -> mo.Html:
    """Every pair with its scores, J and the error at s."""
    head = [say("true window"), say("corrupt window"), "$s$", "$s_c$", "$J$", "$\\partial J/\\partial s$"]
    centre = p.windows.shape[1] // 2
    rows = [
        [
            window(r.window(t)),
            f"**{page.plain(r.window(t, p.corrupted)[centre])}**",
            *(number(values[t]) for values in (p.s, p.s_c, p.J)),
            number(p.delta[t], 0),
        ]
        for t in range(len(p.J))
    ]
    return page.table(head, rows, numbers=4)


def way_back(say: Speaker, w: Worked, edge: Edge) -> str:
    """The error followed back from s to a weight or bias of the 4-2-1 network, a step a line."""
    k, i, j = edge
    top = k == len(w.W)
    delta = w.gradients.delta[k][i - 1]
    lines = [say("back error")]
    if not top:
        U_i, slope = w.W[1][0, i - 1], UNITS[w.unit].f_prime(w.z[1])[i - 1]
        lines.append(say("back weight", i=i, W=factor(U_i, 1), error=number(U_i, 1)))
        numbers = {"slope": number(slope, 4), "error": factor(U_i, 1), "delta": number(delta, 4)}
        lines.append(say("back slope", i=i, **numbers))
    name, error = edge.name(single=top), number(delta, 0 if top else 4)
    if j is None:
        gradient = w.gradients.b[k - 1][i - 1]
        lines.append(say("back bias", name=name, delta=error, gradient=number(gradient, 4)))
        numerical = by_differences(w, w.b, k - 1)[i - 1]
    else:
        a, gradient = w.a[k - 1][j - 1], w.gradients.W[k - 1][i - 1, j - 1]
        numbers = {"a": factor(a, 4 if top else 1), "gradient": number(gradient, 4)}
        lines.append(say("back input", name=name, j=j, k=k, delta=error, **numbers))
        numerical = by_differences(w, w.W, k - 1)[i - 1, j - 1]
    lines.append(say("back differences", numerical=number(numerical, 4)))
    return "\n".join(f"{step}. {line}" for step, line in enumerate(lines, start=1))


def errata(say: Speaker, found: Mapping[str, tuple[float, float, float]], *names: str) -> list[mo.Html]:
    """Errata with what the page gives, what is right, and centred differences."""
    shown = []
    for name in names:
        printed, right, numerical = (number(value, 4) for value in found[name])
        shown.append(page.erratum(say, say(f"{name} erratum", printed=printed, right=right, numerical=numerical)))
    return shown
