"""Apache Kafka's own command-line tools, as an operator types them."""
import json
import signal
import subprocess

from . import cache

TOOLS = "org.apache.kafka.tools"
PROTOCOLS = ("classic", "consumer")
PERF_RECORDS = 20000
VERIFIED = 500
# What the first of two verifiable consumers takes; the second takes the rest.
VERIFIED_FIRST = 300


def run(node, tally):
    """Runs the tools one after the other; false at the first that fails."""
    tools = Tools(node.address)
    checks = [
        ("kafka-topics --create --describe --list --alter --delete", tools.topics),
        ("kafka-topics refuses a topic that exists", tools.topic_exists),
        ("kafka-console-producer | kafka-console-consumer: keys, headers, null marker", tools.console),
        ("kafka-console-consumer from an offset", tools.console_offset),
        ("kafka-get-offsets", tools.offsets),
        ("kafka-configs --describe --alter for a topic: set, append, delete", tools.configs),
        ("kafka-configs --describe --alter for a group: set, bounds, delete", tools.group_configs),
        ("kafka-delete-records", tools.delete_records),
        ("kafka-broker-api-versions", tools.api_versions),
        ("kafka-cluster cluster-id", tools.cluster_id),
        ("kafka-verifiable-producer", tools.verifiable_producer),
        ("kafka-producer-perf-test", tools.producer_performance),
    ]
    for protocol in PROTOCOLS:
        checks += [
            (f"kafka-consumer-perf-test in a group of the protocol {protocol}",
             lambda protocol=protocol: tools.consumer_performance(protocol)),
            (f"kafka-verifiable-consumer, protocol {protocol}: what it says is committed, a second one goes on there",
             lambda protocol=protocol: tools.verifiable_consumer(protocol)),
        ]
    return all(tally.check(name, check) for name, check in checks)


