"""A program that does nothing for ever, for images that have none: it keeps a sandbox there while others run in it.

A whole ELF file of 132 bytes: one segment, and the system call `pause` in a loop. Pure.
"""

from __future__ import annotations

import struct

_BASE = 0x400000
_HEADERS = 64 + 56
_MACHINES = {
    # ELF machine; mov eax, 34; syscall; jmp back
    "amd64": (62, bytes.fromhex("b822000000" "0f05" "ebf7")),
    # mov x8, 72 (pselect6: for ever, on nothing); five arguments and a mask of 0; svc 0; b back
    "arm64": (
        183,
        b"".join(struct.pack("<I", word) for word in (
            0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800004, 0xD2800005, 0xD2800908, 0xD4000001, 0x17FFFFF8,
        )),
    ),
}  # fmt: skip


def program(architecture: str) -> bytes:
    """The file for one of the engine's architectures; empty where there is none."""
    if architecture not in _MACHINES:
        return b""
    machine, code = _MACHINES[architecture]
    size = _HEADERS + len(code)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000) + code
