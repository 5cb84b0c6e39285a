"""hierarchyid and spatial values: their text in the engine, their bytes on the wire ([MS-SSCLRT] 2.1 and 2.2).

In the engine a hierarchyid is its path ("/1/2.1/") and a shape is "<srid>;<well-known text>". Points, lines, polygons
and their multiples are encoded, in two dimensions; curves and Z, M are not.
"""

from __future__ import annotations

import re
import struct


def _ordinal_bits(value: int, last: bool) -> str:
    """One ordinal: 'T' is the terminator bit, 1 where the label ends."""
    t = "1" if last else "0"
    if 0 <= value <= 3:
        return "01" + format(value, "02b") + t
    if 4 <= value <= 7:
        return "100" + format(value - 4, "02b") + t
    if 8 <= value <= 15:
        return "101" + format(value - 8, "03b") + t
    if 16 <= value <= 79:
        v = value - 16
        return "110" + format(v >> 4 & 3, "02b") + "0" + format(v >> 3 & 1, "b") + "1" + format(v & 7, "03b") + t
    if 80 <= value <= 1103:
        v = value - 80
        return (
            "1110"
            + format(v >> 7 & 7, "03b")
            + "0"
            + format(v >> 4 & 7, "03b")
            + "0"
            + format(v >> 3 & 1, "b")
            + "1"
            + format(v & 7, "03b")
            + t
        )
    if 1104 <= value <= 5199:
        v = value - 1104
        return (
            "11110"
            + format(v >> 7 & 31, "05b")
            + "0"
            + format(v >> 4 & 7, "03b")
            + "0"
            + format(v >> 3 & 1, "b")
            + "1"
            + format(v & 7, "03b")
            + t
        )
    if -8 <= value <= -1:
        return "00111" + format(value + 8, "03b") + t
    raise ValueError(f"the stand-in encodes ordinals of -8 to 5199, not {value}")


def hierarchy_bytes(path: str) -> bytes:
    bits = ""
    for label in path.strip("/").split("/") if path.strip("/") else []:
        ordinals = [int(o) for o in label.split(".")]
        for at, ordinal in enumerate(ordinals):
            last = at == len(ordinals) - 1
            # A dotted label stores every ordinal but its last one higher, with the terminator 0.
            bits += _ordinal_bits(ordinal if last else ordinal + 1, last)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


_DECODE = [
    (re.compile("01(..)(.)"), 0),
    (re.compile("100(..)(.)"), 4),
    (re.compile("101(...)(.)"), 8),
    (re.compile("110(..)0(.)1(...)(.)"), 16),
    (re.compile("1110(...)0(...)0(.)1(...)(.)"), 80),
    (re.compile("11110(.....)0(...)0(.)1(...)(.)"), 1104),
    (re.compile("00111(...)(.)"), -8),
]


def hierarchy_text(raw: bytes) -> str:
    bits = "".join(format(b, "08b") for b in raw)
    path, at = "/", 0
    while "1" in bits[at:]:
        matches = ((pattern.match(bits, at), base) for pattern, base in _DECODE)
        found, base = next(((m, b) for m, b in matches if m), (None, 0))
        if found is None:
            raise ValueError("not a hierarchyid")
        *parts, last = found.groups()
        value = base + int("".join(parts), 2)
        path += f"{value}/" if last == "1" else f"{value - 1}."
        at = found.end()
    return path


SHAPES = {"POINT": 1, "LINESTRING": 2, "POLYGON": 3, "MULTIPOINT": 4, "MULTILINESTRING": 5, "MULTIPOLYGON": 6}


def split_shape(value: str) -> tuple[int, str]:
    srid, _, text = value.partition(";")
    return int(srid), text


