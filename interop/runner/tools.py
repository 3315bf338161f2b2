"""Apache Kafka's own command-line tools, as an operator types them."""
from . import cache

TOOLS = "org.apache.kafka.tools"


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
        self._topics("--create", "--topic", "tool-verifiable")
        said = self._run("VerifiableProducer", "--topic", "tool-verifiable", "--max-messages", "500", "--acks", "-1")
        _contains(said, '"acked":500')

    def producer_performance(self):
        self._topics("--create", "--topic", "tool-perf")
        said = cache.output(cache.java("tools", f"{TOOLS}.ProducerPerformance", "--topic", "tool-perf", "--num-records", "20000",
                                       "--record-size", "1000", "--throughput", "-1", "--bootstrap-server", self.address))
        _contains(said, "20000 records sent")

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
        command = cache.java("tools", f"{TOOLS}.{tool}", "--bootstrap-server", self.address, *arguments,
                             options=["-XX:TieredStopAtLevel=1"])
        return cache.output(command, input_text)


def _contains(text, wanted):
    if wanted not in text:
        raise AssertionError(f"{wanted!r} is not in {text[-1500:]!r}")


def _lacks(text, unwanted):
    if unwanted in text:
        raise AssertionError(f"{unwanted!r} is in {text[-1500:]!r}")


def _equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")
