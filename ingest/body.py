"""A request's body in bounds: its size as sent, its size inflated, and how far it may grow."""

import zlib

import zstandard

from ingest.errors import BodyTooLarge, BrokenCompression, InflatesTooMuch, UnknownEncoding

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_INFLATED_BYTES = 8 * 1024 * 1024
MAX_RATIO = 100
MAX_RECORDS = 5000
ENCODINGS = ("identity", "gzip", "zstd")
_STEP_BYTES = 64 * 1024


def inflate(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding, never holding more than the cap.

    Raises `BodyTooLarge`, `InflatesTooMuch`, `BrokenCompression` (truncated, several members, or not that encoding),
    `UnknownEncoding`.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _inflate_gzip(body)
        case "zstd":
            plain = _inflate_zstd(body)
        case _:
            raise UnknownEncoding("Content-Encoding", encoding[:40], ENCODINGS)
    return plain


def _inflate_gzip(body: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)  # 31: a gzip header and trailer, and nothing else
    inflated = bytearray()
    rest = body
    try:
        while not stream.eof and rest:
            inflated += stream.decompress(rest, _STEP_BYTES)
            _check_growth(len(inflated), len(body))
            rest = stream.unconsumed_tail
    except zlib.error as err:
        raise BrokenCompression("gzip", "it is damaged or not gzip") from err
    if not stream.eof:
        raise BrokenCompression("gzip", "it ends too early")
    if stream.unused_data:
        raise BrokenCompression("gzip", "bytes follow its first member")
    return bytes(inflated)


def _inflate_zstd(body: bytes) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_INFLATED_BYTES)
    size = 0
    try:
        # Measured piece by piece first: the second pass, which alone knows the stream's end, then fits the cap.
        with decompressor.stream_reader(body, read_across_frames=False) as reader:
            while piece := reader.read(_STEP_BYTES):
                size += len(piece)
                _check_growth(size, len(body))
        stream = decompressor.decompressobj()
        inflated = stream.decompress(body)
    except zstandard.ZstdError as err:
        raise BrokenCompression("zstd", "it is damaged or not zstd") from err
    if not stream.eof:
        raise BrokenCompression("zstd", "it ends too early")
    if stream.unused_data:
        raise BrokenCompression("zstd", "bytes follow its first frame")
    return inflated


def _check_growth(inflated_bytes: int, sent_bytes: int) -> None:
    if inflated_bytes > MAX_INFLATED_BYTES:
        raise BodyTooLarge(MAX_INFLATED_BYTES, inflated=True)
    if inflated_bytes > MAX_RATIO * sent_bytes:
        raise InflatesTooMuch(MAX_RATIO)
