"""Needs of a check (``data.test``, ``model.predict`` ...): whether manifest and facts meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fivefold.manifest import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.contract.plan import Facts, ModelFact
    from fivefold.manifest.nouns import Manifest

Met = tuple[Literal["yes", "no", "unknown"], str]
"""Whether a need is met, and why not."""

_YES: Met = ("yes", "")


def unmet(tokens: Iterable[str], manifest: Manifest, facts: Facts | None) -> Met:
    """Return the first need that is not met, else the first that is unknown, else ``yes``."""
    answers = [_need(token, manifest, facts) for token in tokens]
    for wanted in ("no", "unknown"):
        for answer in answers:
            if answer[0] == wanted:
                return answer
    return _YES


def _need(token: str, manifest: Manifest, facts: Facts | None) -> Met:
    if token == "data.protected":  # noqa: S105  a token of needs, no password
        named = any(data_set.protected for data_set in manifest.data.values())
        return _YES if named else ("no", "no data set declares `protected:` fields")
    if token == "data.target":  # noqa: S105
        named = any(data_set.target for data_set in manifest.data.values())
        return _YES if named else ("no", "no data set declares a `target:`")
    room, _, name = token.partition(".")
    if room == "data":
        return _data(name, manifest, facts)
    if room == "inputs":
        return _inputs(name.split("+"), manifest)
    probe = _MODEL.get(token)
    if probe is None:
        return "no", f"this version cannot tell whether `{token}` holds"
    return probe(manifest, None if facts is None else facts.model)


def _data(name: str, manifest: Manifest, facts: Facts | None) -> Met:
    """Return whether a data set is there; ``train+test``: whether one of them is."""
    if "+" in name:
        answers = [_data(one, manifest, facts) for one in name.split("+")]
        return next((one for wanted in ("yes", "unknown") for one in answers if one[0] == wanted), answers[0])
    if name not in manifest.data:
        return "no", f"the manifest declares no data set `{name}`"
    if facts is None or facts.data is None:
        return "unknown", f"data set `{name}` has not been read yet"
    fact = facts.data.get(name)
    return _YES if fact is not None and fact.rows else ("no", f"data set `{name}` has no rows")


def _inputs(kinds: Iterable[str], manifest: Manifest) -> Met:
    """Return whether every data set is of one of these kinds (``inputs.table+image``)."""
    for name, data_set in manifest.data.items():
        if data_set.kind not in kinds and not data_set.reasons:
            return "no", f"this check is for {' and '.join(kinds)} data, and data set `{name}` is {data_set.kind}"
    return _YES


def _predict(manifest: Manifest, fact: ModelFact | None) -> Met:
    if manifest.model is None and (fact is None or fact.kind != "memory"):
        return "no", "the manifest declares no model"
    if manifest.model is not None and manifest.model.command:
        for name, data_set in manifest.data.items():
            if why := inputs.unfit(data_set.kind):
                return "no", f"{why}, and data set `{name}` is {data_set.kind}"
    return ("unknown", "the model has not been probed yet") if fact is None else _YES


def _file(manifest: Manifest, fact: ModelFact | None) -> Met:
    model = manifest.model
    if model is None or (fact is not None and fact.kind == "memory"):
        return "no", "the model has no file: it lives in memory only" if fact else "the manifest declares no model"
    if model.endpoint:
        return "no", "the model is an endpoint: its files are not here"
    named = model.path or model.files or model.factory or model.command
    return _YES if named else ("no", "the manifest names predictions only, and no file of the model")


def _probed(attribute: str, lacking: str) -> Callable[[Manifest, ModelFact | None], Met]:
    def probe(manifest: Manifest, fact: ModelFact | None) -> Met:
        first = _predict(manifest, fact)
        if first[0] != "yes" or fact is None or fact.error:
            return first
        return _YES if getattr(fact, attribute) else ("no", lacking)

    return probe


_MODEL: dict[str, Callable[[Manifest, ModelFact | None], Met]] = {
    "model.predict": _predict,
    "model.file": _file,
    "model.scores": _probed("scores", "the model gives labels only, no probabilities"),
    "model.perturbable": _probed("perturbable", "the model answers only for rows of the data sets"),
    "model.gradients": _probed("gradients", "the model gives no gradients"),
    "model.retrains": _probed("retrains", "the manifest names no training that works"),
    "task.classes": _probed("classes", "the model answers with numbers, not with classes"),
}
