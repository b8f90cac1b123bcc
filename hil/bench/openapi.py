"""The OpenAPI document of the bench API, made from the table of calls."""

import re
from typing import Any

import msgspec

from hil.bench.routes import CALLS, PREFIX, Call

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
        }
    },
}


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    kinds = sorted({call.body for call in CALLS if call.body is not None}, key=lambda kind: kind.__name__)
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(PREFIX + call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pos-agent bench", "version": "1", "description": "A till to press, scan and break."},
        "paths": paths,
        "components": {"schemas": {**components, "Error": _ERROR}},
    }


def _operation(call: Call) -> dict[str, Any]:
    error = {
        "description": "error",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, Any] = {
        "operationId": call.handler.__name__,
        "summary": call.summary,
        "parameters": _parameters(call),
        "responses": {"200": {"description": "done", "content": {call.media_type: {}}}, "default": error},
    }
    if call.body is not None:
        reference = {"$ref": f"#/components/schemas/{call.body.__name__}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": reference}}}
    return operation


def _parameters(call: Call) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", call.path)
    ]
    in_query = [
        {"name": name, "in": "query", "required": False, "description": meaning, "schema": {"type": "number"}}
        for name, meaning in call.query.items()
    ]
    return in_path + in_query
