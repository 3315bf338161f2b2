"""kafka-python against a broker: records out and back, admin calls, errors. Partitions are assigned, no groups."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType  # noqa: E402

import kit  # noqa: E402

CREATE_TIME, LOG_APPEND_TIME = 0, 1


class PythonLane:
    """The checks; each creates the topics it needs."""

    def __init__(self, address, corpus):
        self.address = address
        self.corpus = corpus
        self.admin = KafkaAdminClient(bootstrap_servers=address)

    def checks(self):
        yield "creates, grows, lists and deletes a topic", self.topic_life
        yield "refuses a topic that exists, a bad name, too few partitions", self.topic_errors
        yield "describes the configuration of a topic", self.topic_config
        for codec in kit.CODECS:
            yield f"{codec}: the corpus comes back equal", lambda codec=codec: self.codec_round_trip(codec)
        yield "LogAppendTime: the broker's clock is on each record", self.log_append_time
        yield "begin and end offsets, offsets for times", self.offsets
        yield "delete records moves the begin offset", self.delete_records
        yield "an unknown topic is Kafka's error", self.unknown_topic
        yield "an oversized record is Kafka's error", self.oversized_record
        yield "acks 0 and 1 arrive", self.weak_acks
        yield "idempotent: in order, none twice", self.idempotent
        yield f"{kit.BULK_RECORDS} records come back byte-equal", self.bulk

    def topic_life(self):
        self.create("py-life", partitions=2)
        kit.same(self.partitions("py-life"), {0, 1}, "partitions after create")
        self.admin.create_partitions({"py-life": 5})
        kit.same(self.partitions("py-life", 5), set(range(5)), "partitions after growing")
        assert "py-life" in self.admin.list_topics(), "the topic is listed"
        self.admin.delete_topics(["py-life"])
        assert "py-life" not in self.admin.list_topics(), "a deleted topic is not listed"

    def topic_errors(self):
        self.create("py-errors", partitions=3)
        expect(errors.TopicAlreadyExistsError, lambda: self.create("py-errors"))
        expect(errors.InvalidTopicError, lambda: self.create("no/slash"))
        expect(errors.InvalidPartitionsError, lambda: self.admin.create_partitions({"py-errors": 2}))
        expect(errors.InvalidReplicationFactorError, lambda: self.admin.create_topics(
            {"py-three": {"num_partitions": 1, "replication_factor": 3}}))
        expect(errors.InvalidConfigurationError, lambda: self.create("py-config", {"retention.ms": "soon"}))

    def topic_config(self):
        self.create("py-config", {"retention.ms": "12345", "cleanup.policy": "compact"})
        resource = ConfigResource(ConfigResourceType.TOPIC, "py-config")
        found = self.admin.describe_configs([resource])["topic"]["py-config"]
        kit.same(found["retention.ms"]["value"], "12345", "retention.ms")
        kit.same(found["cleanup.policy"]["value"], "compact", "cleanup.policy")

    def codec_round_trip(self, codec, topic=None):
        topic = topic or f"py-{codec}"
        self.write_corpus(topic, codec)
        kit.same_records(self.read_corpus(topic), self.corpus)

    def log_append_time(self):
        self.create("py-append-time", kit.ROOMY | {"message.timestamp.type": "LogAppendTime"})
        before = int(time.time() * 1000) - 1
        self.send("py-append-time", self.corpus, compression_type="gzip")
        with self.consumer("py-append-time") as consumer:
            for message in take(consumer, len(self.corpus)):
                kit.same(message.timestamp_type, LOG_APPEND_TIME, "timestamp type")
                assert before <= message.timestamp <= int(time.time() * 1000) + 1, message.timestamp

    def offsets(self):
        self.create("py-offsets", kit.ROOMY)
        self.send("py-offsets", self.corpus, batch_size=1)
        partition = TopicPartition("py-offsets", 0)
        with self.consumer("py-offsets") as consumer:
            kit.same(consumer.beginning_offsets([partition])[partition], 0, "begin")
            kit.same(consumer.end_offsets([partition])[partition], len(self.corpus), "end")
            for wanted, timestamp in [(0, 0), (5, self.corpus[5].timestamp), (6, self.corpus[5].timestamp + 1)]:
                found = consumer.offsets_for_times({partition: timestamp})[partition]
                kit.same((found.offset, found.timestamp), (wanted, self.corpus[wanted].timestamp), "offset for time")
            beyond = consumer.offsets_for_times({partition: self.corpus[-1].timestamp + 1})[partition]
            kit.same(beyond, None, "offset for a time after the last record")

    def delete_records(self):
        self.create("py-delete", kit.ROOMY)
        self.send("py-delete", self.corpus, batch_size=1)
        partition = TopicPartition("py-delete", 0)
        self.admin.delete_records({partition: 7})
        with self.consumer("py-delete") as consumer:
            kit.same(consumer.beginning_offsets([partition])[partition], 7, "begin after delete")
            kit.same(next(iter(take(consumer, 1))).offset, 7, "first record after delete")

    def unknown_topic(self):
        with KafkaConsumer(bootstrap_servers=self.address, allow_auto_create_topics=False) as consumer:
            assert not consumer.partitions_for_topic("py-nowhere"), "an unknown topic has no partitions"
        with self.producer(max_block_ms=2000) as producer:
            expect(errors.KafkaError, lambda: producer.send("py-nowhere", b"x").get(5))
        expect(errors.UnknownTopicOrPartitionError, lambda: self.admin.delete_topics(["py-nowhere"]))

    def oversized_record(self):
        self.create("py-small", {"max.message.bytes": "1000"})
        with self.producer() as producer:
            expect(errors.MessageSizeTooLargeError, lambda: producer.send("py-small", b"x" * 2000).get(10))
        with self.producer() as producer:
            producer.send("py-small", b"small").get(10)

    def weak_acks(self):
        self.create("py-acks")
        for acks in (0, 1):
            with self.producer(acks=acks) as producer:
                for number in range(100):
                    producer.send("py-acks", b"%d %d" % (acks, number))
                producer.flush()
        with self.consumer("py-acks") as consumer:
            values = [message.value for message in take(consumer, 200)]
        kit.same(values, [b"%d %d" % (acks, number) for acks in (0, 1) for number in range(100)], "values")

    def idempotent(self):
        self.create("py-idempotent")
        with self.producer(enable_idempotence=True, batch_size=500, linger_ms=1) as producer:
            for number in range(5000):
                producer.send("py-idempotent", b"%d" % number)
            producer.flush()
        with self.consumer("py-idempotent") as consumer:
            values = [int(message.value) for message in take(consumer, 5000)]
        kit.same(values, list(range(5000)), "values")

    def bulk(self):
        self.create("py-bulk", partitions=kit.BULK_PARTITIONS)
        sent = [kit.Fingerprint() for _ in range(kit.BULK_PARTITIONS)]
        with self.producer(compression_type="lz4", linger_ms=5) as producer:
            for number in range(kit.BULK_RECORDS):
                key, value = kit.bulk_record(number)
                sent[number % kit.BULK_PARTITIONS].add(key, value)
                producer.send("py-bulk", value, key, partition=number % kit.BULK_PARTITIONS)
            producer.flush()
        back = [kit.Fingerprint() for _ in range(kit.BULK_PARTITIONS)]
        with self.consumer("py-bulk", kit.BULK_PARTITIONS) as consumer:
            for message in take(consumer, kit.BULK_RECORDS):
                back[message.partition].add(message.key, message.value)
        kit.same(back, sent, "records")

    def write_corpus(self, topic, codec):
        self.create(topic, kit.ROOMY)
        self.send(topic, self.corpus, compression_type=None if codec == "none" else codec)

    def read_corpus(self, topic):
        with self.consumer(topic) as consumer:
            messages = list(take(consumer, len(self.corpus)))
        for message in messages:
            kit.same(message.timestamp_type, CREATE_TIME, "timestamp type")
        return [kit.Record(m.timestamp, m.key, m.value, tuple(m.headers)) for m in messages]

    def create(self, topic, configs=None, partitions=1):
        options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}
        self.admin.create_topics({topic: options}, wait_for_metadata=True)

    def partitions(self, topic, at_least=1):
        deadline = time.monotonic() + 10
        while True:
            found = self.admin.describe_topics([topic])[0]["partitions"]
            if len(found) >= at_least or time.monotonic() > deadline:
                return {partition["partition_index"] for partition in found}
            time.sleep(0.05)

    def send(self, topic, records, **options):
        with self.producer(**options) as producer:
            sent = [producer.send(topic, record.value, record.key, list(record.headers), 0, record.timestamp)
                    for record in records]
            for number, future in enumerate(sent):
                kit.same(future.get(30).offset, number, "offset in the acknowledgement")

    def producer(self, **options):
        return Closing(KafkaProducer(bootstrap_servers=self.address, max_request_size=kit.LARGE_BYTES, **options))

    def consumer(self, topic, partitions=1):
        consumer = KafkaConsumer(bootstrap_servers=self.address, group_id=None, auto_offset_reset="earliest",
                                 max_partition_fetch_bytes=kit.LARGE_BYTES)
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        return Closing(consumer)


class Closing:
    """Hands out a client and closes it at the end of a `with` block."""

    def __init__(self, client):
        self.client = client

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.close()


def take(consumer, count, within_s=60):
    """The next `count` messages, or a failure naming how many came."""
    deadline = time.monotonic() + within_s
    taken = 0
    while taken < count:
        if time.monotonic() > deadline:
            raise AssertionError(f"{taken} of {count} records came within {within_s} s")
        for messages in consumer.poll(timeout_ms=500).values():
            for message in messages:
                taken += 1
                yield message


def expect(error, call):
    """Fails unless `call` raises `error`."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


if __name__ == "__main__":
    kit.main(PythonLane)
