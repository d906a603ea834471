"""Places: each declared file lies in the folder and exists, each factory names a function of a module there.

Nothing is imported: a factory's module is parsed as text.
"""

from __future__ import annotations

import contextlib
import keyword
import re
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fivefold.manifest.schema import RESERVED
from fivefold.manifest.walk import nearest, suggest

if TYPE_CHECKING:
    import ast

    from fivefold.manifest.nouns import Manifest
    from fivefold.manifest.walk import Walk

_UNSIGNED = "Make it: fivefold model sign. Or take the line out; the model then counts as unsigned."
_MAX_SOURCE = 4 << 20
MAX_SMALL = 1 << 20
"""Most bytes of a small file, such as a table of rules."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]+://|\\\\")


def small(root: Path, place: str) -> bytes | None:
    """Return a small file below the manifest's folder; None: it is not there, larger, or leads elsewhere."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        folder = root.resolve()
        path = (folder / place).resolve()
        if path.is_relative_to(folder) and path.is_file() and path.stat().st_size <= MAX_SMALL:
            return path.read_bytes()
    return None


def check_path(walk: Walk, root: Path, place: str, text: str, *, may_lack: bool = False) -> Path | None:
    """Return the file or folder that ``text`` names; None, with a fault noted, if it may not be used.

    Args:
        walk: Where faults are noted.
        root: The manifest's folder, resolved.
        place: Dotted path of the field.
        text: The path as written.
        may_lack: The file need not exist (a signature that is about to be made).
    """
    if "\0" in text or "\n" in text or "\t" in text or len(text) > 1024:
        walk.report("path", place, "this cannot be the path of a file.", "Write a relative path.")
        return None
    if PurePosixPath(text).is_absolute() or text.startswith("~") or _DRIVE.match(text):
        remedy = "Copy the file into the folder of the manifest and write its relative path."
        walk.report("path-absolute", place, f'"{text}" is not a relative path.', remedy)
        return None
    parts = PurePosixPath(text).parts
    if ".." in parts or "\\" in text:
        remedy = "Write a path below the folder of the manifest, with / and without .."
        walk.report("path-leaves", place, f'"{text}" leaves the folder of the manifest.', remedy)
        return None
    return _existing(walk, root, place, text, may_lack=may_lack)


def _existing(walk: Walk, root: Path, place: str, text: str, *, may_lack: bool) -> Path | None:
    try:
        target = (root / text).resolve()
        exists = target.exists()
    except (OSError, RuntimeError, ValueError):
        walk.report("path", place, f'"{text}" cannot be followed.', "Remove the loop or the odd characters.")
        return None
    if not target.is_relative_to(root):
        walk.report("path-link", place, f'"{text}" is a link that leaves the folder.', "Put a copy of the file there.")
        return None
    inner = target.relative_to(root).parts
    if not inner:
        walk.report("path", place, "this is the folder of the manifest itself.", "Name a file or folder in it.")
        return None
    if inner[0] in RESERVED:
        remedy = "Move it: evidence, record and keys are Fivefold's own."
        walk.report("path-reserved", place, f'"{text}" lies in the folder {inner[0]}.', remedy)
        return None
    if not exists and not may_lack:
        remedy = _UNSIGNED if place == "model.signature" else _like(root, text)
        walk.report("missing-file", place, f'there is no file "{text}".', remedy)
        return None
    return target


def _like(root: Path, text: str) -> str:
    folder = root / PurePosixPath(text).parent
    try:
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except OSError:
        names = []
    close = nearest(PurePosixPath(text).name, names[:5000])
    if close:
        return f'Did you mean "{PurePosixPath(text).parent / close}"?'
    return f"Put it there (looked for {folder / PurePosixPath(text).name})."


def check_factory(walk: Walk, root: Path, place: str, text: str) -> None:
    """Note a fault unless ``text`` is ``module:function`` and the module, in this folder, defines the function."""
    module, colon, name = text.partition(":")
    words = [*module.split("."), name]
    if not colon or not all(word.isidentifier() and not keyword.iskeyword(word) for word in words):
        example = 'Write "module:function", for example "scorer:load" for the function load in scorer.py.'
        walk.report("factory", place, f'"{text[:80]}" does not name a function.', example)
        return
    if words[0] in RESERVED:
        remedy = "Move it: evidence, record and keys are Fivefold's own."
        walk.report("path-reserved", place, f'"{text[:80]}" lies in the folder {words[0]}.', remedy)
        return
    base = root.joinpath(*module.split("."))
    candidates = (base.with_name(base.name + ".py"), base / "__init__.py")
    source = next((candidate for candidate in candidates if candidate.is_file()), None)
    shown = module.replace(".", "/") + ".py"
    if source is None:
        here = sorted(entry.stem for entry in root.glob("*.py"))
        remedy = suggest(module, here) if here else f"Put {shown} into the folder of the manifest."
        walk.report("missing-file", place, f"there is no {shown} in the folder of the manifest.", remedy)
        return
    if not source.resolve().is_relative_to(root):
        walk.report("path-link", place, f"{shown} is a link that leaves the folder.", "Put a copy of the file there.")
        return
    _defines(walk, place, source, shown, name)


def check_command(walk: Walk, root: Path, words: tuple[str, ...]) -> None:
    """Note a fault where the program of a command is a path that may not be used; a bare name is looked up later."""
    if not words:
        return
    program = words[0]
    if program.startswith("-") or not program.strip():
        walk.report("command", "model.command.0", f'"{program[:80]}" is no program.', "Name a program first.")
    elif "/" in program and not PurePosixPath(program).is_absolute():
        check_path(walk, root, "model.command.0", program.removeprefix("./"))
    elif "/" in program and not Path(program).is_file():
        walk.report("missing-file", "model.command.0", f"there is no program {program[:200]}.", "Name another.")


def _defines(walk: Walk, place: str, source: Path, shown: str, name: str) -> None:
    import ast

    try:
        raw = source.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(raw if len(raw) <= _MAX_SOURCE else b"?")
    except SyntaxError as error:
        where = f"{shown}:{error.lineno or 1}"
        walk.report("factory-syntax", place, f"{where} is not valid Python: {error.msg}.", "Mend that line.")
        return
    except (OSError, ValueError, RecursionError, MemoryError):
        walk.report("factory-syntax", place, f"{shown} cannot be read as Python.", "Check the file.")
        return
    names = _names(tree)
    if name not in names and "*" not in names:
        walk.report("factory", place, f'{shown} defines no function "{name}".', suggest(name, sorted(names)))


def _names(tree: ast.Module) -> set[str]:
    """Return the names that a module binds at its top, ``*`` if it imports all of another."""
    import ast

    found: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found.update(alias.asname or alias.name.partition(".")[0] for alias in part.names)
        else:
            found.update(node.id for node in ast.walk(part) if isinstance(node, ast.Name))
            waiting.extend(inner for inner in ast.walk(part) if isinstance(inner, ast.stmt) and inner is not part)
    return found


def texts(manifest: Manifest) -> dict[str, str]:
    """Return the texts of small files that controls name, which no check can read by itself: by the control's name."""
    found = {}
    for row, key in (("C3", "rules"), ("S4", "model")):
        place = manifest.controls.get(row, {}).get(key)
        held = small(manifest.root, place) if isinstance(place, str) and place else None
        if held:
            found[f"controls.{row}.{key}"] = held.decode(errors="replace")
    return found
