"""librdkafka (confluent-kafka) against a broker: records out and back, admin calls, errors. Partitions are assigned, no groups."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from confluent_kafka import (  # noqa: E402
    TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, KafkaException, Producer, TopicPartition,
)
from confluent_kafka.admin import (  # noqa: E402
    AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)
from confluent_kafka import TopicCollection  # noqa: E402

import kit  # noqa: E402


class LibrdkafkaLane:
    """The checks; each creates the topics it needs."""

    def __init__(self, address, corpus):
        self.address = address
        self.corpus = corpus
        self.admin = AdminClient({"bootstrap.servers": address})

    def checks(self):
        yield "creates, grows, describes and deletes a topic", self.topic_life
        yield "refuses a topic that exists, a bad name, too few partitions", self.topic_errors
        yield "describes the cluster and the configuration of a topic", self.descriptions
        for codec in kit.CODECS:
            yield f"{codec}: the corpus comes back equal", lambda codec=codec: self.codec_round_trip(codec)
        yield "LogAppendTime: the broker's clock is on each record", self.log_append_time
        yield "begin and end offsets, offsets for times", self.offsets
        yield "list offsets by the admin client", self.admin_offsets
        yield "delete records moves the begin offset", self.delete_records
        yield "an unknown topic is Kafka's error", self.unknown_topic
        yield "an oversized record is Kafka's error", self.oversized_record
        yield "acks 0 and 1 arrive", self.weak_acks
        yield "idempotent: in order, none twice", self.idempotent
        yield f"{kit.BULK_RECORDS} records come back byte-equal", self.bulk

    def topic_life(self):
        self.create("rd-life", partitions=2)
        kit.same(self.partitions("rd-life", 2), {0, 1}, "partitions after create")
        wait(self.admin.create_partitions([NewPartitions("rd-life", 5)]))
        kit.same(self.partitions("rd-life", 5), set(range(5)), "partitions after growing")
        described = self.admin.describe_topics(TopicCollection(["rd-life"]))["rd-life"].result()
        kit.same([partition.id for partition in described.partitions], list(range(5)), "described partitions")
        kit.same([len(partition.isr) for partition in described.partitions], [1] * 5, "in-sync replicas")
        wait(self.admin.delete_topics(["rd-life"]))
        assert "rd-life" not in self.admin.list_topics().topics, "a deleted topic is not listed"

    def topic_errors(self):
        self.create("rd-errors", partitions=3)
        expect(KafkaError.TOPIC_ALREADY_EXISTS, lambda: self.create("rd-errors"))
        expect(KafkaError.TOPIC_EXCEPTION, lambda: self.create("no/slash"))
        expect(KafkaError.INVALID_PARTITIONS,
               lambda: wait(self.admin.create_partitions([NewPartitions("rd-errors", 2)])))
        expect(KafkaError.INVALID_REPLICATION_FACTOR, lambda: wait(self.admin.create_topics([NewTopic("rd-3", 1, 3)])))
        expect(KafkaError.INVALID_CONFIG, lambda: self.create("rd-config", {"retention.ms": "soon"}))
        wait(self.admin.create_topics([NewTopic("rd-validated", 1, 1)], validate_only=True))
        assert "rd-validated" not in self.admin.list_topics().topics, "validate_only creates nothing"

    def descriptions(self):
        cluster = self.admin.describe_cluster().result()
        kit.same(len(cluster.nodes), 1, "nodes")
        assert cluster.cluster_id, "the cluster has an id"
        self.create("rd-config", {"retention.ms": "12345"})
        resource = ConfigResource(ResourceType.TOPIC, "rd-config")
        found = wait(self.admin.describe_configs([resource]))[0]
        kit.same(found["retention.ms"].value, "12345", "retention.ms")
        assert found["segment.bytes"].is_default, "segment.bytes is the default"

    def codec_round_trip(self, codec, topic=None):
        topic = topic or f"rd-{codec}"
        self.write_corpus(topic, codec)
        kit.same_records(self.read_corpus(topic), self.corpus)

    def log_append_time(self):
        self.create("rd-append-time", kit.ROOMY | {"message.timestamp.type": "LogAppendTime"})
        before = int(time.time() * 1000) - 1
        self.send("rd-append-time", self.corpus, {"compression.type": "gzip"})
        for message in self.read("rd-append-time", len(self.corpus)):
            kind, timestamp = message.timestamp()
            kit.same(kind, TIMESTAMP_LOG_APPEND_TIME, "timestamp type")
            assert before <= timestamp <= int(time.time() * 1000) + 1, timestamp

    def offsets(self):
        self.create("rd-offsets", kit.ROOMY)
        self.send("rd-offsets", self.corpus, {"batch.num.messages": 1})
        consumer = self.consumer()
        partition = TopicPartition("rd-offsets", 0)
        kit.same(consumer.get_watermark_offsets(partition, 10), (0, len(self.corpus)), "begin and end")
        last = self.corpus[-1].timestamp
        for wanted, timestamp in [(0, 0), (5, self.corpus[5].timestamp), (6, self.corpus[5].timestamp + 1), (-1, last + 1)]:
            found = consumer.offsets_for_times([TopicPartition("rd-offsets", 0, timestamp)], 10)[0]
            kit.same(found.offset, wanted, f"offset for {timestamp}")
        consumer.close()

    def admin_offsets(self):
        self.create("rd-admin-offsets", kit.ROOMY)
        self.send("rd-admin-offsets", self.corpus, {})
        partition = TopicPartition("rd-admin-offsets", 0)
        highest = max(range(len(self.corpus)), key=lambda number: self.corpus[number].timestamp)
        specs = [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), len(self.corpus)), (OffsetSpec.max_timestamp(), highest)]
        for spec, wanted in specs:
            found = self.admin.list_offsets({partition: spec})[partition].result()
            kit.same(found.offset, wanted, type(spec).__name__)

    def delete_records(self):
        self.create("rd-delete", kit.ROOMY)
        self.send("rd-delete", self.corpus, {"batch.num.messages": 1})
        deleted = wait(self.admin.delete_records([TopicPartition("rd-delete", 0, 7)]))
        kit.same(deleted[0].low_watermark, 7, "low watermark")
        kit.same(next(self.read("rd-delete", 1)).offset(), 7, "first record after delete")

    def unknown_topic(self):
        expect(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: wait(self.admin.delete_topics(["rd-nowhere"])))
        consumer = self.consumer()
        expect(KafkaError._UNKNOWN_PARTITION, lambda: consumer.get_watermark_offsets(TopicPartition("rd-nowhere", 0), 10))
        consumer.close()
        failures = []
        producer = self.producer({"message.timeout.ms": 3000, "topic.metadata.propagation.max.ms": 0})
        producer.produce("rd-nowhere", b"x", on_delivery=lambda error, _: failures.append(error.code()))
        producer.flush(10)
        kit.same(failures, [KafkaError.UNKNOWN_TOPIC_OR_PART], "delivery error")

    def oversized_record(self):
        self.create("rd-small", {"max.message.bytes": "1000"})
        failures = []
        producer = self.producer({})
        for value in (b"x" * 2000, b"small"):
            producer.produce("rd-small", value, on_delivery=lambda error, _: failures.append(error and error.code()))
            producer.flush(10)
        kit.same(failures, [KafkaError.MSG_SIZE_TOO_LARGE, None], "delivery errors")

    def weak_acks(self):
        self.create("rd-acks")
        for acks in (0, 1):
            producer = self.producer({"acks": acks})
            for number in range(100):
                producer.produce("rd-acks", b"%d %d" % (acks, number))
            kit.same(producer.flush(10), 0, "left in the queue")
        values = [message.value() for message in self.read("rd-acks", 200)]
        kit.same(values, [b"%d %d" % (acks, number) for acks in (0, 1) for number in range(100)], "values")

    def idempotent(self):
        self.create("rd-idempotent")
        producer = self.producer({"enable.idempotence": True, "batch.num.messages": 50, "linger.ms": 1})
        for number in range(5000):
            producer.produce("rd-idempotent", b"%d" % number)
        kit.same(producer.flush(30), 0, "left in the queue")
        values = [int(message.value()) for message in self.read("rd-idempotent", 5000)]
        kit.same(values, list(range(5000)), "values")

    def bulk(self):
        self.create("rd-bulk", partitions=kit.BULK_PARTITIONS)
        sent = [kit.Fingerprint() for _ in range(kit.BULK_PARTITIONS)]
        producer = self.producer({"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 5})
        for number in range(kit.BULK_RECORDS):
            key, value = kit.bulk_record(number)
            sent[number % kit.BULK_PARTITIONS].add(key, value)
            producer.produce("rd-bulk", value, key, partition=number % kit.BULK_PARTITIONS)
            if number % 1000 == 0:
                producer.poll(0)
        kit.same(producer.flush(60), 0, "left in the queue")
        back = [kit.Fingerprint() for _ in range(kit.BULK_PARTITIONS)]
        for message in self.read("rd-bulk", kit.BULK_RECORDS, kit.BULK_PARTITIONS):
            back[message.partition()].add(message.key(), message.value())
        kit.same(back, sent, "records")

    def write_corpus(self, topic, codec):
        self.create(topic, kit.ROOMY)
        self.send(topic, self.corpus, {"compression.type": codec})

    def read_corpus(self, topic):
        records = []
        for message in self.read(topic, len(self.corpus)):
            kind, timestamp = message.timestamp()
            kit.same(kind, TIMESTAMP_CREATE_TIME, "timestamp type")
            records.append(kit.Record(timestamp, message.key(), message.value(), tuple(message.headers() or ())))
        return records

    def create(self, topic, configs=None, partitions=1):
        wait(self.admin.create_topics([NewTopic(topic, partitions, 1, config=configs or {})]))

    def partitions(self, topic, at_least):
        deadline = time.monotonic() + 10
        while True:
            found = self.admin.list_topics(topic).topics[topic].partitions
            if len(found) >= at_least or time.monotonic() > deadline:
                return set(found)
            time.sleep(0.05)

    def send(self, topic, records, options):
        offsets, failures = [], []

        def delivered(error, message):
            failures.append(error) if error else offsets.append(message.offset())

        producer = self.producer(options)
        for record in records:
            producer.produce(topic, record.value, record.key, partition=0, on_delivery=delivered,
                             timestamp=record.timestamp, headers=list(record.headers))
        producer.flush(30)
        kit.same(failures, [], "delivery errors")
        kit.same(offsets, list(range(len(records))), "offsets in the acknowledgements")

    def producer(self, options):
        return Producer({"bootstrap.servers": self.address, "message.max.bytes": kit.LARGE_BYTES} | options)

    def consumer(self):
        return Consumer({"bootstrap.servers": self.address, "group.id": "unused", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "allow.auto.create.topics": False, "check.crcs": True})

    def read(self, topic, count, partitions=1, within_s=60):
        """The next `count` messages from the beginning, or a failure naming how many came."""
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        deadline = time.monotonic() + within_s
        taken = 0
        while taken < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{taken} of {count} records came within {within_s} s")
            for message in consumer.consume(min(10_000, count - taken), 0.5):
                if message.error():
                    raise KafkaException(message.error())
                taken += 1
                yield message
        consumer.close()


def wait(futures):
    """Results of admin futures, raising the first error."""
    return [future.result(30) for future in futures.values()]


def expect(code, call):
    """Fails unless `call` raises the Kafka error `code`."""
    try:
        call()
    except KafkaException as error:
        kit.same(error.args[0].code(), code, "error code")
        return
    raise AssertionError(f"no error, wanted {code}")


if __name__ == "__main__":
    kit.main(LibrdkafkaLane)
