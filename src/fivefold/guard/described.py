"""Described: the OpenAPI document of a guard, for people and for programs that draw requests from it."""

from __future__ import annotations

from typing import Any

from fivefold.guard.protocol import DATATYPES, OUTPUTS

_TEXT = {"type": "string", "maxLength": 4096}


def openapi(name: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the service.

    Args:
        name: Of the model.
        version: Of the model.
    """
    problem = {
        "type": "object",
        "required": ["error", "code"],
        "properties": {
            "error": {"type": "string"},
            "code": {"type": "string"},
            "field": {"type": "string"},
            "id": {"type": "string"},
        },
    }
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            "datatype": {"enum": list(DATATYPES)},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    asked = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["name"],
                    "properties": {"name": {"enum": list(OUTPUTS)}, "parameters": {"type": "object"}},
                },
            },
            "parameters": {"type": "object", "properties": {"purpose": _TEXT, "case": _TEXT, "subject": _TEXT}},
        },
    }  # fmt: skip

    def answer(words: str, schema: Any = None) -> dict[str, Any]:
        return {"description": words, "content": {"application/json": {"schema": schema or problem}}}

    errors = {status: answer(words) for status, words in (
        ("400", "Refused: the input."), ("401", "No token."), ("403", "Refused: role or purpose."),
        ("408", "Too slow."), ("413", "Too large."), ("415", "Another coding."), ("429", "The budget is spent."),
        ("503", "Nothing is answered now."))}  # fmt: skip
    told = {"type": "object"}

    def get(words: str) -> dict[str, Any]:
        found = {"200": answer(words, told), "401": errors["401"], "503": answer("Not ready.", told)}
        return {"get": {"summary": words, "responses": found}}

    infer = {
        "summary": "Ask the model.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {"200": answer("The answer, with reasons and receipt.", told), **errors},
    }
    model = f"/v2/models/{name}"
    paths: dict[str, Any] = {
        "/v2": get("The server."),
        "/v2/health/live": get("It runs."),
        "/v2/health/ready": get("It answers."),
    }
    loaded = {"200": answer("What is served now.", told), **{status: errors[status] for status in ("401", "403")}}
    paths[f"/v2/repository/models/{name}/load"] = {
        "post": {
            "summary": "Load the application again, as it lies on disk; for operators.",
            "responses": {**loaded, "409": answer("It may not be served, or is being loaded; nothing changed.")},
        }
    }
    for path in (model, f"{model}/versions/{version}"):
        paths |= {path: get("The model."), f"{path}/ready": get("It answers."), f"{path}/infer": {"post": infer}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fivefold guard", "version": "1"},
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }
