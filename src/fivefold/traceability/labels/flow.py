"""Flow: labels carried from what a program reads to all that it writes, whatever library moves the rows.

Everything written gets the strictest of the labels of everything read so far in the same flow, so that no library can
lose one. Less is possible where the program says what an output was made of. A label that another flow put on a frame
(pandas ``attrs``, Arrow schema metadata) counts, too. An output of which nothing is known is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pyarrow as pa

from fivefold.errors import InputError, TrustError
from fivefold.evidence.data_label import DataLabel, Origin
from fivefold.traceability.labels import reading
from fivefold.traceability.labels.binding import Saying, Steward, bind, kept_origin
from fivefold.traceability.labels.enforcing import require_use
from fivefold.traceability.labels.examine import beside, examine
from fivefold.traceability.labels.strictest import strictest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fivefold.evidence.data_label import Known
    from fivefold.keys.signing import Signer
    from fivefold.keys.trust import Trust

TAG = "fivefold.origins"
"""Key under which a frame carries what it was made of."""
Library = Literal["pandas", "polars", "arrow"]


class _Tag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    origins: tuple[Origin, ...]


@dataclass
class Flow:
    """One program's reading and writing of labelled data.

    Threat: rows lose their label on the way through libraries, and what is made of them is used for anything.
    Limit: what is written past the flow has no label, which ``data check`` and the next flow refuse; whoever reads data
    past it and hands them in as his own is not seen.

    Attributes:
        trust: Whose labels count.
        now: UTC time.
        signer: The steward's key that signs what is written; None: the flow only reads.
        purposes: What the program is for; a label that does not allow it is refused at reading.
        regions: Where it runs.
    """

    trust: Trust
    now: str
    signer: Signer | None = None
    purposes: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    _read: dict[str, Origin] = field(default_factory=dict)
    _frames: list[tuple[Any, frozenset[str]]] = field(default_factory=list)

    def read(self, path: Path, library: Library = "pandas", *, known: Sequence[Path] = ()) -> Any:
        """Return a labelled table, once its label holds and allows this use.

        Args:
            path: CSV, Parquet or Arrow, with its label.
            library: Whose frame is wanted.
            known: Labels kept elsewhere.

        Raises:
            TrustError: ``label.missing`` and whatever else does not hold, ``label.purpose``, ``label.region``.
            InputError: The data cannot be read.
        """
        found = self.use(path, known=known)
        with reading.as_input_errors(path.name):
            table = reading.whole(path)
        tag = self._tag(frozenset([found.own]))
        table = table.replace_schema_metadata({**_plain(table), TAG.encode(): msgspec.json.encode(tag)})
        frame = _as(table, library, tag)
        self._frames.append((frame, frozenset([found.own])))
        return frame

    def use(self, path: Path, *, known: Sequence[Path] = ()) -> Known:
        """Count a labelled file, for example a model, among what was read, without reading it.

        Raises:
            TrustError: As :meth:`read`.
        """
        found = examine(path, self.trust, self.now, known)
        if found.faults or found.known is None:
            fault = found.faults[0]
            raise TrustError(
                fault.code, fault.text, where=str(path), remedy=f"See: fivefold data check {path}."
            )  # fmt: skip
        require_use(found.known.label.fields, self.purposes, self.regions, where=str(path))
        self._read[found.known.own] = kept_origin(found.known)
        return found.known

    def derive(self, inputs: Sequence[Any], output: Any) -> Any:
        """Say that an output was made of these frames alone, and return it; it carries their labels where it can.

        Raises:
            InputError: ``label.lost`` for an input of which nothing is known.
        """
        origins = frozenset().union(*(self._of(frame) for frame in inputs))
        if not origins:
            raise _lost("an output that is made of nothing")
        tag = self._tag(origins)
        if isinstance(output, pa.Table):
            output = output.replace_schema_metadata({**_plain(output), TAG.encode(): msgspec.json.encode(tag)})
        elif hasattr(output, "attrs"):
            output.attrs[TAG] = msgspec.to_builtins(tag)
        self._frames.append((output, origins))
        return output

    def fields(self, frame: Any = None) -> dict[str, Any]:
        """Return what the label of an output would say.

        Raises:
            InputError: ``label.lost``; as :func:`fivefold.traceability.labels.strictest.strictest`.
        """
        return strictest(self._labels(self._origins(frame)), self.now)

    def write(self, frame: Any, path: Path, *, declassified: str = "", fields: Mapping[str, Any] | None = None) -> Path:
        """Write a frame with the label of what it was made of.

        Args:
            frame: pandas, polars, Arrow, or whatever gives an Arrow stream.
            path: CSV or Parquet; must not be there.
            declassified: The steward's reason for saying less, for example a release with noise.
            fields: What is said instead.

        Returns:
            Where the label stands.

        Raises:
            InputError: ``label.lost``: nothing is known of the frame and nothing was read; ``label.steward``;
                ``label.exists``; ``label.weaker``.
        """
        origins = self._origins(frame)
        table = _table(frame)
        if path.exists():
            raise InputError("label.exists", f"{path.name} is there already.", remedy="Name another file.")
        draft = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
        try:
            _store(table, draft)
            self._sign(draft, path, origins, declassified, dict(fields or {}))
            beside(draft).replace(beside(path))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
            beside(draft).unlink(missing_ok=True)
        return beside(path)

    def label(self, path: Path, *, declassified: str = "", fields: Mapping[str, Any] | None = None) -> Path:
        """Label a file that was made of all that was read, for example a model.

        Raises:
            InputError: As :meth:`write`.
        """
        return self._sign(path, path, self._origins(None), declassified, dict(fields or {}))

    def _sign(
        self, path: Path, named: Path, origins: frozenset[str], declassified: str, fields: Mapping[str, Any]
    ) -> Path:
        if self.signer is None:
            raise InputError("label.steward", "nobody signs what is written.", remedy="Give the flow a steward's key.")
        made = [self._read[own] for own in sorted(origins)]
        said = Saying(
            name=named.name.partition(".")[0],
            fields={**strictest(self._labels(origins), self.now), **fields},
            origins=tuple(made),
            declassified=declassified,
        )
        inside = path.name.lower().endswith((".parquet", ".pq"))
        return bind(path, said, Steward(self.signer, self.trust, self.now), inside=inside)

    def _labels(self, origins: frozenset[str]) -> list[DataLabel]:
        return [DataLabel(fields=self._read[own].fields, issued=self._read[own].issued) for own in sorted(origins)]

    def _tag(self, origins: frozenset[str]) -> _Tag:
        return _Tag(origins=tuple(self._read[own] for own in sorted(origins)))

    def _origins(self, frame: Any) -> frozenset[str]:
        """Return what a frame was made of: as said, else all that was read; what it carries counts in any case."""
        said = next((made for one, made in reversed(self._frames) if one is frame and frame is not None), None)
        origins = self._carried(frame) | (frozenset(self._read) if said is None else said)
        if not origins:
            raise _lost("an output of which nothing is known")
        return origins

    def _of(self, frame: Any) -> frozenset[str]:
        nothing: frozenset[str] = frozenset()
        said = next((made for one, made in reversed(self._frames) if one is frame), nothing)
        found = self._carried(frame) | said
        if not found:
            raise _lost("an input of which nothing is known")
        return found

    def _carried(self, frame: Any) -> frozenset[str]:
        """Return the labels that a frame carries, and count them among what was read."""
        data: Any = None
        if isinstance(frame, pa.Table):
            data = (frame.schema.metadata or {}).get(TAG.encode())
        elif hasattr(frame, "attrs"):
            data = frame.attrs.get(TAG)
        if data is None:
            return frozenset()
        try:
            tag = msgspec.json.decode(data, type=_Tag) if isinstance(data, bytes) else msgspec.convert(data, _Tag)
        except (msgspec.DecodeError, msgspec.ValidationError):
            remedy = "Read the data again through a flow."
            raise InputError("label.tag", "a frame carries a label that cannot be read.", remedy=remedy) from None
        for origin in tag.origins:
            self._read.setdefault(origin.label, origin)
        return frozenset(origin.label for origin in tag.origins)


def _lost(what: str) -> InputError:
    remedy = "Read the inputs with Flow.read, or say what it was made of with Flow.derive."
    return InputError("label.lost", f"{what} may not be written without a label.", remedy=remedy)


def _plain(table: pa.Table) -> dict[bytes, bytes]:
    """Return a schema's metadata without labels, which are those of other bytes."""
    return {key: value for key, value in (table.schema.metadata or {}).items() if not key.startswith(b"fivefold.")}


