"""Examine: a data file held against its label, beside it or inside it, and against others that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fivefold.errors import TrustError, UnknownSignerError
from fivefold.evidence import data_label
from fivefold.manifest.columns import CSV, OTHERS
from fivefold.manifest.digests import file_digest
from fivefold.traceability.labels.faults import Fault
from fivefold.traceability.labels.strictest import weaker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fivefold.evidence.data_label import Known
    from fivefold.keys.trust import Trust
    from fivefold.traceability.labels.reading import Source

KEY = b"fivefold.label"
"""Of the schema's metadata."""
_MOST_KNOWN = 10_000
_FORGED = ("evidence.", "label.malformed", "trust.wrong-role", "trust.not-yet-valid", "trust.from-the-future")


@dataclass(frozen=True)
class Examined:
    """What came of it.

    Attributes:
        faults: What is not as it was labelled; empty: all holds.
        known: The label that counts; None: there is none that can be trusted.
        same: ``bytes``: the file is what was labelled; ``content``: the values are, in other bytes; empty: neither.
        unknown: Whether all that is amiss is that the steward is not known.
    """

    faults: tuple[Fault, ...]
    known: Known | None
    same: str
    unknown: bool = False

    def builtins(self) -> dict[str, Any]:
        """Return it for JSON."""
        label = self.known.label if self.known else None
        return {
            "holds": not self.faults,
            "same": self.same,
            "steward": self.known.keyid if self.known else "",
            "fields": label.fields if label else {},
            "serial": label.serial if label else 0,
            "declassified": label.declassified if label else "",
            "faults": [fault.builtins() for fault in self.faults],
        }


def is_table(name: str) -> bool:
    """Return whether a file is one whose columns can be read."""
    return name.lower().endswith((*CSV, *OTHERS))


def beside(path: Path) -> Path:
    """Return where the label of a file stands."""
    return path.with_name(path.name + data_label.ENDING)


def side_label(path: Path) -> bytes:
    """Return the label beside a file as stored, cut where it is too large; empty where there is none."""
    try:
        with beside(path).open("rb") as file:
            return file.read(data_label.MAX_BYTES + 1)
    except OSError:
        return b""


def inner_label(path: Path) -> bytes:
    """Return the label in the schema of a Parquet or Arrow file; empty where there is none.

    Raises:
        InputError: The file cannot be read.
    """
    if not path.name.lower().endswith(OTHERS):
        return b""
    from fivefold.traceability.labels import reading

    return reading.open_file(path).metadata.get(KEY, b"")


def others(path: Path, known: Sequence[Path]) -> list[bytes]:
    """Return labels that may tell more: those of the same folder, and those named, as files or folders."""
    places: list[Path] = []
    for place in (path.parent, *known):
        places += sorted(place.glob(f"*{data_label.ENDING}"))[:_MOST_KNOWN] if place.is_dir() else [place]
    own = beside(path)
    return [data for place in places if place != own and (data := _read(place))]