def _parse(text: str) -> tuple[str, list[list[list[tuple[float, float]]]]]:
    """Kind, and its members as lists of rings or lines of points."""
    found = re.fullmatch(r"\s*([A-Za-z]+)\s*(EMPTY|\(.*\))\s*", text, re.S | re.I)
    if not found or found[1].upper() not in SHAPES:
        raise ValueError(f"the stand-in does not know the shape {text[:60]}")
    kind, body = found[1].upper(), found[2]
    if body.upper() == "EMPTY":
        return kind, []

    def points(part: str) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in (p.strip(" ()").split()[:2] for p in part.split(","))]

    if kind in ("POINT", "LINESTRING"):
        return kind, [[points(body)]]
    if kind == "MULTIPOINT":
        return kind, [[[p]] for p in points(body)]
    rings = [points(r) for r in re.findall(r"\(([^()]*)\)", body)]
    if kind == "POLYGON":
        return kind, [rings]
    if kind == "MULTILINESTRING":
        return kind, [[r] for r in rings]
    members = re.findall(r"\((\s*\([^()]*\)(?:\s*,\s*\([^()]*\))*\s*)\)", body)
    return kind, [[points(r) for r in re.findall(r"\(([^()]*)\)", m)] for m in members]


def spatial_bytes(value: str, name: str = "geometry") -> bytes:
    """[MS-SSCLRT] 2.2.1: SRID, version 1, properties, points, figures, shapes. Geography stores latitude first."""
    srid, text = split_shape(value)
    kind, members = _parse(text)
    swap = name == "geography"

    def pair(p: tuple[float, float]) -> bytes:
        return struct.pack("<dd", *(p[::-1] if swap else p))

    flat = [p for member in members for ring in member for p in ring]
    if kind == "POINT" and flat:
        return struct.pack("<iBB", srid, 1, 0x04 | 0x08) + pair(flat[0])
    if kind == "LINESTRING" and len(flat) == 2:
        return struct.pack("<iBB", srid, 1, 0x04 | 0x10) + pair(flat[0]) + pair(flat[1])
    figures, shapes, at = [], [], 0
    multiple = kind.startswith("MULTI")
    if multiple or not members:
        shapes.append((-1, 0 if members else -1, SHAPES[kind]))
    single = kind.removeprefix("MULTI")
    for member in members:
        shapes.append((0 if multiple else -1, len(figures), SHAPES[single]))
        for index, ring in enumerate(member):
            figures.append((1 if single != "POLYGON" else 2 if index == 0 else 0, at))
            at += len(ring)
    out = [struct.pack("<iBBI", srid, 1, 0x04, len(flat)), *map(pair, flat), struct.pack("<I", len(figures))]
    out += [struct.pack("<Bi", *f) for f in figures]
    out += [struct.pack("<I", len(shapes)), *(struct.pack("<iiB", *s) for s in shapes)]
    return b"".join(out)


def spatial_text(raw: bytes, swap: bool = True) -> str:
    """The engine's text of a single point or two-point line's bytes; others are refused."""
    srid, _, properties = struct.unpack_from("<iBB", raw)
    if properties & 0x08:
        a, b = struct.unpack_from("<dd", raw, 6)
        return f"{srid};POINT ({b:g} {a:g})" if swap else f"{srid};POINT ({a:g} {b:g})"
    raise ValueError("the stand-in reads only points from their bytes")


def well_known_binary(value: str) -> bytes:
    """OGC well-known binary, little-endian."""
    kind, members = _parse(split_shape(value)[1])

    def ring(points: list[tuple[float, float]]) -> bytes:
        return struct.pack("<I", len(points)) + b"".join(struct.pack("<dd", *p) for p in points)

    def one(name: str, member: list[list[tuple[float, float]]]) -> bytes:
        head = struct.pack("<BI", 1, SHAPES[name])
        if name == "POINT":
            return head + (
                struct.pack("<dd", *member[0][0]) if member else struct.pack("<dd", float("nan"), float("nan"))
            )
        if name == "LINESTRING":
            return head + (ring(member[0]) if member else struct.pack("<I", 0))
        return head + struct.pack("<I", len(member)) + b"".join(map(ring, member))

    if not kind.startswith("MULTI"):
        return one(kind, members[0] if members else [])
    single = kind.removeprefix("MULTI")
    return struct.pack("<BII", 1, SHAPES[kind], len(members)) + b"".join(one(single, m) for m in members)
