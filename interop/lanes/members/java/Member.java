import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group by Apache Kafka's client: {@code Member ADDRESS GROUP TOPIC,TOPIC [name=value ...]}, until SIGTERM.
 * Prints {@code assigned TOPIC:PARTITION,...} after each rebalance, and {@code handled TOPIC PARTITION FIRST LAST}
 * before it commits.
 */
public final class Member {
    private static volatile boolean ended;

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("group.id", arguments[1]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("max.poll.records", "200");
        settings.put("max.poll.interval.ms", "60000");
        settings.put("metadata.max.age.ms", "2000");
        String protocol = "classic";
        for (int at = 3; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            switch (pair[0]) {
                case "instance" -> settings.put("group.instance.id", pair[1]);
                case "assignor" -> settings.put("partition.assignment.strategy", assignor(pair[1]));
                case "protocol" -> protocol = pair[1];
                default -> settings.put(pair[0], pair[1]);
            }
        }
        settings.put("group.protocol", protocol);
        if (protocol.equals("classic")) {
            settings.putIfAbsent("session.timeout.ms", "6000");
            settings.putIfAbsent("heartbeat.interval.ms", "1000");
        }
        KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ended = true;
            consumer.wakeup();
            try {
                closed.await();
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }));
        try {
            consumer.subscribe(List.of(arguments[2].split(",")), new Told(consumer));
            while (!ended) {
                handle(consumer);
            }
        } finally {
            consumer.close();
            closed.countDown();
        }
    }

    private static void handle(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(200));
            for (TopicPartition place : polled.partitions()) {
                List<ConsumerRecord<byte[], byte[]>> records = polled.records(place);
                System.out.printf("handled %s %d %d %d%n", place.topic(), place.partition(),
                    records.get(0).offset(), records.get(records.size() - 1).offset());
            }
            System.out.flush();
            if (!polled.isEmpty()) {
                consumer.commitSync();
            }
        } catch (WakeupException wakeup) {
            // Told to end; what was handled and not committed is handled again by another.
        } catch (KafkaException error) {
            System.err.println("commit failed: " + error);
        }
    }

    private static String assignor(String name) {
        String type = switch (name) {
            case "range" -> "RangeAssignor";
            case "roundrobin" -> "RoundRobinAssignor";
            case "sticky" -> "StickyAssignor";
            case "cooperative-sticky" -> "CooperativeStickyAssignor";
            default -> throw new IllegalArgumentException(name);
        };
        return "org.apache.kafka.clients.consumer." + type;
    }

    /** Prints the assignment. */
    private record Told(KafkaConsumer<byte[], byte[]> consumer) implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
            System.out.println("assigned " + consumer.assignment().stream()
                .map(place -> place.topic() + ":" + place.partition()).sorted().collect(Collectors.joining(",")));
            System.out.flush();
        }
    }
}