def _read(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(data_label.MAX_BYTES + 1)
    except OSError:
        return b""


@dataclass(frozen=True)
class Held:
    """Data and labels, as they were found.

    Attributes:
        side: The label beside the data; empty: none.
        inner: The label inside them; empty: none.
        digest: SHA-256 of the stored bytes.
        around: Other labels at hand.
        source: Opens the data as a table; None: they are none.
    """

    side: bytes
    digest: str
    inner: bytes = b""
    around: Sequence[bytes] = ()
    source: Callable[[], Source] | None = None


def examine(path: Path, trust: Trust, now: str, known: Sequence[Path] = ()) -> Examined:
    """Hold a file against its label.

    Args:
        path: The data.
        trust: The verifier's.
        now: UTC time.
        known: Labels, or folders of them, kept elsewhere.

    Raises:
        InputError: The data cannot be read.
    """

    def source() -> Source:
        from fivefold.traceability.labels import reading

        return reading.open_file(path)

    held = Held(
        side=side_label(path),
        inner=inner_label(path),
        digest=file_digest(path),
        around=others(path, known),
        source=source if is_table(path.name) else None,
    )
    return judge(held, trust, now)


def judge(held: Held, trust: Trust, now: str) -> Examined:
    """Hold data against their labels.

    Threat: whoever handles the data edits them, strips the label, puts another's or an earlier, weaker one there, signs
    one with a key of theirs, or copies some rows.
    Limit: data that went away together with their label are missed only where a label that is known says so. An earlier
    label is told only by a later one that is at hand (beside the data, inside them, or known).

    Args:
        held: What was found.
        trust: The verifier's.
        now: UTC time.

    Raises:
        InputError: The data cannot be read.
    """
    around = [known for data in held.around if (known := _opened(data, trust, now)[0]) is not None]
    if not held.side and not held.inner:
        return Examined((_stripped(held.digest, around),), None, "")
    first, error = _opened(held.side or held.inner, trust, now)
    if first is None:
        return Examined((_forged(error),), None, "", isinstance(error, UnknownSignerError))
    faults = _inside(held, first, around, (trust, now))
    changed, same = _changes(held, first, around)
    faults += [*changed, *_downgrades(first, around), *_term(first, now)]
    return Examined(tuple(faults), first, same)


def _inside(held: Held, first: Known, around: list[Known], by: tuple[Trust, str]) -> list[Fault]:
    """Return what is amiss between the labels beside and inside; the latter is another one at hand."""
    if held.side and held.inner:
        second, error = _opened(held.inner, *by)
        if second is None:
            return [_forged(error)]
        if not _same_chain(first, second):
            return [Fault("swapped", "label.other-data", "the label inside the file is one of other data.")]
        around.append(second)
    elif held.side and first.label.inside:
        return [Fault("stripped", "label.stripped", "the label inside the file was taken out.")]
    return []


def _opened(data: bytes, trust: Trust, now: str) -> tuple[Known | None, TrustError]:
    try:
        return data_label.opened(data, trust=trust, now=now), TrustError("", "")
    except TrustError as error:
        return None, error


def _forged(error: TrustError) -> Fault:
    return Fault("forged", error.code, error.message)


def _stripped(digest: str, around: Sequence[Known]) -> Fault:
    mine = next((one for one in around if one.label.binds == "bytes" and one.digest == digest), None)
    if mine is None:
        return Fault("stripped", "label.missing", "there is no label beside it or inside it.")
    return Fault("stripped", "label.stripped", f"its label was taken away: these bytes were labelled as {mine.name}.")


def _same_chain(side: Known, inner: Known) -> bool:
    return bool(
        inner.label.binds == "content"
        and side.label.content is not None
        and inner.digest == side.label.content.root
        and inner.name == side.name
    )


def _changes(held: Held, first: Known, around: Sequence[Known]) -> tuple[list[Fault], str]:
    if first.label.binds == "bytes" and first.digest == held.digest:
        return [], "bytes"
    owner = next((one for one in around if one.label.binds == "bytes" and one.digest == held.digest), None)
    if owner is not None and owner.name != first.name:
        text = f"the label is that of {first.name}; these bytes were labelled as {owner.name}."
        return [Fault("swapped", "label.other-data", text)], ""
    signed = first.label.content
    if signed is None or held.source is None:
        text = "the bytes are not those that were labelled; the label does not say more."
        return [Fault("edited", "label.data-changed", text)], ""
    if first.label.binds == "content" and first.digest != signed.root:
        return [Fault("forged", "label.malformed", "the label's subject is not its content.")], ""
    from fivefold.traceability.labels import locating, reading

    with reading.as_input_errors(first.name):
        differences = locating.compare(signed, held.source())
    return locating.name(differences), "content" if differences.none else ""


def _downgrades(first: Known, around: Sequence[Known]) -> list[Fault]:
    found = []
    for other in around:
        if other.own == first.own or not _same_data(first, other):
            continue
        less = weaker(first.label, other.label)
        if other.label.serial > first.label.serial:
            text = f"label {first.label.serial} stands where label {other.label.serial} of the same data was signed."
            found.append(Fault("downgraded", "label.downgraded", text))
        elif less and not (first.label.serial > other.label.serial and first.label.declassified):
            text = f"another label of the same data is stricter in {', '.join(less)}."
            found.append(Fault("downgraded", "label.downgraded", text))
    for origin in first.label.origins:
        less = weaker(first.label, data_label.DataLabel(fields=origin.fields, issued=origin.issued))
        if less and not first.label.declassified:
            text = f"it says less in {', '.join(less)} than {origin.name}, of which it was made, without a reason."
            found.append(Fault("downgraded", "label.downgraded", text))
    return found[:8]


def _same_data(one: Known, other: Known) -> bool:
    """Return whether two labels are of the same data, or the second is the one that replaced the first."""
    if other.label.replaces == one.own:
        return True
    mine, its = one.label.content, other.label.content
    if mine is not None and its is not None:
        return mine.root == its.root
    return one.digest == other.digest


def _term(first: Known, now: str) -> list[Fault]:
    try:
        data_label.require_term(first.label, now)
    except TrustError as error:
        return [Fault("outlived", error.code, error.message)]
    return []
