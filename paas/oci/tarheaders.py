"""Tar blocks to values and back: ustar, PAX records and GNU long names, nothing else.

Not `tarfile`: it takes a header's word for the length of its own extension, keeps each member in
memory, forgives truncation, and its reading of odd headers changes with Python's version. What is
judged here must be what is written on, so one small strict reader serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paas.errors import InvalidInput

BLOCK = 512
EXTENSION_MAX = 64 * 1024
"""Bytes of one extension header; names are far shorter, and nothing else in there is used."""

FILE, HARDLINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
DEVICES = frozenset({b"3", b"4", b"6"})
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK = b"x", b"g", b"L", b"K"
EXTENSIONS = frozenset({PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK})
_ID_MAX = 2**32 - 2


@dataclass(slots=True)
class Header:
    """The fields of a header block that mean something here; times, names of owners and attributes do not."""

    name: bytes
    type: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    link: bytes = b""


def damaged(what: str) -> InvalidInput:
    """The refusal of an archive that is not one."""
    return InvalidInput(f"The archive is damaged: {what}.", hint="Make it anew and send it again.")


def decode(block: bytes) -> Header:
    """One header block."""
    total = _number(block[148:156])
    if total != sum(block) - sum(block[148:156]) + 8 * 32 and total != _signed_sum(block):
        raise damaged("a header's checksum is wrong")
    name, kind = _text(block[0:100]), block[156:157]
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    if kind in (b"\0", b"7"):
        kind = DIRECTORY if kind == b"\0" and name.endswith(b"/") else FILE
    return Header(
        name=name,
        type=kind,
        mode=_number(block[100:108]),
        uid=_owner(_number(block[108:116])),
        gid=_owner(_number(block[116:124])),
        size=_number(block[124:136]),
        link=_text(block[157:257]),
    )


def apply_records(header: Header, records: Mapping[bytes, bytes]) -> None:
    """Let a PAX extension override the header it stands before."""
    if any(key.startswith(b"GNU.sparse") for key in records):
        raise InvalidInput("The archive holds a sparse file.", hint="Pack it without --sparse.")
    header.name = records.get(b"path", header.name)
    header.link = records.get(b"linkpath", header.link)
    for key in (b"size", b"uid", b"gid"):
        if key in records:
            setattr(header, key.decode(), _decimal(records[key]))
    header.uid, header.gid = _owner(header.uid), _owner(header.gid)


def parse_records(body: bytes) -> dict[bytes, bytes]:
    """The `length key=value` lines of a PAX extension."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        end = at + _decimal(body[at:space]) if space > 0 else 0
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not (space < end <= len(body) and equals and key and body[end - 1 : end] == b"\n"):
            raise damaged("an extension header is malformed")
        records[key] = value
        at = end
    return records


def encode(header: Header, mtime: int) -> bytes:
    """The header as blocks; the same header always gives the same bytes."""
    records: dict[bytes, bytes] = {}
    prefix, name = _split(header.name)
    if len(name) > 100:
        records[b"path"], prefix, name = header.name, b"", name[:100]
    if len(header.link) > 100:
        records[b"linkpath"] = header.link
    fields = []
    for key, value, width in (("uid", header.uid, 8), ("gid", header.gid, 8), ("size", header.size, 12)):
        fits = value < 8 ** (width - 1)
        fields.append(b"%0*o\0" % (width - 1, value if fits else 0))
        if not fits:
            records[key.encode()] = b"%d" % value
    block = bytearray(BLOCK)
    block[0:345] = b"".join(
        [
            name.ljust(100, b"\0"),
            b"%07o\0" % header.mode,
            *fields,
            b"%011o\0" % mtime,
            b" " * 8,
            header.type,
            header.link[:100].ljust(100, b"\0"),
            b"ustar\x0000".ljust(88, b"\0"),
        ]
    )
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return (_extension(records, mtime) if records else b"") + bytes(block)


def padding(size: int) -> int:
    """Bytes between the end of a body and the next block."""
    return -size % BLOCK


def _extension(records: Mapping[bytes, bytes], mtime: int) -> bytes:
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    head = encode(Header(b"PaxHeader", PAX, size=len(body)), mtime)
    return head + body + bytes(padding(len(body)))


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Prefix and name, where a long name can be cut in two at a slash."""
    if len(name) > 100:
        cut = name.rfind(b"/", 0, min(156, len(name) - 1))
        if cut > 0 and len(name) - cut - 1 <= 100:
            return name[:cut], name[cut + 1 :]
    return b"", name


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _text(field).strip(b" ")
    if digits.strip(b"01234567"):
        raise damaged("a number in a header is malformed")
    return int(digits or b"0", 8)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise damaged("a number in an extension header is malformed")
    return int(text)


def _owner(number: int) -> int:
    if number > _ID_MAX:
        raise damaged("an owner's number is out of range")
    return number


def _signed_sum(block: bytes) -> int:
    """Some old writers summed signed characters."""
    return sum(byte - 256 if byte > 127 else byte for byte in block[:148] + b" " * 8 + block[156:])
