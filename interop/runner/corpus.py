"""The awkward records every client writes and every client reads back.

One line a record: timestamp, key, value, headers, separated by tabs. Bytes are base64, `-` is null, nothing is empty;
headers are `name:value` separated by commas, in order and possibly repeated.
"""
import base64
import hashlib

FIRST_TIMESTAMP_MS = 1_700_000_000_000


def write(path, null_headers=True):
    """Writes the corpus to `path`, without the records that have null header values if the writing client has none."""
    records = [each for each in _records() if null_headers or all(content is not None for _, content in each[2])]
    lines = []
    for number, (key, value, headers) in enumerate(records):
        parts = [str(FIRST_TIMESTAMP_MS + number * 1000), _bytes(key), _bytes(value),
                 ",".join(f"{_bytes(name.encode())}:{_bytes(content)}" for name, content in headers)]
        lines.append("\t".join(parts) + "\n")
    path.write_text("".join(lines))


def _records():
    yield None, b"a value without key", []
    yield b"key", b"value", []
    yield b"", b"empty key", []
    yield b"empty value", b"", []
    yield b"tombstone", None, []
    yield b"\x00\xff\x80", bytes(range(256)), []
    yield "schlüssel".encode(), "wert ✓".encode(), [("überschrift", "✓".encode())]
    yield b"h", b"one header", [("name", b"value")]
    yield b"h", b"null header value", [("null", None)]
    yield b"h", b"empty header value", [("empty", b"")]
    yield b"h", b"duplicates in order", [("same", b"1"), ("other", b"2"), ("same", b"3"), ("same", b"1")]
    yield b"h", b"many", [(f"h{i}", bytes([i])) for i in range(100)]
    yield b"1 MiB", _noise(1 << 20), []
    yield b"1 MiB of one byte", b"x" * (1 << 20), []
    for number in range(20):
        yield str(number).encode(), _noise(number * 97), [("number", str(number).encode())]


def _noise(length):
    blocks = (hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def _bytes(content):
    return "-" if content is None else base64.b64encode(content).decode()