class Tools:
    """The tools against one address."""

    def __init__(self, address):
        self.address = address

    def topics(self):
        self._topics("--create", "--topic", "tool-life", "--partitions", "3", "--config", "retention.ms=12345")
        described = self._topics("--describe", "--topic", "tool-life")
        for wanted in ("PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=12345", "Leader: 1"):
            _contains(described, wanted)
        _contains(self._topics("--list"), "tool-life")
        self._topics("--alter", "--topic", "tool-life", "--partitions", "5")
        _contains(self._topics("--describe", "--topic", "tool-life"), "Partition: 4")
        self._topics("--delete", "--topic", "tool-life")
        if "tool-life" in self._topics("--list"):
            raise AssertionError("a deleted topic is listed")

    def topic_exists(self):
        self._topics("--create", "--topic", "tool-twice")
        try:
            self._topics("--create", "--topic", "tool-twice")
        except RuntimeError as error:
            _contains(str(error), "Topic 'tool-twice' already exists")
            return
        raise AssertionError("the second create passed")

    def console(self):
        self._topics("--create", "--topic", "tool-console")
        self._run("ConsoleProducer", "--topic", "tool-console", "--compression-codec", "zstd",
                  "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true",
                  "--reader-property", "null.marker=NULL",
                  input_text="a:1,b:2\tfirst\tone\nc:3\tsecond\ttwo\nd:4\tthird\tNULL\n")
        read = self._consume("tool-console", 3, "--from-beginning", "--formatter-property", "print.key=true",
                             "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true")
        wanted = ["Offset:0\ta:1,b:2\tfirst\tone", "Offset:1\tc:3\tsecond\ttwo", "Offset:2\td:4\tthird\tnull"]
        _equal(read.splitlines(), wanted)

    def console_offset(self):
        _equal(self._consume("tool-console", 1, "--offset", "1").splitlines(), ["two"])

    def offsets(self):
        _equal(self._run("GetOffsetShell", "--topic", "tool-console").strip(), "tool-console:0:3")
        _equal(self._run("GetOffsetShell", "--topic", "tool-console", "--time", "earliest").strip(), "tool-console:0:0")
        _equal(self._run("GetOffsetShell", "--topic", "tool-console", "--time", "max-timestamp").split(":")[0], "tool-console")

    def configs(self):
        topic = ("--entity-type", "topics", "--entity-name", "tool-console")
        _contains(self._configs("--describe", *topic, "--all"), "retention.ms=604800000")
        self._configs("--alter", *topic, "--add-config", "retention.ms=86400000,cleanup.policy=[compact,delete]")
        described = self._configs("--describe", *topic)
        _contains(described, "retention.ms=86400000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=86400000")
        _contains(described, "cleanup.policy=compact,delete")
        self._configs("--alter", *topic, "--delete-config", "retention.ms,cleanup.policy")
        _lacks(self._configs("--describe", *topic), "retention.ms")
        self._configs_refuse("Unknown topic config name: no.such", "--alter", *topic, "--add-config", "no.such=1")

    def group_configs(self):
        group = ("--entity-type", "groups", "--entity-name", "tool-group")
        _contains(self._configs("--describe", *group), "The group 'tool-group' doesn't exist and doesn't have dynamic config.")
        self._configs("--alter", *group, "--add-config", "consumer.session.timeout.ms=50000")
        _contains(self._configs("--describe", *group), "consumer.session.timeout.ms=50000 sensitive=false synonyms="
                  "{DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, "
                  "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}")
        _contains(self._configs("--describe", "--entity-type", "groups"), "Dynamic configs for group tool-group are:")
        _contains(self._configs("--describe", *group, "--all"), "consumer.heartbeat.interval.ms=5000")
        self._configs_refuse("consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.",
                             "--alter", *group, "--add-config", "consumer.session.timeout.ms=70000")
        self._configs("--alter", *group, "--delete-config", "consumer.session.timeout.ms")
        _lacks(self._configs("--describe", "--entity-type", "groups"), "tool-group")

    def delete_records(self):
        path = cache.folder() / "delete-records.json"
        path.write_text('{"version":1,"partitions":[{"topic":"tool-console","partition":0,"offset":2}]}')
        _contains(self._run("DeleteRecordsCommand", "--offset-json-file", str(path)), "low_watermark: 2")

    def api_versions(self):
        _contains(self._run("BrokerApiVersionsCommand"), "Produce(0): ")

    def cluster_id(self):
        _contains(cache.output(cache.java("tools", f"{TOOLS}.ClusterTool", "cluster-id",
                                          "--bootstrap-server", self.address)), "Cluster ID: ")

    def verifiable_producer(self):
        self._topics("--create", "--topic", "tool-verifiable", "--partitions", "3")
        said = self._run("VerifiableProducer", "--topic", "tool-verifiable", "--max-messages", str(VERIFIED), "--acks", "-1")
        _contains(said, f'"acked":{VERIFIED}')

    def producer_performance(self):
        self._topics("--create", "--topic", "tool-perf")
        said = cache.output(cache.java("tools", f"{TOOLS}.ProducerPerformance", "--topic", "tool-perf", "--num-records", str(PERF_RECORDS),
                                       "--record-size", "1000", "--throughput", "-1", "--bootstrap-server", self.address))
        _contains(said, f"{PERF_RECORDS} records sent")

    def consumer_performance(self, protocol):
        group = f"tool-perf-{protocol}"
        said = self._run("ConsumerPerformance", "--topic", "tool-perf", "--group", group, "--num-records", str(PERF_RECORDS),
                         "--timeout", "30000", "--command-property", f"group.protocol={protocol}")
        header, figures = said.strip().splitlines()
        columns = dict(zip(header.split(", "), figures.split(", ")))
        _equal(columns["data.consumed.in.nMsg"], str(PERF_RECORDS))
        _equal(self._committed(group), {("tool-perf", 0): PERF_RECORDS})

    def verifiable_consumer(self, protocol):
        """One takes so many and ends by itself, the next takes the rest and is ended by SIGTERM."""
        group = f"tool-verifiable-{protocol}"
        first = Events(self._run(*self._verifiable(group, protocol, "--max-messages", str(VERIFIED_FIRST))).splitlines())
        _equal(len(first.places("partitions_assigned")), 3)
        _equal(first.count(), VERIFIED_FIRST)
        _equal(self._committed(group), first.committed())
        rest = self._until(VERIFIED - VERIFIED_FIRST, self._command(*self._verifiable(group, protocol)))
        _equal(self._committed(group), first.committed() | rest.committed())
        _equal(sum((first.committed() | rest.committed()).values()), VERIFIED)
        for place, (start, _) in rest.ranges().items():
            _equal(start, first.committed().get(place, 0))

    def _verifiable(self, group, protocol, *arguments):
        return ("VerifiableConsumer", "--topic", "tool-verifiable", "--group-id", group, "--group-protocol", protocol, *arguments)

    def _until(self, count, command):
        """Runs a verifiable consumer until it has taken so many records; ends it by SIGTERM."""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            lines = []
            while Events(lines).count() < count:
                line = process.stdout.readline()
                if not line:
                    raise AssertionError(f"it ended after {lines[-3:]!r}")
                lines.append(line)
            process.send_signal(signal.SIGTERM)
            lines += process.stdout.readlines()
            process.wait(60)
        for name in ("shutdown_requested", "shutdown_complete"):
            _contains("".join(lines), name)
        return Events(lines)

    def _committed(self, group):
        """What the group has committed, by topic and partition."""
        lines = self._run("consumer.group.ConsumerGroupCommand", "--describe", "--offsets", "--group", group).splitlines()
        rows = [line.split() for line in lines if line.startswith(f"{group} ")]
        return {(row[1], int(row[2])): int(row[3]) for row in rows if row[3] != "-"}

    def _configs(self, *arguments):
        return cache.output(cache.java("tools", "kafka.admin.ConfigCommand", "--bootstrap-server", self.address, *arguments,
                                       options=["-XX:TieredStopAtLevel=1"]))

    def _configs_refuse(self, text, *arguments):
        try:
            self._configs(*arguments)
        except RuntimeError as error:
            _contains(str(error), text)
            return
        raise AssertionError(f"passed: {arguments}")

    def _topics(self, *arguments):
        return self._run("TopicCommand", *arguments)

    def _consume(self, topic, count, *arguments):
        return self._run("consumer.ConsoleConsumer", "--topic", topic, "--partition", "0", "--timeout-ms", "15000",
                         "--max-messages", str(count), *arguments)

    def _run(self, tool, *arguments, input_text=None):
        return cache.output(self._command(tool, *arguments), input_text)

    def _command(self, tool, *arguments):
        return cache.java("tools", f"{TOOLS}.{tool}", "--bootstrap-server", self.address, *arguments,
                          options=["-XX:TieredStopAtLevel=1"])


