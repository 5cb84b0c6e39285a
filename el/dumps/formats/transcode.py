"""Text in any encoding, as blocks of whole records in UTF-8: strictly decoded, and each byte's place is kept."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from el.errors import ConfigError, RecordRefused

BLOCK = 1 << 23
# A record of more bytes is none: the terminator is another one.
LONGEST = 1 << 28
_BOMS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@dataclass(slots=True)
class Block:
    """Whole records, each ended by the record terminator; the file's last one may lack it."""

    data: bytes  # UTF-8
    text: str
    offset: int  # of its first byte in the file
    first: bool  # of the file
    ended: bool  # its last record has a terminator
    # Undecodable bytes stand in it, each as an escape that no decoded text has: 0xED and a byte from 0xA0 up.
    escaped: bool
    # Its end, where that is left to the next block.
    left: Block | None = None

    def leave(self, place: int, encoding: str) -> None:
        """Leave what is behind `place` to the next block."""
        data = self.data[place:]
        offset = self.offset + len(source_bytes(self.data[:place], encoding_name(encoding)))
        self.left = Block(
            data, data.decode("utf-8", "surrogatepass"), offset, self.first and not place, False, self.escaped
        )

    def followed_by(self, other: Block) -> Block:
        """Both as one."""
        both = (self.data + other.data, self.text + other.text)
        return Block(*both, self.offset, self.first, other.ended, self.escaped or other.escaped)


def encoding_name(encoding: str) -> str:
    """Python's own name of it: "utf16le", "1252" and "cp1252" are taken as bcp's users write them."""
    name = encoding.strip().lower()
    try:
        found = codecs.lookup(f"cp{name}" if name.isdigit() else name).name
    except LookupError:
        raise ConfigError(f"encoding {encoding!r} is not known: say such as utf-8, utf-16le or cp1252") from None
    if found == "utf-16":
        raise ConfigError("encoding utf-16 leaves open which byte comes first: say utf-16le or utf-16be")
    if found.startswith(("iso2022", "hz", "utf-7")):
        raise ConfigError(f"encoding {encoding!r} has states, so that no record can be read by itself")
    return found


def undecodable(encoding: str) -> str:
    """How bytes that are no text are kept: as lone surrogates, from which the same bytes come again."""
    return "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"


def blocks(path: Path, encoding: str, terminator: str) -> Iterator[Block]:
    """The file's text, cut behind a terminator. `encoding` is of `encoding_name`."""
    with path.open("rb") as file:
        begin = offset = _skip_bom(file.read(3), encoding)
        file.seek(offset)
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        escaped = False
        rest = ""
        final = False
        while not final:
            read = file.read(BLOCK)
            final = len(read) < BLOCK
            state = decoder.getstate()
            try:
                text = decoder.decode(read, final)
            except UnicodeDecodeError:
                # From here on bytes that are no text are kept as they are, and refused with their record.
                decoder = codecs.getincrementaldecoder(encoding)(undecodable(encoding))
                decoder.setstate(state)
                text, escaped = _lenient(decoder, read, final), True
            rest += text
            cut = len(rest) if final else rest.rfind(terminator) + len(terminator)
            if not final and cut < len(terminator):
                if len(rest) > LONGEST:
                    raise RecordRefused(f"the record at byte {offset} is longer than 256 MB: {_ASK}")
                continue
            done, rest = rest[:cut], rest[cut:]
            if not done:
                continue
            data = done.encode("utf-8", "surrogatepass")
            yield Block(data, done, offset, offset == begin, done.endswith(terminator), escaped)
            offset += _length(done, data, encoding, escaped)


def utf8_chunks(path: Path, encoding: str) -> Iterator[tuple[bytes, bool]]:
    """The file's text as UTF-8, and whether a chunk is the last; for documents, which no byte may be missing of."""
    with path.open("rb") as file:
        offset = _skip_bom(file.read(3), encoding)
        file.seek(offset)
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        final = False
        while not final:
            read = file.read(BLOCK)
            final = len(read) < BLOCK
            held = len(decoder.getstate()[0])
            try:
                yield decoder.decode(read, final).encode(), final
            except UnicodeDecodeError as error:
                raise RecordRefused(f"byte {offset - held + error.start}: {error.reason} in {encoding}") from None
            offset += len(read)


_ASK = "is the record terminator another one?"


def _lenient(decoder: codecs.IncrementalDecoder, read: bytes, final: bool) -> str:
    try:
        return decoder.decode(read, final)
    except UnicodeDecodeError as error:
        raise RecordRefused(f"the file ends within a character: {error.reason}") from None


def _length(text: str, data: bytes, encoding: str, escaped: bool) -> int:
    """How many bytes of the file this text was."""
    if not escaped and (encoding == "utf-8" or (text.isascii() and not encoding.startswith(("utf-16", "utf-32")))):
        return len(data)
    return len(text.encode(encoding, undecodable(encoding)))


def source_bytes(data: bytes, encoding: str) -> bytes:
    """A piece of a block as it stands in the file."""
    return data.decode("utf-8", "surrogatepass").encode(encoding, undecodable(encoding))


def _skip_bom(start: bytes, encoding: str) -> int:
    for name, mark in _BOMS.items():
        if start.startswith(mark):
            if name != encoding:
                raise RecordRefused(f"record 1, byte 0: the byte order mark is that of {name}, not {encoding}")
            return len(mark)
    return 0
