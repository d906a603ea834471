"""Tracing: an application's decisions on record, walked back to where their models come from and forward again."""

from __future__ import annotations

import contextlib
from functools import cache, cached_property
from typing import TYPE_CHECKING

import msgspec

from fivefold.errors import FivefoldError
from fivefold.evidence import links, model_provenance, signed_set
from fivefold.manifest.digests import data_digest
from fivefold.traceability.lineage import walking
from fivefold.traceability.recorder.opening import home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.evidence.links import There
    from fivefold.keys.trust import Trust
    from fivefold.manifest.nouns import Manifest
    from fivefold.traceability.lineage.walking import Walked
    from fivefold.traceability.recorder.reading import Found, Reading

ANSWERS = ("decision", "output")
SAMPLE = "trace.sample"
"""Fact: what :func:`facts` reads of the record."""
MOST = 500


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The newest decisions on record.

    Attributes:
        models: Digests of the models that answered; the empty one: it was not said.
        decisions: Id of the record, and the place of its model.
        forward: For each model the ids that a search by it gives, of these decisions.
        erased: Answers among them that nobody can read.
    """

    models: tuple[str, ...]
    decisions: tuple[tuple[str, int], ...]
    forward: tuple[tuple[str, ...], ...]
    erased: int = 0


class Tracer:
    """An application whose decisions are traced."""

    def __init__(self, manifest: Manifest, trust: Trust, now: str) -> None:
        """Take an application, the verifier's trust, and the time in UTC."""
        self._manifest, self._trust, self._now = manifest, trust, now
        self._walked: dict[str, Walked] = {}
        self._seen: dict[bytes, There] = {}

    @cached_property
    def statements(self) -> dict[str, bytes]:
        """The statement of the model of now, and earlier ones."""
        return {
            walking.NOW: model_provenance.stored(self._manifest), **model_provenance.earlier(self._manifest)
        }  # fmt: skip

    @cached_property
    def _files(self) -> dict[str, str]:
        return signed_set.digests(self._manifest)

    @cache  # noqa: B019  lives as long as the command
    def _digest(self, name: str) -> str:
        with contextlib.suppress(FivefoldError):
            return data_digest(self._manifest.root, self._manifest.data[name])
        return ""

    def there(self, statement: bytes) -> There:
        """Return what there is of what a statement names."""
        if statement not in self._seen:
            said = links.unread(statement)
            wanted = {"train", *(one.name.removeprefix("data.") for one in said.named("data"))} if said else set()
            data = {name: self._digest(name) for name in self._manifest.data if name in wanted}
            self._seen[statement] = links.look(self._manifest, statement, self._files, data)
        return self._seen[statement]

    def back(self, model: str) -> Walked:
        """Walk from the model that answered to where it comes from."""
        if model not in self._walked:
            self._walked[model] = walking.walk(
                model, self.statements, self.there, trust=self._trust, now=self._now
            )  # fmt: skip
        return self._walked[model]

    def forward(self, name: str, reading: Reading) -> Iterator[tuple[str, str, list[Found]]]:
        """Yield what came of a data set, file, commit or person: model, its statement, and decisions on record.

        Of a decision id, place and time are kept, for there may be millions: what it says is let go.
        """
        here = self.there(self.statements[walking.NOW])
        known = walking.ahead(self.statements, here, trust=self._trust, now=self._now)
        for model, where in {**known.get(f"data.{name}", {}), **known.get(name, {})}.items():
            found = (one for one in reading.search(model=model) if one.kind in ANSWERS)
            yield model, where, [msgspec.structs.replace(one, body=None) for one in found]

    def place(self, statement: str) -> str:
        """Return the name of a statement's file."""
        return model_provenance.place_of(self._manifest).name if statement == walking.NOW else statement


def facts(manifest: Manifest, until: str = "") -> dict[str, str]:
    """Return the newest decisions up to a time, for the check T2.trace; empty: no record that this user can read.

    Args:
        manifest: The application.
        until: ISO time in UTC; empty: now.
    """
    from datetime import datetime

    end = int(datetime.fromisoformat(until).timestamp()) * 1_000_000_000 if until else 1 << 63
    try:
        place = home(manifest)
        if not place.folder.joinpath("checkpoint").exists():
            return {}
        return {SAMPLE: msgspec.json.encode(sample(place.reading(), end)).decode()}
    except FivefoldError:
        return {}


def sample(reading: Reading, until: int = 1 << 63) -> Sample:
    """Return the newest answers before a time, and what a search by each of their models gives."""
    from collections import deque

    newest: deque[Found] = deque(maxlen=MOST)
    for kind in ANSWERS:
        newest.extend(reading.search(kind=kind, until=until))
        if newest:
            break
    read = [one for one in newest if one.body is not None and "refused" not in one.body.fields]
    models = tuple(dict.fromkeys(one.body.model for one in read if one.body is not None))
    ids = {one.id for one in read}
    forward = tuple(
        tuple(one.id for one in reading.search(model=model, until=until) if one.id in ids) if model else ()
        for model in models
    )
    places = {model: at for at, model in enumerate(models)}
    told = tuple((one.id, places[one.body.model]) for one in read if one.body is not None)
    return Sample(models=models, decisions=told, forward=forward, erased=sum(one.body is None for one in newest))
