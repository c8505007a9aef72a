"""Rows 23 to 25: how large a body may be, and how far it may grow."""

import gzip
import zlib

import pytest
import zstandard

from ingest.body import MAX_INFLATED_BYTES, inflate
from ingest.errors import BodyTooLarge, BrokenCompression, InflatesTooMuch, UnknownEncoding

PLAIN = bytes(range(256)) * 40
ZSTD = zstandard.ZstdCompressor()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("", PLAIN),
        ("identity", PLAIN),
        ("gzip", gzip.compress(PLAIN)),
        ("GZIP", gzip.compress(PLAIN)),
        ("zstd", ZSTD.compress(PLAIN)),
    ],
)  # fmt: skip
def test_each_encoding_gives_back_the_plain_body(encoding: str, sent: bytes) -> None:
    assert inflate(sent, encoding) == PLAIN


@pytest.mark.parametrize("compress", [gzip.compress, ZSTD.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_refused_at_100_to_1(compress) -> None:  # type: ignore[no-untyped-def]
    bomb = compress(bytes(100_000_000))
    assert len(bomb) < 100_000
    with pytest.raises((InflatesTooMuch, BodyTooLarge)):
        inflate(bomb, "gzip" if bomb[:2] == b"\x1f\x8b" else "zstd")


def test_a_modest_ratio_still_ends_at_the_cap() -> None:
    # Four random bytes in sixteen: about 3 to 1, so only the absolute cap can stop it.
    sixteens = range(MAX_INFLATED_BYTES // 16 + 1)
    noise = b"".join(zlib.crc32(str(number).encode()).to_bytes(4) + bytes(12) for number in sixteens)
    with pytest.raises(BodyTooLarge):
        inflate(gzip.compress(noise, 1), "gzip")


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(PLAIN)[:-9]),
        ("gzip", gzip.compress(PLAIN) + gzip.compress(PLAIN)),
        ("gzip", PLAIN),
        ("gzip", b""),
        ("zstd", ZSTD.compress(PLAIN)[:-9]),
        ("zstd", ZSTD.compress(PLAIN) + ZSTD.compress(PLAIN)),
        ("zstd", PLAIN),
        ("zstd", gzip.compress(PLAIN)),
    ],
)
def test_truncated_doubled_or_wrongly_named_streams_are_refused(encoding: str, sent: bytes) -> None:
    with pytest.raises(BrokenCompression):
        inflate(sent, encoding)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "nonsense"])
def test_an_encoding_we_do_not_read_is_named(encoding: str) -> None:
    with pytest.raises(UnknownEncoding, match="gzip, zstd"):
        inflate(PLAIN, encoding)
