"""Tables of the lecture's second part, as HTML that may stand in Markdown."""

import html
from collections.abc import Iterable, Mapping, Sequence

import torch

from cs224d_l3 import UNITS, fan_in_groups
from evidence.tasks import deep
from plotting.worked import number

from . import page
from .demand import UnusableError, in_print
from .editing import Account, Compared
from .experiments_2 import Derivative, Penalised, Quotient, Signals
from .experiments_3 import Rates
from .sentences import Speaker


def table(heads: str, rows: Iterable[Sequence[object]]) -> str:
    """A table whose heads are separated by "|", and whose columns but the first are numbers."""
    columns = [head.strip() for head in heads.split("|")]
    return page.table(columns, [[str(cell) for cell in row] for row in rows], numbers=len(columns) - 1).text


def short(value: float) -> str:
    return f"${in_print(value)}$"


def transcript(text: object) -> str:
    """What a program prints, its long lines broken."""
    style = "white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8rem; line-height: 1.4"
    lines = html.escape(str(text)).replace("\n", "&#10;")  # no empty line: it would end the HTML in Markdown
    return f'<pre style="{style}">{lines}</pre>'


def compared(say: Speaker, found: Iterable[Compared]) -> str:
    rows = (
        [f"${c.argument}$", f"$\\partial J / \\partial {c.element}$",
         number(c.by_formula, 4), number(c.by_differences, 4),
         f"**{short(c.relative_error)}**" if c.relative_error > 1e-6 else short(c.relative_error)]
        for c in found
    )  # fmt: skip
    return table(say("compared heads"), rows)


def checks(say: Speaker, account: Account) -> str:
    report = account.report

    def outcome(check: str) -> str:
        if check in report.failures:
            return say("check failed")
        if check in report.unsupported:
            return say("check unsupported")
        if check in report.never_applied:
            return say("check silent")
        return say("check ok", n=report.runs[check], calls=report.calls)

    found = table(say("checks heads"), ([f"`{check}`", outcome(check)] for check in report.runs))
    return f"{found}\n\n{transcript(account.message)}" if account.message else found


def quotients(say: Speaker, q: Quotient) -> str:
    rows = (
        [f"${{{name}}}$", number(value, 8), short(abs(value - q.exact))]
        for name, value in (("(f(z+h) - f(z)) / h", q.one_sided), ("(f(z+h) - f(z-h)) / 2h", q.centred))
    )
    return table(say("quotient heads"), [["$f'(z)$", number(q.exact, 8), ""], *rows])


def penalties(say: Speaker, found: Iterable[Penalised]) -> str:
    last = ((p.lam, p.norm[-1], p.train[-1], p.test[-1], p.test[-1] - p.train[-1]) for p in found)
    return table(say("penalty heads"), ([f"{lam:g}", *(f"{value:.3f}" for value in rest)] for lam, *rest in last))


def penalty_gradients(say: Speaker, found: Mapping[float, tuple[float, float]]) -> str:
    return table(say("penalty printed heads"), ([f"{norm:g}", *map(short, pair)] for norm, pair in found.items()))


def units(say: Speaker, names: Iterable[str], z: float) -> str:
    at = torch.tensor(z, dtype=torch.float64)
    rows = ([f"`{name}`", *(number(float(f(at)), 4) for f in UNITS[name][:2])] for name in names)
    return table(say("unit heads"), rows)


def derivatives(say: Speaker, found: Iterable[Derivative]) -> str:
    rows = ([f"`{d.name}`", *(number(v, 4) for v in (d.printed, d.right, d.difference))] for d in found)
    return table(say("units printed heads"), rows)


def signals(say: Speaker, found: Mapping[str, Signals]) -> str:
    rows = []
    for rule, (a, delta) in found.items():
        rows.append([rule, *(short(float(t.std())) for t in (a[0], a[-1], delta[-1], delta[0]))])
    return table(say("layers heads"), rows)


def fan_in(say: Speaker, lr: float) -> str:
    """The rates of a network for the digits."""
    try:
        groups = fan_in_groups(deep("tanh", 2), lr)
    except ValueError as error:
        raise UnusableError("fan-in zero", reason=error) from None
    rows = []
    for group in sorted(groups, key=lambda group: -max(theta.ndim for theta in group["params"])):
        shapes = [" × ".join(map(str, theta.shape)) for theta in group["params"]]
        weights = [theta for theta in group["params"] if theta.ndim == 2]
        rows.append([", ".join(shapes), weights[0].shape[1] if weights else "–", short(group["lr"])])
    return table(say("fan-in heads"), rows)


def words(say: Speaker, found: Rates, chosen: Iterable[str]) -> str:
    rows = []
    for word in chosen:
        i = found.words.index(word)
        rows.append([page.plain(word), int(found.counts[i]), short(float(found.rates[i]))])
    return table(say("words heads"), rows)


def tenths(found: Rates) -> dict[str, object]:
    """Median rates of the rarest and of the most frequent tenth of the words that had a gradient, and their number."""
    seen = found.counts > 0
    rates = found.rates[seen][found.counts[seen].argsort(stable=True)]
    tenth = max(1, len(rates) // 10)
    rare, frequent = (short(float(part.median())) for part in (rates[:tenth], rates[-tenth:]))
    return {"count": len(rates), "rare": rare, "frequent": frequent}
