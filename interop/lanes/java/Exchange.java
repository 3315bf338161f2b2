import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Fills a broker, and says all that a client can see of it: two brokers that say the same have the same data.
 *
 * <p>Usage: {@code Exchange ADDRESS CORPUS fill | more | tell}
 */
public final class Exchange {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final String ROLLING = "exchange-rolling";
    private static final String SMALLEST_SEGMENT = Integer.toString(1 << 20);
    private static final int ROLLING_RECORDS = 8_000;
    private static final long WITHIN_MS = 60_000;

    private final Admin admin;
    private final String address;

    private Exchange(String address) {
        this.address = address;
        this.admin = Admin.create(Map.of("bootstrap.servers", address));
    }

    /** Runs one of the three actions. */
    public static void main(String[] arguments) throws Exception {
        Exchange exchange = new Exchange(arguments[0]);
        switch (arguments[2]) {
            case "fill" -> exchange.fill(Corpus.read(arguments[1]));
            case "more" -> exchange.more();
            case "tell" -> exchange.tell();
            default -> throw new IllegalArgumentException(arguments[2]);
        }
        System.exit(0);
    }

    /** Topics with and without settings, records in every codec over several segments, deleted records, a deleted topic. */
    private void fill(List<Corpus.Item> corpus) throws Exception {
        Map<String, String> roomy = Map.of("max.message.bytes", Integer.toString(Corpus.LARGE_BYTES), "retention.ms", "-1");
        for (String codec : CODECS) {
            create("exchange-" + codec, 1, roomy);
            send("exchange-" + codec, codec, corpus);
        }
        create("exchange-append-time", 1, with(roomy, "message.timestamp.type", "LogAppendTime"));
        send("exchange-append-time", "lz4", corpus);
        create(ROLLING, 3, with(roomy, "segment.bytes", SMALLEST_SEGMENT));
        sendBulk(ROLLING, ROLLING_RECORDS);
        admin.deleteRecords(Map.of(new TopicPartition(ROLLING, 1), RecordsToDelete.beforeOffset(1500))).all().get();
        create("exchange-grown", 2, Map.of("cleanup.policy", "compact,delete", "retention.bytes", "123456789"));
        sendBulk("exchange-grown", 10);
        admin.createPartitions(Map.of("exchange-grown", NewPartitions.increaseTo(4))).all().get();
        create("exchange-empty", 2, Map.of());
        create("exchange-gone", 2, Map.of());
        sendBulk("exchange-gone", 10);
        admin.deleteTopics(List.of("exchange-gone")).all().get();
    }

    /** A few more records to every topic and one more topic. */
    private void more() throws Exception {
        for (String topic : new TreeSet<>(admin.listTopics().names().get())) {
            sendBulk(topic, 40);
        }
        create("exchange-later-" + System.currentTimeMillis(), 2, Map.of("segment.bytes", SMALLEST_SEGMENT));
    }

    /** Prints topics with ids, settings, offsets and a hash over all that their records hold. */
    private void tell() throws Exception {
        Map<String, TopicDescription> topics = new TreeMap<>(
            admin.describeTopics(admin.listTopics().names().get()).allTopicNames().get());
        for (TopicDescription topic : topics.values()) {
            System.out.println(topic.name() + " " + topic.topicId() + " " + settings(topic.name()));
            for (var partition : topic.partitions()) {
                TopicPartition name = new TopicPartition(topic.name(), partition.partition());
                System.out.println("  " + name + " leader " + partition.leader().id() + " isr " + partition.isr().size() + " " + content(name));
            }
        }
    }

    private String settings(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        List<String> settings = new ArrayList<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                settings.add(entry.name() + "=" + entry.value());
            }
        }
        settings.sort(Comparator.naturalOrder());
        return settings.toString();
    }

    private String content(TopicPartition partition) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        long deadline = System.currentTimeMillis() + WITHIN_MS;
        try (var consumer = consumer()) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long begin = consumer.position(partition);
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(java.time.Duration.ofMillis(200))) {
                    digest.update(Corpus.line(record).getBytes());
                }
                Lane.same(System.currentTimeMillis() < deadline, true, partition + " is read within a minute");
            }
            return begin + ".." + end + " " + HexFormat.of().formatHex(digest.digest()).substring(0, 16);
        }
    }

    private void create(String topic, int partitions, Map<String, String> settings) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings))).all().get();
    }

    private void send(String topic, String codec, List<Corpus.Item> corpus) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (Corpus.Item item : corpus) {
            records.add(new ProducerRecord<>(topic, 0, item.timestamp(), item.key(), item.value(), item.headers()));
        }
        send(codec, records);
    }

    private void sendBulk(String topic, int count) throws Exception {
        int partitions = partitions(topic);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            byte[] value = java.util.Arrays.copyOf(Corpus.bulkValue(number), 1000);
            records.add(new ProducerRecord<>(topic, number % partitions, Integer.toString(number).getBytes(), value));
        }
        send("none", records);
    }

    /** Number of partitions; a topic just created may not be known to every view of the metadata yet. */
    private int partitions(String topic) throws Exception {
        long deadline = System.currentTimeMillis() + WITHIN_MS;
        while (true) {
            try {
                return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            } catch (ExecutionException error) {
                if (!(error.getCause() instanceof UnknownTopicOrPartitionException) || System.currentTimeMillis() > deadline) {
                    throw error;
                }
                Thread.sleep(20);
            }
        }
    }

    private void send(String codec, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", address, "compression.type", codec, "max.request.size", Corpus.LARGE_BYTES);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> acknowledgements = new ArrayList<>();
            records.forEach(record -> acknowledgements.add(producer.send(record)));
            for (Future<RecordMetadata> each : acknowledgements) {
                each.get();
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> config = Map.of("bootstrap.servers", address, "auto.offset.reset", "none",
            "max.partition.fetch.bytes", Corpus.LARGE_BYTES, "allow.auto.create.topics", false);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static Map<String, String> with(Map<String, String> settings, String name, String value) {
        Map<String, String> all = new HashMap<>(settings);
        all.put(name, value);
        return all;
    }
}
