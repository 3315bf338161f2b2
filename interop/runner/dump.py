"""kafka-dump-log over every file of a data directory, and `ottla dump-log`, which has to print the same lines."""
from . import cache
from .servers import ottla_binary

TOOL = "org.apache.kafka.tools.DumpLogSegments"
METADATA = "__cluster_metadata-0"
# Topics that the platform keeps for itself, and how their records are read. The tool that is at hand is of 4.3, which
# shows the states of transactions as numbers: those are left to the lane `golden`.
DECODERS = {"__consumer_offsets": "--offsets-decoder", "__share_group_state": "--share-group-state-decoder"}
COMPLAINTS = ("isvalid: false", "Mismatches in", "Non-consecutive", "not found in", "out of order", "Exception",
              "Found timestamp mismatch", "bytes at the end", "UNKNOWN")


def check(data):
    """Dumps logs, indexes and producer snapshots of every partition, the metadata log decoded; fails at a complaint."""
    partitions = sorted(each for each in data.iterdir() if each.is_dir() and not each.name.endswith("-delete"))
    files = [path for partition in partitions if partition.name != METADATA for path in _files(partition)]
    if not files:
        raise AssertionError(f"{data} has no files to dump")
    _dump(files)
    for partition in partitions:
        decoder = DECODERS.get(partition.name.rpartition("-")[0])
        if decoder and _files(partition):
            _dump(sorted(partition.glob("*.log")), decoder)
    _dump(_files(data / METADATA) + sorted((data / METADATA).glob("*.checkpoint")), "--cluster-metadata-decoder")


def _files(partition):
    """What the tool can read: it stumbles over an index without entries, whoever wrote it."""
    found = []
    for log in sorted(partition.glob("*.log")):
        found.append(log)
        indexes = [log.with_suffix(".index"), log.with_suffix(".timeindex")]
        found += [index for index in indexes if index.exists() and _has_entries(index)]
    return found + sorted(partition.glob("*.snapshot"))


def _has_entries(index):
    return any(index.read_bytes()[:12])


def _dump(files, *flags):
    said = cache.output(cache.java("tools", TOOL, *flags, "--files", ",".join(map(str, files)),
                                   options=["-XX:TieredStopAtLevel=1"]), within_s=300)
    complaints = [line for line in said.splitlines() if any(each in line for each in COMPLAINTS)]
    if complaints:
        raise AssertionError(f"kafka-dump-log complains: {complaints[:5]}")
    missing = [path.name for path in files if f"Dumping {path}" not in said]
    if missing:
        raise AssertionError(f"kafka-dump-log passed over {missing[:5]}")
    _same(said, cache.output([ottla_binary(), "dump-log", *flags, "--files", ",".join(map(str, files))], within_s=300))


def _same(theirs, ours):
    theirs, ours = theirs.splitlines(), ours.splitlines()
    for their, our in zip(theirs, ours):
        if their != our:
            raise AssertionError(f"ottla dump-log prints {our!r}, kafka-dump-log {their!r}")
    if len(theirs) != len(ours):
        raise AssertionError(f"ottla dump-log prints {len(ours)} lines, kafka-dump-log {len(theirs)}")
