"""Documentation hook: one API page for every public module, made at build time so that none can be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

SOURCE = Path(__file__).resolve().parent.parent / "src"


def modules() -> list[str]:
    """Return the dotted names of all public modules, in order."""
    names = []
    for path in sorted((SOURCE / "fivefold").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            names.append(".".join(part for part in parts if part != "__init__"))
    return names


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add ``api/<module>.md`` for every public module and ``api/index.md`` that lists them."""
    names = modules()
    index = "# API\n\n" + "\n".join(f"- [`{name}`]({name}.md)" for name in names) + "\n"
    files.append(File.generated(config, "api/index.md", content=index))
    for name in names:
        files.append(File.generated(config, f"api/{name}.md", content=f"::: {name}\n"))
    return files
