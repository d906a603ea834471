"""Pickles: whether bytes are a pickle and which classes it would call, read opcode by opcode; nothing is unpickled.

Source: the opcode table of the standard library's ``pickletools``. A pickle runs while it is read, so what counts is
what stands before the first fault, not whether the whole can be read.
"""

from __future__ import annotations

import pickletools
import re
import struct
from dataclasses import dataclass, field
from typing import IO

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_CALLS = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
_UNKNOWN = "?"
_KEPT = 512
_LINE = 1 << 16
_MOST = 2_000_000
_TABLE = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")


@dataclass
class Found:
    """What an opcode stream showed.

    Attributes:
        is_pickle: A loader would take it for one.
        names: ``module.name`` of what it imports, in order, each once.
    """

    is_pickle: bool = False
    names: list[str] = field(default_factory=list)


def look(stream: IO[bytes], *, most_names: int = 50) -> Found:
    """Return whether a stream begins with a pickle, and what that would import.

    Args:
        stream: Read from where it stands; at most 64 KiB of one argument are kept in memory.
        most_names: Most names that are kept.
    """
    head = stream.read(2)
    marked = len(head) == 2 and head[0] == 0x80 and head[1] <= 5
    walk = _Walk(stream, head, most_names)
    ended = walk.run()
    if marked:
        return Found(ended or walk.count > 3 or bool(walk.names), walk.names)
    runs = bool(walk.names) and (walk.called or (ended and not stream.read(1)))
    return Found(runs or walk.endless, walk.names if runs else [])


class _Walk:
    """One pass over the opcodes, with as much of the stack as is needed to name what is imported."""

    def __init__(self, stream: IO[bytes], head: bytes, most_names: int) -> None:
        self._stream, self._head, self._most = stream, head, most_names
        self._texts: list[str] = []
        self._memo: dict[int, str] = {}
        self._depth = 0
        self.names: list[str] = []
        self.called = False
        self.endless = False
        self.count = 0

    def run(self) -> bool:
        """Walk to the end of the pickle; return whether it came there."""
        try:
            while self.count < _MOST:
                code = self._take(1)
                opcode = _TABLE.get(code[0])
                if opcode is None:
                    return False
                argument = self._argument(opcode)
                self.count += 1
                self._stack(opcode)
                self._note(opcode.name, argument)
                if opcode.name == "STOP":
                    return True
        except (EOFError, ValueError, struct.error):
            return False
        self.endless = True
        return False

    def _take(self, size: int) -> bytes:
        data, self._head = self._head[:size], self._head[size:]
        if len(data) < size:
            data += self._stream.read(size - len(data))
        if len(data) < size:
            raise EOFError
        return data

    def _line(self) -> bytes:
        data = bytearray()
        while len(data) < _LINE:
            letter = self._take(1)
            if letter == b"\n":
                return bytes(data)
            data += letter
        raise ValueError

    def _argument(self, opcode: pickletools.OpcodeInfo) -> bytes:
        """Return an argument's bytes, cut to what is needed; a long one is passed over without being kept."""
        kind = opcode.arg
        if kind is None:
            return b""
        if opcode.name in ("GLOBAL", "INST"):
            return self._line() + b"\n" + self._line()
        if kind.n >= 0:
            return self._take(kind.n)
        if kind.n == pickletools.UP_TO_NEWLINE:
            return self._checked(opcode.name, self._line())
        width, form = {-2: (1, "<B"), -3: (4, "<i"), -4: (4, "<I"), -5: (8, "<Q")}[kind.n]
        (size,) = struct.unpack(form, self._take(width))
        if size < 0:
            raise ValueError
        kept = self._take(min(size, _KEPT))
        left = size - len(kept)
        while left > 0:
            left -= len(self._take(min(left, _LINE)))
        return kept

    def _checked(self, name: str, line: bytes) -> bytes:
        """Return a line's argument; a text that is no such number is no pickle."""
        if name in ("INT", "LONG"):
            int(line.rstrip(b"L") or b"0")
        elif name == "FLOAT":
            float(line)
        elif name in ("GET", "PUT"):
            int(line)
        elif name == "STRING" and (len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]):
            raise ValueError
        return line.strip(b"'\"") if name == "STRING" else line

    def _note(self, name: str, argument: bytes) -> None:
        if name in _TEXTS:
            self._texts = [*self._texts[-9:], argument[:_KEPT].decode("utf-8", "replace")]
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            place = len(self._memo) if name == "MEMOIZE" else _number(name, argument)
            if self._texts and len(self._memo) < _LINE:
                self._memo[place] = self._texts[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._texts = [*self._texts[-9:], self._memo.get(_number(name, argument), _UNKNOWN)]
        elif name in ("GLOBAL", "INST"):
            module, _, attribute = argument.decode("utf-8", "replace").partition("\n")
            self._import(module, attribute)
        elif name == "STACK_GLOBAL":
            pair = self._texts[-2:]
            self._import(*(pair if len(pair) == 2 else (_UNKNOWN, _UNKNOWN)))
        self.called = self.called or (name in _CALLS and bool(self.names))

    def _stack(self, opcode: pickletools.OpcodeInfo) -> None:
        """Follow how deep the stack is at most: what takes from an empty one only looks like a pickle."""
        needed = len([item for item in opcode.stack_before if item is not pickletools.stackslice])
        if needed > self._depth and opcode.name != "STOP":
            raise ValueError
        if pickletools.stackslice not in opcode.stack_before:
            self._depth += len(opcode.stack_after) - needed

    def _import(self, module: str, attribute: str) -> None:
        full = f"{module}.{attribute}"
        if not all(part == _UNKNOWN or _NAME.fullmatch(part) for part in (module, attribute)):
            raise ValueError  # the bytes of an array may look like an import of what no module is called
        if full not in self.names and len(self.names) < self._most:
            self.names.append(full)


def _number(name: str, argument: bytes) -> int:
    return int(argument) if name in ("GET", "PUT") else int.from_bytes(argument, "little")
