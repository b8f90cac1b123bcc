"""Generated documents equal what the code says now."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
NAMES = [
    "asyncapi.yaml",
    "backoffice-config.md",
    "commands.md",
    "config.md",
    "keys.md",
    "technician.md",
    "workflow-diagram.md",
]


@pytest.fixture(scope="module")
def documents() -> dict[str, Callable[[], str]]:
    spec = importlib.util.spec_from_file_location("generate_documents", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("dict[str, Callable[[], str]]", module.DOCUMENTS)


def test_every_generated_document_is_checked(documents: dict[str, Callable[[], str]]) -> None:
    assert sorted(documents) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_generated_document_has_not_drifted(name: str, documents: dict[str, Callable[[], str]]) -> None:
    if name == "commands.md" and sys.version_info[:2] != (3, 11):
        pytest.skip("argparse of other Python versions words its help differently")
    path = ROOT / "docs" / name
    assert path.is_file(), "run `make docs`"
    assert path.read_text(encoding="utf-8") == documents[name](), f"docs/{name} is old: run `make docs`"


def test_asyncapi_references_resolve_and_every_message_has_a_channel() -> None:
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
    used: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
                used.add(node["$ref"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    names = document["components"]["messages"]
    assert len(names) >= 14
    assert {f"#/components/messages/{name}" for name in names} <= used
