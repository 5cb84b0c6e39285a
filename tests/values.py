"""Every type of SQL Server with its edge values, and how the server itself renders each: the ground truth.

A value is T-SQL that makes it. `truth` is T-SQL that renders a column "v" with a style that keeps everything, as text
or as bytes; `shown` brings that, and what a warehouse gives back, into the same words, and so says what "equal" means.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, getcontext
from typing import Any

from hypothesis import strategies as st

from tests.engines import real_sqlserver

Shown = Callable[[Any], str]
getcontext().prec = 80
_MOMENT = re.compile(r"(.*?\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?( [+-]\d\d:\d\d)?")


@dataclass(frozen=True)
class Kind:
    """A type as declared, its edge values, more values for property tests, the truth, and how a value is shown."""

    declared: str
    edges: tuple[str, ...]
    more: st.SearchStrategy[str] | None
    truth: str
    shown: Shown

    def __str__(self) -> str:
        return self.declared


def _fixed(digits: int) -> Shown:
    return lambda value: f"{Decimal(value):.{digits}f}"


def _whole(value: Any) -> str:
    return str(int(value))


def _bits(value: Any) -> str:
    return struct.pack(">d", float(value)).hex()


def _moment(value: Any) -> str:
    """A time with seven digits of the second, however many it is written with."""
    if isinstance(value, datetime):
        value = value.isoformat(" ", "microseconds")
    elif isinstance(value, time):
        value = value.isoformat("microseconds")
    found = _MOMENT.fullmatch(str(value))
    assert found is not None, value
    return f"{found[1]}.{found[2] or '':0<7}{found[3] or ''}"


def _utf16(value: Any) -> str:
    return (value if isinstance(value, bytes) else str(value).encode("utf-16-le")).hex().upper()


def _hex(value: Any) -> str:
    return bytes(value).hex().upper()


def literal(text: str, prefix: str = "N") -> str:
    """A text as T-SQL."""
    return prefix + "'" + text.replace("'", "''") + "'"


def _cast(texts: list[str], declared: str) -> tuple[str, ...]:
    return tuple(f"CAST('{text}' AS {declared})" for text in texts)


# As bytes: text as UTF-16, which no conversion on the way can mend.
TEXT_TRUTH = "CAST(CAST(v AS NVARCHAR(MAX)) AS VARBINARY(MAX))"
BINARY_TRUTH = "CAST(v AS VARBINARY(MAX))"


def _integers(declared: str, low: int, high: int) -> Kind:
    powers = [sign * (2**bits + d) for bits in (7, 8, 15, 16, 31, 32, 53, 62) for d in (-1, 0, 1) for sign in (1, -1)]
    near = [edge + d for edge in (low, high, 0) for d in range(-20, 21)]
    edges = sorted({n for n in (*near, *powers) if low <= n <= high})
    return Kind(declared, tuple(map(str, edges)), st.integers(low, high).map(str), "CONVERT(VARCHAR(40), v)", _whole)


def _decimals(declared: str, precision: int, scale: int, truth: str = "CONVERT(VARCHAR(45), v)") -> Kind:
    most = 10**precision - 1

    def written(units: int) -> str:
        return f"{Decimal(units).scaleb(-scale):.{scale}f}" if scale else str(units)

    units = {sign * n for d in range(precision) for n in (10**d, 10 ** (d + 1) - 1) for sign in (1, -1)}
    units |= {0, most, -most, *range(-12, 13), 10**scale, -(10**scale)}
    units |= {int("1234567890" * 4) % most, int("98765" * 8) % most, most - 1, most // 2, -(most // 3)}
    edges = tuple(f"CAST('{written(n)}' AS {declared})" for n in sorted(n for n in units if abs(n) <= most))
    more = st.integers(-most, most).map(lambda n: f"CAST('{written(n)}' AS {declared})")
    return Kind(declared, edges, more, truth, _fixed(scale))


def _money(declared: str, bits: int) -> Kind:
    low, high = -(2**bits), 2**bits - 1

    def made(units: int) -> str:
        return f"CAST('{Decimal(units).scaleb(-4):.4f}' AS {declared})"

    units = {n for d in range(bits) for n in (2**d, -(2**d), 2**d - 1) if low <= n <= high}
    units |= {low, low + 1, high, high - 1, 0, 1, -1, 9999, 10_000, 12_345, 99_999, -10_001}
    return Kind(
        declared,
        tuple(map(made, sorted(units))),
        st.integers(low, high).map(made),
        "CONVERT(VARCHAR(45), CAST(v AS DECIMAL(19,4)))",
        _fixed(4),
    )


def _floats(declared: str, width: int) -> Kind:
    largest, least = (
        (1.7976931348623157e308, 2.2250738585072014e-308)
        if width == 64
        else (3.4028234663852886e38, 1.1754943508222875e-38)
    )

    def made(value: float) -> str:
        return f"CAST('{value!r}' AS {declared})"

    numbers = [0.0, 1.0, 0.1, 0.2, 0.3, 1 / 3, 2 / 3, 1e15, 1e16, 123456789.123456789, 2.0**53, 2.0**53 - 1, 1e-5]
    numbers += [
        largest,
        largest / 3,
        least,
        least * 3,
        3.141592653589793,
        2.718281828459045,
        1e22,
        1e23,
        9007199254740993,
    ]
    numbers += [1.0000000000000002, 0.9999999999999999, 1e7, 1e-7, 16777217, 5e-1, 7.0, 1e10, 4.35, 2.675]
    edges = [sign * n for n in numbers for sign in (1, -1)]
    if width == 32:
        edges = [struct.unpack("f", struct.pack("f", n))[0] for n in edges if n == 0 or least <= abs(n) <= largest]
    more = st.floats(-largest, largest, width=64 if width == 64 else 32, allow_subnormal=False)
    return Kind(declared, tuple(map(made, edges)), more.map(made), "CONVERT(VARCHAR(40), CAST(v AS FLOAT), 3)", _bits)


DAYS = [
    *("0001-01-01", "0001-01-02", "0001-12-31", "0004-02-29", "0099-12-31", "0100-03-01", "0400-02-29", "1000-01-01"),
    *("1492-10-12", "1582-10-04", "1582-10-05", "1582-10-14", "1582-10-15", "1600-02-29", "1677-09-21", "1677-09-22"),
    *("1700-02-28", "1752-09-02", "1752-09-14", "1753-01-01", "1800-03-01", "1899-12-30", "1899-12-31", "1900-01-01"),
    *("1900-03-01", "1901-12-13", "1904-01-01", "1945-05-08", "1969-12-31", "1970-01-01", "1970-01-02", "1979-06-06"),
    *("1999-12-31", "2000-01-01", "2000-02-29", "2001-09-09", "2024-02-29", "2024-12-31", "2038-01-19", "2038-01-20"),
    *("2079-06-06", "2100-02-28", "2106-02-07", "2262-04-11", "2262-04-12", "2400-02-29", "9998-12-31", "9999-12-31"),
]
CLOCKS = [
    *("00:00:00", "00:00:00.0000001", "00:00:00.0000009", "00:00:00.000001", "00:00:00.0000011", "00:00:00.001"),
    *("00:00:00.003", "00:00:00.007", "00:00:00.0099999", "00:00:00.1", "00:00:00.5", "00:00:00.9999999", "00:00:01"),
    *("00:00:59.9999999", "00:01:00", "00:59:59.9999999", "01:00:00", "01:02:03.0405060", "01:02:03.4567891"),
    *("02:30:00", "05:06:07.8901234", "08:09:10.1112131", "09:59:59.9999999", "10:00:00", "11:11:11.1111111"),
    *("11:59:59.9999999", "12:00:00", "12:00:00.0000001", "12:34:56.7654321", "13:14:15.1617181", "14:00:00.25"),
    *("15:59:59.9", "16:00:00.99", "17:18:19.999", "18:00:00.9999", "19:20:21.99999", "20:00:00.999999"),
    *("21:22:23.2425262", "22:00:00.0000010", "22:22:22.2222222", "23:00:00", "23:59:00", "23:59:58.9999999"),
    *("23:59:59", "23:59:59.9", "23:59:59.999", "23:59:59.999999", "23:59:59.9999998", "23:59:59.9999999"),
]
OFFSETS = ["+00:00", "-00:30", "+14:00", "-14:00", "+05:30", "-03:30", "+05:45", "+01:00", "-11:00", "+12:45"]


def _cut(clock: str, digits: int) -> str:
    """A time with no more digits than the type has: a server rounds what is more, and that is no matter of the way."""
    whole, _, fraction = clock.partition(".")
    kept = fraction[:digits]
    return f"{whole}.{kept}" if kept else whole


def _moments(digits: int, days: list[str]) -> list[str]:
    return [f"{day} {_cut(CLOCKS[i % len(CLOCKS)], digits)}" for i, day in enumerate(days)] + [
        f"{day} {_cut(clock, digits)}" for day in (days[0], days[-1]) for clock in ("00:00:00", "23:59:59.9999999")
    ]


def _some_clock(digits: int) -> st.SearchStrategy[str]:
    return st.builds(lambda t, n: _cut(f"{t.isoformat('microseconds')}{n}", digits), st.times(), st.integers(0, 9))


def _some_moment(digits: int, first: date = date(1, 1, 1), last: date = date(9999, 12, 31)) -> st.SearchStrategy[str]:
    return st.builds(lambda d, t: f"{d.isoformat()} {t}", st.dates(first, last), _some_clock(digits))


def _times(digits: int) -> Kind:
    declared = f"TIME({digits})"
    edges = list(dict.fromkeys(_cut(clock, digits) for clock in CLOCKS))
    edges += [f"{h:02d}:{m:02d}:{(h * m) % 60:02d}" for h in range(24) for m in (0, 7, 59)] if len(edges) < 40 else []
    more = _some_clock(digits).map(lambda text: f"CAST('{text}' AS {declared})")
    return Kind(declared, _cast(edges, declared), more, "CONVERT(VARCHAR(16), v, 121)", _moment)


def _datetime2(digits: int) -> Kind:
    declared = f"DATETIME2({digits})"
    more = _some_moment(digits).map(lambda text: f"CAST('{text}' AS {declared})")
    return Kind(declared, _cast(_moments(digits, DAYS), declared), more, "CONVERT(VARCHAR(27), v, 121)", _moment)


def _datetimeoffset(digits: int) -> Kind:
    declared = f"DATETIMEOFFSET({digits})"
    # The point in time must have a year of four digits too.
    texts = [f"{m} {OFFSETS[i % len(OFFSETS)]}" for i, m in enumerate(_moments(digits, DAYS[2:-1]))]
    texts += ["0001-01-01 00:00:00 +00:00", f"9999-12-31 {_cut('23:59:59.9999999', digits)} +00:00"]
    texts += ["9999-12-31 23:59:59 +14:00", "0001-01-01 14:00:00 +14:00", "0001-01-01 00:00:00 -14:00"]
    more = st.builds(
        lambda text, minutes: (
            f"CAST('{text} {'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}'"
            f" AS {declared})"
        ),
        _some_moment(digits, date(1, 1, 3), date(9999, 12, 29)),
        st.integers(-840, 840),
    )
    return Kind(declared, _cast(texts, declared), more, "CONVERT(VARCHAR(34), v, 121)", _moment)


def _datetime() -> Kind:
    # Ticks of 1/300 s: these texts are what a tick is rounded to.
    clocks = [
        f"{h:02d}:{m:02d}:{s:02d}.{f}"
        for h, m, s in ((0, 0, 0), (23, 59, 59), (12, 0, 1))
        for f in ("000", "003", "007", "997", "993", "500")
    ]
    days = [day for day in DAYS if day >= "1753-01-01"]
    texts = [f"{day} {clocks[i % len(clocks)]}" for i, day in enumerate(days)] + [f"2024-02-29 {c}" for c in clocks]
    more = st.builds(
        lambda d, h, s, f: f"CAST('{d.isoformat()} {h:02d}:{s:02d}:{s:02d}.{f}' AS DATETIME)",
        st.dates(date(1753, 1, 1), date(9999, 12, 31)),
        st.integers(0, 23),
        st.integers(0, 59),
        st.sampled_from(["000", "003", "007", "010", "333", "667", "997"]),
    )
    return Kind("DATETIME", _cast(texts, "DATETIME"), more, "CONVERT(VARCHAR(23), v, 121)", _moment)


def _smalldatetime() -> Kind:
    days = [day for day in DAYS if "1900-01-01" <= day <= "2079-06-06"]
    clocks = ["00:00:00", "00:01:00", "12:34:00", "23:59:00"]
    texts = [f"{day} {clock}" for day in days for clock in clocks]
    more = st.builds(
        lambda d, h, m: f"CAST('{d.isoformat()} {h:02d}:{m:02d}:00' AS SMALLDATETIME)",
        st.dates(date(1900, 1, 1), date(2079, 6, 5)),
        st.integers(0, 23),
        st.integers(0, 59),
    )
    return Kind("SMALLDATETIME", _cast(texts, "SMALLDATETIME"), more, "CONVERT(VARCHAR(19), v, 120)", _moment)


WESTERN = [
    *(
        "",
        " ",
        "  ",
        "a",
        " a",
        "a ",
        " a ",
        "A",
        "ab",
        "NULL",
        "null",
        "None",
        "nan",
        "0",
        "00",
        "007",
        "-0",
        "1e5",
        "true",
    ),
    *("it's", "''", '"', "a,b", "a;b", "a|b", "tab\there", "line\nbreak", "line\r\nbreak", "back\\slash", "\\N", "\\n"),
    *(
        "%",
        "_",
        "[x]",
        "{y}",
        "$$",
        "--",
        "/* */",
        "ä",
        "ÄÖÜß",
        "é",
        "ñ",
        "ç",
        "€",
        "“quotes”",
        "…",
        "™",
        "½",
        "\u00a0",
    ),
    *("Straße", "naïve", "x" * 40, "1970-01-01", "1,234.50", "+1", "#", "@", "&amp;", "<a>", "£", "¥", "¿?", "œ"),
]
WORLD = [
    *(
        *WESTERN,
        "日本語",
        "中文字符",
        "한국어",
        "русский",
        "ελληνικά",
        "עברית",
        "العربية",
        "हिन्दी",
        "ไทย",
        "Đặng",
        "İı",
        "ﬀ",
    ),
    *("e\u0301", "é", "\u200b", "\u200d", "\ufeff", "\u202eabc", "\ufffc", "\ufffd", "￮", "\ue000", "\uf8ff", "\uffee"),
    *("😀", "👨‍👩‍👧", "🇩🇪", "𝄞", "𠜎", "\U00010000", "\U0010f7ff", "a😀b", "😀" * 9, "\u2028", "\u2029", "\u0085"),
]
LATIN = st.text(st.sampled_from("abcXYZ 019'\"\\\t\n%_-äöüßé€œ™…"), max_size=20)
# The last 2,048 private code points are the stand-in's way to hold surrogates without their other half.
LAST = 0x10F7FF if real_sqlserver() is None else 0x10FFFF
ANY = st.text(st.characters(max_codepoint=LAST, exclude_categories=["Cs"], exclude_characters="\x00"), max_size=10)


def _text(declared: str, texts: list[str], more: st.SearchStrategy[str], prefix: str) -> Kind:
    made = tuple(f"CAST({literal(text, prefix)} AS {declared})" for text in texts)
    made += tuple(f"CAST(REPLICATE(CAST({literal('ab', prefix)} AS {declared}), {n}) AS {declared})" for n in (5, 20))
    return Kind(
        declared, made, more.map(lambda text: f"CAST({literal(text, prefix)} AS {declared})"), TEXT_TRUTH, _utf16
    )


def _long(declared: str, texts: list[str], more: st.SearchStrategy[str], prefix: str) -> Kind:
    kind = _text(declared, texts, more, prefix)
    long = [
        f"REPLICATE(CAST({literal(unit, prefix)} AS {declared}), {n})"
        for unit in ("ab", "ß")
        for n in (4000, 4001, 9000, 70_000)
    ]
    return Kind(declared, (*kind.edges, *long), kind.more, kind.truth, kind.shown)


BYTES = [
    *("", "00", "FF", "0000", "00FF", "FF00", "0D0A", "1A", "7F", "80", "8000", "C328", "EFBBBF", "EFBFBD", "F09F9880"),
    *("FEFF", "FFFE", "D83DDE00", "3DD800DE", "20", "2020", "0020", "2000", "27", "5C", "5C30", "30783030", "DEADBEEF"),
    *("CAFEBABE", "0123456789ABCDEF", "FFFFFFFFFFFFFFFF", "0000000000000001", "0100000000000000", "7FFFFFFFFFFFFFFF"),
    *("8000000000000000", "AA55AA55", "55AA55AA", "00112233", "44556677", "8899AABB", "CCDDEEFF", "E0A080", "ED A0 80"),
]


def _binary(declared: str, width: int, long: bool = False) -> Kind:
    made = [
        f"CAST(0x{value.replace(' ', '')} AS {declared})" for value in BYTES if len(value.replace(" ", "")) <= 2 * width
    ]
    made += [f"CAST(0x{n:04X} AS {declared})" for n in range(1, 30, 3)]
    if long:
        made += [f"CAST(REPLICATE(CAST('ab' AS VARCHAR(MAX)), {n}) AS {declared})" for n in (4000, 4001, 9000, 70_000)]
    more = st.binary(max_size=width).map(lambda value: f"CAST(0x{value.hex()} AS {declared})")
    return Kind(declared, tuple(made), more, BINARY_TRUTH, _hex)


GUIDS = [
    *("00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    *("01020304-0506-0708-090A-0B0C0D0E0F10", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    *(f"{1 << (4 * n):032X}" for n in range(32)),
    *(f"{15 << (4 * n):032x}" for n in range(0, 32, 4)),
]


def _dashed(text: str) -> str:
    plain = text.replace("-", "")
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


DOCUMENTS = [
    *(
        "<a/>",
        "<a></a>",
        "<a>text</a>",
        '<a b="c"/>',
        "<a>&lt;&amp;&gt;</a>",
        "<a>ä😀日</a>",
        "<a><b/><b/></a>",
        "<a> x </a>",
    ),
    *("text alone", "", "<a/><b/>", '<a xmlns="urn:x"><b/></a>', '<x:a xmlns:x="urn:x"/>', "<a>it''s</a>"),
    *(f'<row id="{n}"><v>{n * n}</v><t>{"x" * n}</t></row>' for n in range(28)),
]

# Each as (T-SQL, what arrives): the base type, a colon and the value.
VARIANTS: list[tuple[str, str]] = [
    *((f"CAST({n} AS INT)", f"int:{n}") for n in (0, 1, -1, 2147483647, -2147483648)),
    *((f"CAST({n} AS BIGINT)", f"bigint:{n}") for n in (0, 9223372036854775807)),
    *((f"CAST({n} AS SMALLINT)", f"smallint:{n}") for n in (-32768, 32767)),
    *((f"CAST({n} AS TINYINT)", f"tinyint:{n}") for n in (0, 255)),
    *((f"CAST({n} AS BIT)", f"bit:{n}") for n in (0, 1)),
    ("CAST('12.3400' AS DECIMAL(10,4))", "decimal:12.3400"),
    ("CAST('-0.01' AS NUMERIC(12,2))", "numeric:-0.01"),
    ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))", "decimal:" + "9" * 38),
    ("CAST('922337203685477.5807' AS MONEY)", "money:922337203685477.5807"),
    ("CAST('-0.0001' AS MONEY)", "money:-0.0001"),
    ("CAST('214748.3647' AS SMALLMONEY)", "smallmoney:214748.3647"),
    ("CAST('0.1' AS FLOAT)", "float:0.1"),
    ("CAST('1.7976931348623157e308' AS FLOAT)", "float:1.7976931348623157e308"),
    ("CAST('0.5' AS REAL)", "real:0.5"),
    ("CAST('0.1' AS REAL)", "real:0.1"),
    ("CAST('0001-01-01' AS DATE)", "date:0001-01-01"),
    ("CAST('9999-12-31' AS DATE)", "date:9999-12-31"),
    ("CAST('23:59:59.9999999' AS TIME(7))", "time:23:59:59.9999999"),
    ("CAST('2024-02-29 12:00:00.003' AS DATETIME)", "datetime:2024-02-29 12:00:00.003"),
    ("CAST('2024-02-29 12:01:00' AS SMALLDATETIME)", "smalldatetime:2024-02-29 12:01:00"),
    ("CAST('9999-12-31 23:59:59.9999999' AS DATETIME2(7))", "datetime2:9999-12-31 23:59:59.9999999"),
    ("CAST('0001-01-01 00:00:00.0000001' AS DATETIME2(7))", "datetime2:0001-01-01 00:00:00.0000001"),
    (
        "CAST('2024-02-29 12:00:00.1234567 -03:30' AS DATETIMEOFFSET(7))",
        "datetimeoffset:2024-02-29 12:00:00.1234567 -03:30",
    ),
    ("CAST('' AS VARCHAR(10))", "varchar:"),
    ("CAST(' a ' AS VARCHAR(10))", "varchar: a "),
    ("CAST('a:b' AS VARCHAR(10))", "varchar:a:b"),
    ("CAST('ß' AS VARCHAR(10))", "varchar:ß"),
    ("CAST(N'日本😀' AS NVARCHAR(10))", "nvarchar:日本😀"),
    ("CAST(N'it''s' AS NVARCHAR(10))", "nvarchar:it's"),
    ("CAST('ab' AS CHAR(4))", "char:ab  "),
    ("CAST(N'äb' AS NCHAR(4))", "nchar:äb  "),
    ("CAST(0x00FF AS BINARY(2))", "binary:0x00FF"),
    ("CAST(0xDEADBEEF AS VARBINARY(10))", "varbinary:0xDEADBEEF"),
    ("CAST(0x AS VARBINARY(10))", "varbinary:0x"),
    (
        "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS UNIQUEIDENTIFIER)",
        "uniqueidentifier:6F9619FF-8B86-D011-B42D-00C04FC964FF",
    ),
    ("CAST(NULL AS INT)", ""),
]


def variant(text: str | None) -> str | None:
    """What arrives of a sql_variant, its floats by their bits: 17 digits are written in more than one way."""
    base, _, value = (text or "").partition(":")
    if base == "float":
        return f"float:{_bits(value)}"
    return f"real:{struct.pack('>f', float(value)).hex()}" if base == "real" else text or None


PATHS = ["/", "/1/", "/2/", "/1/1/", "/1/2/", "/1/2.1/", "/0/", "/-1/", "/1/-1/", "/1.5/", "/1.5.9/", "/3/4/5/6/7/"]
PATHS += [f"/{n}/" for n in (3, 4, 7, 8, 15, 16, 79, 80, 1103, 1104, 5199, 5200, 100000)] + [
    f"/1/{n}/2/" for n in range(15)
]

POINTS = [(0, 0), (1, 2), (-1, -2), (180, 90), (-180, -90), (0.1, 0.2), (13.404954, 52.520008), (1e-10, 1e-10)]


def _shapes(kind: str) -> tuple[str, ...]:
    points = [*POINTS, *((n / 7, n / 3) for n in range(-12, 13))]
    made = [f"{kind}::STGeomFromText('POINT ({x!r} {y!r})', 4326)" for x, y in points]
    made += [f"{kind}::STGeomFromText('LINESTRING (0 0, {n} {n / 3!r})', 4326)" for n in range(1, 8)]
    return tuple(made)


KINDS: tuple[Kind, ...] = (
    Kind("BIT", ("0", "1") * 20, st.sampled_from("01"), "CONVERT(VARCHAR(1), v)", _whole),
    _integers("TINYINT", 0, 255),
    _integers("SMALLINT", -(2**15), 2**15 - 1),
    _integers("INT", -(2**31), 2**31 - 1),
    _integers("BIGINT", -(2**63), 2**63 - 1),
    _decimals("DECIMAL(38,0)", 38, 0),
    _decimals("DECIMAL(38,10)", 38, 10),
    _decimals("DECIMAL(38,37)", 38, 37),
    _decimals("DECIMAL(38,38)", 38, 38),
    _decimals("NUMERIC(19,4)", 19, 4),
    _decimals("NUMERIC(9,9)", 9, 9),
    _money("MONEY", 63),
    _money("SMALLMONEY", 31),
    _floats("FLOAT", 64),
    _floats("REAL", 32),
    Kind(
        "DATE",
        _cast(DAYS, "DATE"),
        st.dates().map(lambda day: f"CAST('{day.isoformat()}' AS DATE)"),
        "CONVERT(VARCHAR(10), v, 23)",
        str,
    ),
    *(_times(digits) for digits in (0, 3, 6, 7)),
    _datetime(),
    _smalldatetime(),
    *(_datetime2(digits) for digits in (0, 3, 6, 7)),
    *(_datetimeoffset(digits) for digits in (0, 3, 7)),
    _text("CHAR(40)", WESTERN, LATIN, ""),
    _text("VARCHAR(50)", WESTERN, LATIN, ""),
    _long("VARCHAR(MAX)", WESTERN, LATIN, ""),
    _text("NCHAR(40)", WORLD, ANY, "N"),
    _text("NVARCHAR(50)", WORLD, ANY, "N"),
    _long("NVARCHAR(MAX)", WORLD, ANY, "N"),
    _text("TEXT", WESTERN, LATIN, ""),
    _text("NTEXT", WORLD, ANY, "N"),
    _binary("BINARY(8)", 8),
    _binary("VARBINARY(50)", 50),
    _binary("VARBINARY(MAX)", 50, long=True),
    _binary("IMAGE", 50),
    Kind(
        "UNIQUEIDENTIFIER",
        _cast([_dashed(text) for text in GUIDS], "UNIQUEIDENTIFIER"),
        st.uuids().map(lambda value: f"CAST('{value}' AS UNIQUEIDENTIFIER)"),
        "CONVERT(CHAR(36), v)",
        str,
    ),
    Kind("XML", tuple(f"CAST(N'{text}' AS XML)" for text in DOCUMENTS), None, TEXT_TRUTH, _utf16),
    Kind("SQL_VARIANT", tuple(sql for sql, _ in VARIANTS), None, "NULL", str),
    Kind("HIERARCHYID", tuple(f"hierarchyid::Parse('{path}')" for path in PATHS), None, "v.ToString()", str),
    Kind("GEOGRAPHY", _shapes("geography"), None, BINARY_TRUTH, _hex),
    Kind("GEOMETRY", _shapes("geometry"), None, BINARY_TRUTH, _hex),
    Kind(
        "JSON",
        tuple(f'CAST(N\'{{"n":{n},"t":"{"ä" * n}","l":[1,2.50,null,true]}}\' AS JSON)' for n in range(40)),
        None,
        TEXT_TRUTH,
        _utf16,
    ),
)