class Events:
    """What a verifiable consumer has said, a line of JSON each."""

    def __init__(self, lines):
        self.events = [json.loads(line) for line in lines]

    def named(self, name):
        return [event for event in self.events if event["name"] == name]

    def places(self, name):
        return {(place["topic"], place["partition"]) for event in self.named(name) for place in event["partitions"]}

    def count(self):
        """How many records it has taken."""
        return sum(part["count"] for event in self.named("records_consumed") for part in event["partitions"])

    def ranges(self):
        """First and last offset taken of each partition, between which none may be missing."""
        ranges = {}
        for event in self.named("records_consumed"):
            for part in event["partitions"]:
                place = (part["topic"], part["partition"])
                start, last = ranges.get(place, (part["minOffset"], part["minOffset"] - 1))
                _equal((part["minOffset"], part["maxOffset"]), (last + 1, last + part["count"]))
                ranges[place] = (start, part["maxOffset"])
        return ranges

    def committed(self):
        """The last offset that it says it has committed of each partition."""
        committed = {}
        for event in self.named("offsets_committed"):
            _equal(event["success"], True)
            committed |= {(one["topic"], one["partition"]): one["offset"] for one in event["offsets"]}
        _equal(committed, {place: last + 1 for place, (_, last) in self.ranges().items()})
        return committed


def _contains(text, wanted):
    if wanted not in text:
        raise AssertionError(f"{wanted!r} is not in {text[-1500:]!r}")


def _lacks(text, unwanted):
    if unwanted in text:
        raise AssertionError(f"{unwanted!r} is in {text[-1500:]!r}")


def _equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")
