"""Generated documents equal what the code says now."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAMES = ["asyncapi.yaml", "config.md", "keys.md", "commands.md", "workflow.md"]


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
    path = ROOT / "docs" / name
    assert path.is_file(), "run `make docs`"
    assert path.read_text(encoding="utf-8") == documents[name](), f"docs/{name} is old: run `make docs`"
