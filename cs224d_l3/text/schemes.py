"""Tagging schemes: how tags mark where an entity begins and ends. All are read as IOB2.

====== ================================================================================
IOB1   I-PER in an entity, B-PER where one directly follows another of its type
IOB2   B-PER begins every entity
IOE    E-PER ends an entity; or only where another of its type follows
IOBES  B-PER begins, E-PER ends, S-PER is an entity of one word
BILOU  the same with L-PER and U-PER
BMES   the same as IOBES with M-PER within; BMEWO has W-PER for one word
plain  no entities: every tag is a class of words
====== ================================================================================

The letter may stand before or behind the type: ``B-PER``, ``B_PER``, ``B:PER``, ``B/PER``, ``B|PER``, ``PER-B``, ...,
or alone, ``B``, for entities without a type.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .._checks import check_choice

OUTSIDE = "O"
ENTITY = "ENTITY"  # type of entities without one
NAMED_BY_LETTERS = ("IOBES", "BILOU", "BMES", "BMEWO")
LETTERS = {"IOB1": "BI", "IOB2": "BI", "IOE": "IE", **dict(zip(NAMED_BY_LETTERS, NAMED_BY_LETTERS, strict=True))}
SCHEMES = ("auto", *LETTERS, "plain")
BEGIN, END = frozenset("BSUW"), frozenset("ELSUW")  # letters of an entity's first and last word
FORMS = {
    "{}-{}": re.compile(r"(?P<letter>[BIELMSUW])-(?P<type>.+)", re.IGNORECASE),
    "{}_{}": re.compile(r"(?P<letter>[BIELMSUW])_(?P<type>.+)", re.IGNORECASE),
    "{}:{}": re.compile(r"(?P<letter>[BIELMSUW]):(?P<type>.+)", re.IGNORECASE),
    "{}/{}": re.compile(r"(?P<letter>[BIELMSUW])/(?P<type>.+)", re.IGNORECASE),
    "{}|{}": re.compile(r"(?P<letter>[BIELMSUW])\|(?P<type>.+)", re.IGNORECASE),
    "{1}-{0}": re.compile(r"(?P<type>.+)-(?P<letter>[BIELMSUW])", re.IGNORECASE),
    "{1}_{0}": re.compile(r"(?P<type>.+)_(?P<letter>[BIELMSUW])", re.IGNORECASE),
    "{}": re.compile(r"(?P<letter>[BIELMSUW])-?(?P<type>)", re.IGNORECASE),
}

ENTITY_LIKE = re.compile(r"[BIELMSU]-.+|\(.+\*?\)?|\*\)")  # the others are the brackets of CoNLL-2012


class Scheme(NamedTuple):
    """A tagging scheme.

    Attributes:
        name: one of ``SCHEMES``; or the letters found, where they are of none.
        form: key of ``FORMS``; "" for plain tags.
        letters: those that are allowed; of plain tags, all where the scheme was found and not given.
    """

    name: str
    form: str = ""
    letters: frozenset[str] = frozenset("BIELMSUW")

    def accepts(self, tag: str) -> bool:
        if not self.form:  # B-PER among plain tags is a mistake, unless they are said to be plain
            return not (self.letters and ENTITY_LIKE.fullmatch(tag))
        return tag in (OUTSIDE, "o") or _parse(self.form, tag)[0] in self.letters

    def convert(self, tags: Sequence[str]) -> list[str]:
        """Tags in IOB2, all of which must be accepted; plain tags unchanged.

        An entity begins at B-, S-, U- or W-, and at any other tag that does not go on with an entity of its type.
        """
        if not self.form:
            return list(tags)
        converted, current = [], None
        for tag in tags:
            letter, kind = _parse(self.form, tag)
            if not letter:  # outside
                converted.append(OUTSIDE)
                current = None
                continue
            converted.append(f"{'B' if letter in BEGIN or kind != current else 'I'}-{kind}")
            current = None if letter in END else kind
        return converted

    @property
    def examples(self) -> str:
        """What a tag may be, for messages."""
        if not self.form:
            return "without brackets or B-, such as PER; or O, B-PER, I-PER in all lines"
        letters = [letter for letter in "BIMELSUW" if letter in self.letters]
        return ", ".join([OUTSIDE, *(self.form.format(letter, "...") for letter in letters)])

    def __str__(self) -> str:
        return f"{self.name} ({self.form.format('B', 'PER')})" if self.form else self.name


def detect(pairs: Mapping[tuple[str, str], int], scheme: str = "auto") -> Scheme:
    """The scheme of tags.

    The form of most tags decides; those of another are then not accepted by the scheme.

    Args:
        pairs: how often a tag follows another, by (tag, next tag); the tag before a sentence is O.
        scheme: one of ``SCHEMES``; "auto" finds it.
    """
    check_choice("scheme", scheme, SCHEMES)
    forms: Counter[str] = Counter()
    letters: dict[str, set[str]] = {}
    for (_, tag), count in pairs.items():
        form = form_of(tag)
        if tag not in (OUTSIDE, "o") or form:
            forms[form] += count
            letters.setdefault(form, set()).add(_parse(form, tag)[0])
    if scheme == "plain" or not forms:
        return Scheme("plain", letters=frozenset() if scheme == "plain" else Scheme("").letters)
    typed = Counter({form: n for form, n in forms.items() if form})
    if scheme != "auto":
        form = typed.most_common(1)[0][0] if typed else "{}-{}"
        return Scheme(scheme, form, frozenset(LETTERS[scheme]) - {OUTSIDE})
    form, count = forms.most_common(1)[0]
    usual = form == "{}-{}"
    # other forms are rarer than plain tags that look like them, such as I, E and S
    if not form or not (usual or (count >= 0.9 * forms.total() and letters[form] & {"B", "I"})):
        return Scheme("plain")
    found = letters[form]
    name = next((n for n, allowed in LETTERS.items() if found <= set(allowed)), "".join(sorted(found)))
    if name == "IOB1" and not any(_goes_astray(form, *pair) for pair in pairs):
        name = "IOB2"
    return Scheme(name, form, frozenset(LETTERS.get(name, name)) - {OUTSIDE})


def _goes_astray(form: str, before: str, tag: str) -> bool:
    """Whether an entity begins with I, as it does not in IOB2."""
    letter, kind = _parse(form, tag)
    return letter == "I" and (_parse(form, before)[0] == "" or _parse(form, before)[1] != kind)


def form_of(tag: str) -> str:
    """Key of ``FORMS`` of a tag; "" for a plain one, and for O."""
    return next((form for form, pattern in FORMS.items() if pattern.fullmatch(tag)), "")


@lru_cache(2**16)
def _parse(form: str, tag: str) -> tuple[str, str]:
    """Letter and type of a tag; ("", "") for O and for a tag of another form."""
    found = FORMS[form].fullmatch(tag) if form else None
    return (found["letter"].upper(), found["type"] or ENTITY) if found else ("", "")


def is_iob_tag(tag: str) -> bool:
    """Whether a tag is B-... or I-...."""
    return tag.startswith(("B-", "I-")) and len(tag) > 2


def convert_iob(tags: Iterable[str], scheme: str) -> list[str]:
    """Convert tags to one of the two IOB schemes; plain tags are unchanged.

    "IOB2" begins every entity with B-; "IOB1" only an entity that directly follows another of the same type. Both
    are accepted: an entity begins at B-, and at an I- that does not follow a tag of its type.
    """
    check_choice("scheme", scheme, ("IOB1", "IOB2"))
    converted = []
    previous = OUTSIDE
    for tag in tags:
        if is_iob_tag(tag):
            follows = previous != OUTSIDE and previous[1:] == tag[1:]
            begins = tag[0] == "B" or not follows
            converted.append(("B" if begins and (scheme == "IOB2" or follows) else "I") + tag[1:])
        else:
            converted.append(tag)
        previous = tag
    return converted
