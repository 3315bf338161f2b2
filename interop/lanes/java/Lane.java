import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Apache Kafka's Java clients against a broker: records out and back, admin calls, errors. Partitions are assigned, no groups.
 *
 * <p>Usage: {@code Lane ADDRESS CORPUS all | write TOPIC | read TOPIC}
 */
public final class Lane {
    private static final long WITHIN_MS = 60_000;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    private final String address;
    private final List<Corpus.Item> corpus;
    private final Admin admin;

    private Lane(String address, List<Corpus.Item> corpus) {
        this.address = address;
        this.corpus = corpus;
        this.admin = Admin.create(Map.of("bootstrap.servers", address));
    }

    /** Runs the checks in order, a line each; the first failure ends the program. */
    public static void main(String[] arguments) throws Exception {
        Lane lane = new Lane(arguments[0], Corpus.read(arguments[1]));
        Map<String, Check> checks = switch (arguments[2]) {
            case "all" -> lane.checks();
            case "write" -> Map.of("writes " + arguments[3], () -> lane.writeCorpus(arguments[3], "none"));
            case "read" -> Map.of("reads " + arguments[3], () -> lane.readCorpus(arguments[3]));
            default -> throw new IllegalArgumentException(arguments[2]);
        };
        int passed = 0;
        for (Map.Entry<String, Check> check : checks.entrySet()) {
            try {
                check.getValue().run();
            } catch (Exception | AssertionError error) {
                error.printStackTrace();
                System.out.println("FAIL " + check.getKey() + ": " + error + "\n" + passed + " passed, 1 failed");
                System.exit(1);
            }
            passed++;
            System.out.println("ok   " + check.getKey());
        }
        System.out.println(passed + " passed, 0 failed");
        System.exit(0);
    }

    private Map<String, Check> checks() {
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("creates, grows, lists and deletes a topic", this::topicLife);
        checks.put("refuses a topic that exists, a bad name, too few partitions", this::topicErrors);
        checks.put("describes the cluster, the topic and its configuration", this::descriptions);
        for (String codec : CODECS) {
            checks.put(codec + ": the corpus comes back equal", () -> roundTrip("java-" + codec, codec));
        }
        checks.put("LogAppendTime: the broker's clock is on each record", this::logAppendTime);
        checks.put("begin and end offsets, offsets for times", this::offsets);
        checks.put("delete records moves the begin offset", this::deleteRecords);
        checks.put("an unknown topic is Kafka's error", this::unknownTopic);
        checks.put("an oversized record is Kafka's error", this::oversizedRecord);
        checks.put("acks 0 and 1 arrive", this::weakAcks);
        checks.put("idempotent: in order, none twice", this::idempotent);
        checks.put(Corpus.BULK_RECORDS + " records come back byte-equal", this::bulk);
        return checks;
    }

    private void topicLife() throws Exception {
        create("java-life", 2, Map.of());
        same(partitions("java-life", 2), 2, "partitions after create");
        admin.createPartitions(Map.of("java-life", NewPartitions.increaseTo(5))).all().get();
        same(partitions("java-life", 5), 5, "partitions after growing");
        same(admin.listTopics().names().get().contains("java-life"), true, "listed");
        admin.deleteTopics(List.of("java-life")).all().get();
        same(admin.listTopics().names().get().contains("java-life"), false, "listed after delete");
    }

    private void topicErrors() throws Exception {
        create("java-errors", 3, Map.of());
        expect(TopicExistsException.class, () -> create("java-errors", 1, Map.of()));
        expect(InvalidTopicException.class, () -> create("no/slash", 1, Map.of()));
        expect(InvalidConfigurationException.class, () -> create("java-bad", 1, Map.of("retention.ms", "soon")));
        expect(InvalidPartitionsException.class,
            () -> admin.createPartitions(Map.of("java-errors", NewPartitions.increaseTo(2))).all().get());
        expect(InvalidReplicationFactorException.class,
            () -> admin.createTopics(List.of(new NewTopic("java-three", 1, (short) 3))).all().get());
    }

