"""The keyed mask is HMAC-SHA256 as Python's own library has it, for whatever key and value."""

from __future__ import annotations

import hashlib
import hmac
import random

import pyarrow as pa
import pytest

from el.extraction.keyed_mask import KeyedMask


@pytest.mark.parametrize("length", [1, 32, 63, 64, 65, 200])
def test_masks_are_those_of_pythons_hmac(length: int) -> None:
    dice = random.Random(length)
    key = dice.randbytes(length)
    values = [
        "",
        "a",
        "Ünïcödé 漢字 \N{GRINNING FACE}",
        *(dice.randbytes(dice.randint(0, 300)).hex() for _ in range(300)),
    ]
    digests = [hashlib.sha256(value.encode()).digest() for value in values]
    given = pa.array([None, *(digest.hex() for digest in digests), None])
    mask = KeyedMask(key)
    masked = mask.of(given)
    assert masked.type == pa.string()
    assert masked.to_pylist() == [None, *(hmac.digest(key, digest, "sha256").hex() for digest in digests), None]
    assert mask.of(given.slice(1, 2)).to_pylist() == masked.to_pylist()[1:3]
    assert mask.of(given.slice(0, 0)).to_pylist() == []
    mask.close()