def _as(table: pa.Table, library: Library, tag: _Tag) -> Any:
    if library == "arrow":
        return table
    if library == "polars":
        import polars as pl

        return pl.from_arrow(table)
    frame = table.to_pandas()
    frame.attrs[TAG] = msgspec.to_builtins(tag)
    return frame


def _table(frame: Any) -> pa.Table:
    """Return a frame as columns; a pandas index that has a name becomes columns."""
    if isinstance(frame, pa.Table):
        return frame.replace_schema_metadata(_plain(frame))
    if hasattr(frame, "attrs"):
        frame = frame.to_frame() if frame.ndim == 1 else frame
        named = any(name is not None for name in frame.index.names)
        frame = frame.reset_index() if named else frame
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return table.replace_schema_metadata({})
    if hasattr(frame, "collect"):
        frame = frame.collect()
    try:
        return pa.table(frame).replace_schema_metadata({})
    except (TypeError, ValueError, pa.ArrowException):
        raise InputError(
            "label.frame", f"{type(frame).__name__} is no table.", remedy="Give a frame of pandas, polars or Arrow."
        ) from None


def _written(dtype: pa.DataType) -> pa.DataType:
    """Return the type in which a column is written as text: categories as what they stand for."""
    dtype = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return pa.large_string() if pa.types.is_string_view(dtype) else dtype


def _store(table: pa.Table, path: Path) -> None:
    if path.name.lower().endswith(".csv"):
        from pyarrow import csv

        plain = pa.schema([(column.name, _written(column.type)) for column in table.schema])
        csv.write_csv(table.cast(plain), path)
        return
    if not path.name.lower().endswith((".parquet", ".pq")):
        raise InputError("label.format", f"{path.name} is of no kind that is written.", remedy="Use .csv or .parquet.")
    from pyarrow import parquet

    parquet.write_table(table, path)
