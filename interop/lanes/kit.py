"""What the Python lanes share: the corpus, the bulk records, the line printed for each check."""
import base64
import dataclasses
import hashlib
import sys
import traceback

BULK_RECORDS = 100_000
BULK_PARTITIONS = 4
PATTERN = bytes(range(256)) * 3
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LARGE_BYTES = 4 << 20
ROOMY = {"max.message.bytes": str(LARGE_BYTES), "retention.ms": "-1"}


@dataclasses.dataclass(frozen=True)
class Record:
    """One record as a lane compares it."""
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple


def read_corpus(path):
    """The records of a corpus file, in order."""
    with open(path, encoding="ascii") as lines:
        return [_record(line.rstrip("\n").split("\t")) for line in lines]


def bulk_record(number):
    """Key and value of the `number`-th bulk record; every lane generates the same."""
    start = number % 256
    return b"%d" % number, b"%d:" % number + PATTERN[start:start + number % 300]


class Fingerprint:
    """One hash over keys and values of records in order."""

    def __init__(self):
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, key, value):
        self._hash.update(b"%d,%d;" % (len(key), len(value)))
        self._hash.update(key)
        self._hash.update(value)
        self.count += 1

    def __eq__(self, other):
        return self.count == other.count and self._hash.digest() == other._hash.digest()

    def __repr__(self):
        return f"{self.count} records, {self._hash.hexdigest()[:16]}"


def same(got, wanted, what):
    """Fails with both sides named when they differ."""
    if got != wanted:
        raise AssertionError(f"{what}: got {_short(got)}, wanted {_short(wanted)}")


def same_records(got, wanted):
    """Compares records one by one, so that a failure names the first that differs."""
    for number, (left, right) in enumerate(zip(got, wanted)):
        for field in dataclasses.fields(Record):
            same(getattr(left, field.name), getattr(right, field.name), f"record {number} {field.name}")
    same(len(got), len(wanted), "number of records")


def run_checks(checks):
    """Runs (name, function) pairs, a line each; returns the exit code. The first failure ends the lane."""
    passed = 0
    for name, check in checks:
        try:
            check()
        except Exception as error:  # a lane reports whatever its client raises
            traceback.print_exc()
            print(f"FAIL {name}: {type(error).__name__}: {error}")
            print(f"{passed} passed, 1 failed")
            return 1
        passed += 1
        print(f"ok   {name}", flush=True)
    print(f"{passed} passed, 0 failed")
    return 0


def main(lane_class):
    """`lane.py ADDRESS CORPUS all | write TOPIC | read TOPIC`."""
    address, corpus, action, *topic = sys.argv[1:]
    lane = lane_class(address, read_corpus(corpus))
    actions = {
        "all": lambda: lane.checks(),
        "write": lambda: [(f"writes {topic[0]}", lambda: lane.write_corpus(topic[0], "none"))],
        "read": lambda: [(f"reads {topic[0]}", lambda: same_records(lane.read_corpus(topic[0]), lane.corpus))],
    }
    sys.exit(run_checks(actions[action]()))


def _record(fields):
    timestamp, key, value, headers = fields
    pairs = [pair.split(":") for pair in headers.split(",")] if headers else []
    return Record(int(timestamp), _bytes(key), _bytes(value),
                  tuple((base64.b64decode(name).decode(), _bytes(content)) for name, content in pairs))


def _bytes(text):
    return None if text == "-" else base64.b64decode(text)


def _short(value):
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}… ({len(text)} characters)"
