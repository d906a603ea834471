"""Walking: from the model that answered to what it was made of, and from data forward to models and decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fivefold.evidence import links, signed_set
from fivefold.evidence.links import Link
from fivefold.evidence.model_provenance import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fivefold.evidence.links import There
    from fivefold.keys.trust import Trust

NOW = "statement"
"""Name of the statement of the model that is served now."""
_FILES = ("model", "data", "code", "environment")
_GONE = ("provenance.missing", "provenance.other-", "provenance.unnamed-")


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """The way back from one model.

    Attributes:
        model: Digest of the signed set that answered; empty: the record does not say.
        served: Whether it is the one of now.
        statement: Name of the statement that is of it; empty: there is none.
        links: Every link that was followed.
        since: Of a model that was replaced: links to files that were replaced, too.
        known: The statement; None: it is not to be believed.
    """

    model: str
    served: bool
    statement: str = ""
    links: tuple[Link, ...] = ()
    since: tuple[Link, ...] = ()
    known: Known | None = None

    @property
    def broken(self) -> tuple[Link, ...]:
        """Links that do not hold, and ought to."""
        return links.broken(self.links)


def walk(
    model: str, statements: Mapping[str, bytes], there: Callable[[bytes], There], *, trust: Trust, now: str
) -> Walked:
    """Walk from a model to its statement, and to everything that this names.

    Of the model that is served now every link has to hold. Of one that was replaced since the statement has to stand,
    be trusted, and name everything; that its files gave way to others is told, and breaks nothing.

    Args:
        model: Digest of the signed set, as the decision's record says; empty: it says none.
        statements: Name to bytes; :data:`NOW` is that of the model of now, the others are earlier ones.
        there: What there is of what a statement names.
        trust: The verifier's.
        now: UTC time.
    """
    if not model:
        text = "the record does not say which model answered."
        return Walked(model="", served=False, links=(Link(part="model", name="", code="trace.no-model", text=text),))
    here = there(statements.get(NOW, b""))
    served = signed_set.digest(here.files) == model
    name = NOW if served else next((one for one, data in statements.items() if _of(data) == model), "")
    if not name:
        text = "no statement here is of the model that answered."
        lost = Link(part="model", name=model[:16], code="trace.unknown-model", text=text)
        return Walked(model=model, served=served, links=(lost,))
    known, found = links.follow(statements.get(name, b""), here if served else there(statements[name]),
                                trust=trust, now=now)  # fmt: skip
    since = () if served else tuple(one for one in found if one.part in _FILES and one.code.startswith(_GONE))
    kept = tuple(one for one in found if one not in since)
    return Walked(model=model, served=served, statement=name, links=kept, since=since, known=known)


def ahead(statements: Mapping[str, bytes], here: There, *, trust: Trust, now: str) -> dict[str, dict[str, str]]:
    """Walk forward: from every name in the statements to the models that were made of, by or with it.

    Args:
        statements: As for :func:`walk`; those that are not to be believed are passed over.
        here: What there is now.
        trust: The verifier's.
        now: UTC time.

    Returns:
        Name (``data.train``, the path of a file, a commit, a person) to digests of signed sets, each to the name of its
        statement, the one of now first.
    """
    found: dict[str, dict[str, str]] = {}
    for where, data in sorted(statements.items(), key=lambda item: item[0] != NOW):
        known, followed = links.follow(data, here, trust=trust, now=now)
        if known is None:
            continue
        fits = where == NOW and not any(one.code for one in followed if one.part == "model")
        model = known.says.served or (signed_set.digest(here.files) if fits else "")
        for name in named(known) if model else ():
            found.setdefault(name, {}).setdefault(model, where)
    return found


def named(known: Known) -> Iterator[str]:
    """Yield every name by which a statement can be found going forward: of data, files, commits and people."""
    for one in known.says.buildDefinition.resolvedDependencies:
        yield from dict.fromkeys(one.digest.get("gitCommit") or text for text in (one.name, one.uri) if text)
    for person in known.says.buildDefinition.externalParameters.people:
        yield person.name


def _of(statement: bytes) -> str:
    """Return the signed set that a statement says it is of, before anybody believes it."""
    said = links.unread(statement)
    return said.served if said is not None else ""
