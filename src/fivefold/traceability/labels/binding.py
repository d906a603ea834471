"""Binding: a label made for a file, beside it and, if asked, inside it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.errors import InputError, TrustError
from fivefold.evidence import data_label
from fivefold.evidence.data_label import DataLabel
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.manifest.digests import file_digest
from fivefold.traceability.labels.examine import KEY, beside, inner_label, is_table, side_label
from fivefold.traceability.labels.strictest import weaker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fivefold.evidence.data_content import Content
    from fivefold.evidence.data_label import Known, Origin
    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust

_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Saying:
    """What a label is to say.

    Attributes:
        name: Of the data.
        fields: Class, personal, basis, purpose, region, retain, source.
        origins: What the data were made of.
        declassified: Why it says less than before, or than its origins; empty: it does not.
    """

    name: str
    fields: Mapping[str, Any]
    origins: tuple[Origin, ...] = ()
    declassified: str = ""


@dataclass(frozen=True)
class Steward:
    """Who signs, what of others is trusted, and when."""

    signer: Signer
    trust: Trust
    now: str


def bind(path: Path, said: Saying, steward: Steward, *, digest: str = "", inside: bool = False) -> Path:
    """Sign a label over a file's bytes and, where it is a table, over its columns in groups of rows.

    Args:
        path: The data; written anew where the label is put inside.
        said: What the label says.
        steward: Who signs it.
        digest: SHA-256 of everything that is read of the data; empty: of the file.
        inside: Whether a Parquet file is to carry the label in its schema, too.

    Returns:
        Where the label stands.

    Raises:
        InputError: ``label.incomplete``; ``label.weaker`` for a label that says less than the one before it or than
            its origins without a reason; ``label.inside`` for a file that is no Parquet; the data cannot be read.
    """
    lacking = data_label.lacking(said.fields)
    if lacking:
        raise InputError("label.incomplete", f"the label does not say: {', '.join(lacking)}.", remedy="Say them.")
    if inside and not path.name.lower().endswith(_PARQUET):
        raise InputError("label.inside", "only a Parquet file carries a label inside.", remedy="Leave --inside out.")
    before = _before(path, said.name, steward)
    label = DataLabel(
        fields=dict(said.fields),
        issued=steward.now,
        version=2,
        content=_content(path) if path.is_file() and is_table(path.name) else None,
        serial=before.label.serial + 1 if before else 1,
        replaces=before.own if before else "",
        origins=said.origins,
        declassified=said.declassified,
        inside=inside or (not digest and bool(inner_label(path))),
    )
    _require_no_less(label, before)
    if label.inside:
        _put_inside(path, said.name, label, steward.signer)
    own = digest or file_digest(path)
    store.write_public(beside(path), data_label.seal(said.name, own, label, steward.signer))
    return beside(path)


def _content(path: Path) -> Content:
    try:
        from fivefold.traceability.labels import content
    except ImportError:
        remedy = "Install it: pip install 'fivefold[assess]'."
        raise InputError("label.engine", "a label of a table needs the extra assess.", remedy=remedy) from None
    return content.of_file(path)


def _before(path: Path, name: str, steward: Steward) -> Known | None:
    """Return the label that is replaced, if a steward who is trusted signed it for the data of this name."""
    key = steward.signer.public
    known = steward.trust
    if known.find(key.id) is None:
        known = trust_file.add(known, key, name="own", roles=("steward",))
    try:
        found = data_label.opened(side_label(path), trust=known, now=steward.now)
    except TrustError:
        return None
    return found if found.name == name else None


def _require_no_less(label: DataLabel, before: Known | None) -> None:
    if label.declassified:
        return
    found = {
        origin.name: weaker(label, DataLabel(fields=origin.fields, issued=origin.issued)) for origin in label.origins
    }
    if before is not None:
        found["the label before it"] = tuple(one for one in weaker(label, before.label) if one != "retain")
    for name, less in found.items():
        if less:
            raise InputError(
                "label.weaker",
                f"the label says less than {name} in {', '.join(less)}.",
                remedy="Say at least as much, or give the steward's reason with --declassify.",
            )


def _put_inside(path: Path, name: str, label: DataLabel, signer: Signer) -> None:
    """Write a Parquet file anew with a label of its content in the schema, row group by row group."""
    from pyarrow import parquet

    if label.content is None:
        raise InputError("label.inside", "the label has no content.", remedy="Label a table.")
    inner = data_label.seal(name, label.content.root, msgspec.structs.replace(label, binds="content"), signer)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with parquet.ParquetFile(path, memory_map=True) as file:
            schema = file.schema_arrow
            schema = schema.with_metadata({**(schema.metadata or {}), KEY: inner})
            groups = file.metadata.num_row_groups
            codec = file.metadata.row_group(0).column(0).compression if groups and len(schema) else "snappy"
            with parquet.ParquetWriter(draft, schema, compression=codec.lower().replace("uncompressed", "none")) as out:
                for at in range(groups):
                    out.write_table(file.read_row_group(at).replace_schema_metadata(schema.metadata))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def kept_origin(known: Known) -> Origin:
    """Return what a derived label says of one that it was made of."""
    return data_label.Origin(name=known.name, label=known.own, fields=known.label.fields, issued=known.label.issued)