    private void descriptions() throws Exception {
        same(admin.describeCluster().nodes().get().size(), 1, "nodes");
        create("java-config", 1, Map.of("retention.ms", "12345"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "java-config");
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        same(config.get("retention.ms").value(), "12345", "retention.ms");
        same(config.get("segment.bytes").isDefault(), true, "segment.bytes is the default");
    }

    private void roundTrip(String topic, String codec) throws Exception {
        writeCorpus(topic, codec);
        readCorpus(topic);
    }

    private void writeCorpus(String topic, String codec) throws Exception {
        create(topic, 1, roomy(Map.of()));
        send(topic, Map.of("compression.type", codec));
    }

    private void readCorpus(String topic) {
        List<ConsumerRecord<byte[], byte[]>> records = read(topic, 1, corpus.size());
        for (int number = 0; number < records.size(); number++) {
            same(records.get(number).timestampType(), TimestampType.CREATE_TIME, "timestamp type");
            Corpus.same(number, records.get(number), corpus.get(number));
        }
    }

    private void logAppendTime() throws Exception {
        create("java-append-time", 1, roomy(Map.of("message.timestamp.type", "LogAppendTime")));
        long before = System.currentTimeMillis() - 1;
        send("java-append-time", Map.of("compression.type", "gzip"));
        for (ConsumerRecord<byte[], byte[]> record : read("java-append-time", 1, corpus.size())) {
            same(record.timestampType(), TimestampType.LOG_APPEND_TIME, "timestamp type");
            same(record.timestamp() >= before && record.timestamp() <= System.currentTimeMillis() + 1, true, "timestamp");
        }
    }

    private void offsets() throws Exception {
        create("java-offsets", 1, roomy(Map.of()));
        send("java-offsets", Map.of("batch.size", "0"));
        TopicPartition partition = new TopicPartition("java-offsets", 0);
        long fifth = corpus.get(5).timestamp();
        try (var consumer = consumer()) {
            same(consumer.beginningOffsets(Set.of(partition)).get(partition), 0L, "begin");
            same(consumer.endOffsets(Set.of(partition)).get(partition), (long) corpus.size(), "end");
            same(consumer.offsetsForTimes(Map.of(partition, fifth)).get(partition).offset(), 5L, "the time of record 5");
            same(consumer.offsetsForTimes(Map.of(partition, fifth + 1)).get(partition).offset(), 6L, "after record 5");
            same(consumer.offsetsForTimes(Map.of(partition, fifth + 3_600_000)).get(partition), null, "after the last");
        }
        for (var wanted : Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), (long) corpus.size(),
                OffsetSpec.maxTimestamp(), corpus.size() - 1L, OffsetSpec.earliestLocal(), 0L).entrySet()) {
            var found = admin.listOffsets(Map.of(partition, wanted.getKey())).partitionResult(partition).get();
            same(found.offset(), wanted.getValue(), wanted.getKey().getClass().getSimpleName());
        }
    }

    private void deleteRecords() throws Exception {
        create("java-delete", 1, roomy(Map.of()));
        send("java-delete", Map.of("batch.size", "0"));
        TopicPartition partition = new TopicPartition("java-delete", 0);
        var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(7)));
        same(deleted.lowWatermarks().get(partition).get().lowWatermark(), 7L, "low watermark");
        same(read("java-delete", 1, corpus.size() - 7).get(0).offset(), 7L, "first record after delete");
    }

    private void unknownTopic() {
        expect(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of("java-nowhere")).all().get());
        expect(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of("java-nowhere")).allTopicNames().get());
        try (var producer = producer(Map.of("max.block.ms", "1500"))) {
            expect(TimeoutException.class, () -> producer.send(new ProducerRecord<>("java-nowhere", new byte[1])).get());
        }
    }

    private void oversizedRecord() throws Exception {
        create("java-small", 1, Map.of("max.message.bytes", "1000"));
        try (var producer = producer(Map.of())) {
            expect(RecordTooLargeException.class,
                () -> producer.send(new ProducerRecord<>("java-small", new byte[2000])).get());
            producer.send(new ProducerRecord<>("java-small", new byte[10])).get();
        }
    }

    private void weakAcks() throws Exception {
        create("java-acks", 1, Map.of());
        for (String acks : List.of("0", "1")) {
            sendNumbers("java-acks", 100, Map.of("acks", acks, "enable.idempotence", "false"));
        }
        List<String> values = read("java-acks", 1, 200).stream().map(record -> new String(record.value())).toList();
        same(values, IntStream.range(0, 200).mapToObj(number -> "" + number % 100).toList(), "values");
    }

    private void idempotent() throws Exception {
        create("java-idempotent", 1, Map.of());
        sendNumbers("java-idempotent", 5000, Map.of("enable.idempotence", "true", "batch.size", "500"));
        List<String> values = read("java-idempotent", 1, 5000).stream().map(record -> new String(record.value())).toList();
        same(values, IntStream.range(0, 5000).mapToObj(Integer::toString).toList(), "values");
    }

    private void bulk() throws Exception {
        create("java-bulk", Corpus.BULK_PARTITIONS, Map.of());
        List<Corpus.Fingerprint> sent = Corpus.fingerprints();
        try (var producer = producer(Map.of("linger.ms", "5"))) {
            List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
            for (int number = 0; number < Corpus.BULK_RECORDS; number++) {
                int partition = number % Corpus.BULK_PARTITIONS;
                byte[] key = Integer.toString(number).getBytes();
                byte[] value = Corpus.bulkValue(number);
                sent.get(partition).add(key, value);
                acknowledgements.add(producer.send(new ProducerRecord<>("java-bulk", partition, key, value)));
            }
            for (Future<RecordMetadata> each : acknowledgements) {
                each.get();
            }
        }
        List<Corpus.Fingerprint> back = Corpus.fingerprints();
        for (ConsumerRecord<byte[], byte[]> record : read("java-bulk", Corpus.BULK_PARTITIONS, Corpus.BULK_RECORDS)) {
            back.get(record.partition()).add(record.key(), record.value());
        }
        same(back.toString(), sent.toString(), "records");
    }

    private void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
    }

    private static Map<String, String> roomy(Map<String, String> more) {
        Map<String, String> configs = new HashMap<>(more);
        configs.put("max.message.bytes", Integer.toString(Corpus.LARGE_BYTES));
        configs.put("retention.ms", "-1");
        return configs;
    }

    private int partitions(String topic, int atLeast) throws Exception {
        long deadline = System.currentTimeMillis() + WITHIN_MS;
        while (true) {
            int found = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            if (found >= atLeast || System.currentTimeMillis() > deadline) {
                return found;
            }
            Thread.sleep(20);
        }
    }

    private void sendNumbers(String topic, int count, Map<String, String> options) throws Exception {
        try (var producer = producer(options)) {
            for (int number = 0; number < count; number++) {
                producer.send(new ProducerRecord<>(topic, Integer.toString(number).getBytes()));
            }
        }
    }

    private void send(String topic, Map<String, String> options) throws Exception {
        try (var producer = producer(options)) {
            List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
            for (Corpus.Item item : corpus) {
                acknowledgements.add(producer.send(
                    new ProducerRecord<>(topic, 0, item.timestamp(), item.key(), item.value(), item.headers())));
            }
            for (int number = 0; number < acknowledgements.size(); number++) {
                same(acknowledgements.get(number).get().offset(), (long) number, "offset in the acknowledgement");
            }
        }
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, String> options) {
        Map<String, Object> config = new HashMap<>(options);
        config.put("bootstrap.servers", address);
        config.put("max.request.size", Corpus.LARGE_BYTES);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> config = Map.of("bootstrap.servers", address, "max.partition.fetch.bytes", Corpus.LARGE_BYTES,
            "auto.offset.reset", "earliest", "allow.auto.create.topics", false);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private List<ConsumerRecord<byte[], byte[]>> read(String topic, int partitions, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.currentTimeMillis() + WITHIN_MS;
        try (var consumer = consumer()) {
            consumer.assign(IntStream.range(0, partitions).mapToObj(number -> new TopicPartition(topic, number)).toList());
            consumer.seekToBeginning(consumer.assignment());
            while (records.size() < count && System.currentTimeMillis() < deadline) {
                consumer.poll(java.time.Duration.ofMillis(500)).forEach(records::add);
            }
        }
        same(records.size(), count, "records read");
        return records;
    }

    static void same(Object got, Object wanted, String what) {
        if (!java.util.Objects.equals(got, wanted)) {
            String left = String.valueOf(got);
            throw new AssertionError(what + ": got " + left.substring(0, Math.min(200, left.length())) + ", wanted " + wanted);
        }
    }

    private static void expect(Class<? extends Exception> wanted, Check call) {
        try {
            call.run();
        } catch (Exception error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            same(cause.getClass(), wanted, "error " + cause);
            return;
        }
        throw new AssertionError("no " + wanted.getSimpleName());
    }

    private interface Check {
        void run() throws Exception;
    }
}
