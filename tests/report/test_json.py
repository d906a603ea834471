"""JSON and its published schemas."""

from __future__ import annotations

import json

import factories
import jsonschema
import msgspec
import pytest

from fivefold.errors import InputError
from fivefold.report import json_
from fivefold.report.nouns import Document


@pytest.mark.parametrize("name", json_.PUBLISHED)
def test_a_published_schema_is_the_one_of_its_noun(name: str) -> None:
    """Changing a noun without a new version, or without its schema, fails here."""
    assert json.loads(json_.make_schema(name)) == json_.schema(name)
    jsonschema.Draft202012Validator.check_schema(json_.schema(name))


@pytest.mark.parametrize("make", [factories.document, factories.hostile])
def test_a_document_fits_its_schema_and_reads_back(make: object) -> None:
    """What we write is what the schema describes, and nothing is lost."""
    value = make()  # type: ignore[operator]
    data = json_.document(value)
    jsonschema.Draft202012Validator(json_.schema("report-1")).validate(json.loads(data))
    assert msgspec.json.decode(data, type=Document) == value


@pytest.mark.parametrize("name", ["verdict", "plan"])
def test_parts_fit_their_own_schemas(name: str) -> None:
    """The verdict and the plan inside a document fit the schemas that are published for them."""
    part = json.loads(json_.document(factories.document()))[name]
    jsonschema.Draft202012Validator(json_.schema(f"{name}-1")).validate(part)


@pytest.mark.parametrize(
    ("path", "value"),
    [(("verdict", "attained"), "4"), (("verified",), "perhaps"), (("version",), None), (("extra",), 1)],
)
def test_the_schema_refuses_what_is_not_a_document(path: tuple[str, ...], value: object) -> None:
    """A wrong type, an unknown word, an unknown field."""
    data = json.loads(json_.document(factories.document()))
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_.schema("report-1")).validate(data)


def test_a_figure_that_is_not_a_number_is_refused() -> None:
    """NaN has no JSON form."""
    bad = factories.finding("P3.accuracy", measures=(factories.measure(value=float("nan")),))
    with pytest.raises(InputError) as caught:
        json_.document(factories.document(findings=(bad,)))
    assert caught.value.code == "codec.not-finite"


def test_an_unknown_schema_is_a_key_error() -> None:
    """Names are looked up, never joined into a path."""
    with pytest.raises(KeyError):
        json_.schema("../json_")
