import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor;
import org.apache.kafka.common.TopicPartition;

/**
 * What the assignors of Kafka's consumer answer for groups that change step by step: {@code ClientAssignors > FILE}. Each line is
 * a group (topics with their partitions; members with instance id, topics, generation and what each has) and all answers. Members
 * have one letter each, so that the order of Kafka's hash tables is that of their names.
 */
public final class ClientAssignors {
    private static final int CHAINS = 24;
    private static final int STEPS = 8;

    private final Random random;
    private final boolean same;
    private final Map<String, Integer> partitions = new TreeMap<>();
    private final Map<String, Set<String>> topics = new TreeMap<>();
    private final Map<String, String> instances = new HashMap<>();
    private final Map<String, Integer> generations = new HashMap<>();
    private Map<String, List<TopicPartition>> owned = new TreeMap<>();
    private int generation;
    private char born = 'a';

    private ClientAssignors(long seed) {
        random = new Random(seed);
        same = seed % 2 == 0;
        int count = 1 + random.nextInt(4);
        for (int topic = 1; topic <= count; topic++) {
            partitions.put("t" + topic, 1 + random.nextInt(9));
        }
    }

    public static void main(String[] words) {
        for (int chain = 0; chain < CHAINS; chain++) {
            ClientAssignors group = new ClientAssignors(chain);
            for (int step = 0; step < STEPS; step++) {
                group.change();
                group.tell();
            }
        }
    }

    private void change() {
        int roll = random.nextInt(10);
        if (topics.isEmpty() || roll < 5) {
            String member = String.valueOf(born++);
            Set<String> reads = new TreeSet<>(partitions.keySet());
            if (!same) {
                reads.removeIf(topic -> random.nextBoolean());
                reads.add("t" + (1 + random.nextInt(partitions.size())));
            }
            topics.put(member, reads);
            generations.put(member, -1);
            if (random.nextInt(3) == 0) {
                instances.put(member, "i" + (9 - born % 10));
            }
        } else if (roll < 7 && topics.size() > 1) {
            List<String> members = new ArrayList<>(topics.keySet());
            String member = members.get(random.nextInt(members.size()));
            topics.remove(member);
            owned.remove(member);
        } else if (roll < 9) {
            partitions.merge("t" + (1 + random.nextInt(partitions.size())), 1 + random.nextInt(3), Integer::sum);
        }
    }

    /** Says what all assignors answer, and goes on with what the cooperative one does. */
    private void tell() {
        StringBuilder line = new StringBuilder("topics=");
        line.append(partitions.entrySet().stream().map(one -> one.getKey() + ":" + one.getValue()).collect(Collectors.joining(",")));
        line.append(" members=").append(topics.keySet().stream().map(this::member).collect(Collectors.joining(";")));
        Map<String, List<TopicPartition>> next = null;
        for (AbstractPartitionAssignor assignor : List.of(
                new RangeAssignor(), new RoundRobinAssignor(), new Sticky(), new CooperativeStickyAssignor())) {
            next = assignor.assign(read(), subscriptions());
            line.append(' ').append(assignor.name()).append('=').append(shown(next));
        }
        System.out.println(line);
        generation++;
        topics.keySet().forEach(member -> generations.put(member, generation));
        owned = new TreeMap<>(next);
    }

    private Map<String, Integer> read() {
        Map<String, Integer> read = new HashMap<>(partitions);
        read.keySet().removeIf(topic -> topics.values().stream().noneMatch(topics -> topics.contains(topic)));
        return read;
    }

    private Map<String, Subscription> subscriptions() {
        Map<String, Subscription> subscriptions = new HashMap<>();
        topics.forEach((member, reads) -> {
            Subscription subscription = new Subscription(new ArrayList<>(reads), null,
                owned.getOrDefault(member, List.of()), generations.get(member), Optional.empty());
            subscription.setGroupInstanceId(Optional.ofNullable(instances.get(member)));
            subscriptions.put(member, subscription);
        });
        return subscriptions;
    }

    private String member(String member) {
        return String.join("/", member, instances.getOrDefault(member, ""), String.join(",", topics.get(member)),
            generations.get(member).toString(), shown(owned.getOrDefault(member, List.of())));
    }

    private static String shown(Map<String, List<TopicPartition>> assignment) {
        return new TreeMap<>(assignment).entrySet().stream()
            .map(entry -> entry.getKey() + ">" + shown(entry.getValue())).collect(Collectors.joining(";"));
    }

    private static String shown(Collection<TopicPartition> partitions) {
        Map<String, Set<Integer>> byTopic = new TreeMap<>();
        partitions.forEach(place -> byTopic.computeIfAbsent(place.topic(), any -> new TreeSet<>()).add(place.partition()));
        return byTopic.entrySet().stream()
            .map(topic -> topic.getKey() + ":" + topic.getValue().stream().map(String::valueOf).collect(Collectors.joining(",")))
            .collect(Collectors.joining("|"));
    }

    /** The sticky assignor, told in the subscription's own fields what its user data would say. */
    private static final class Sticky extends AbstractStickyAssignor {
        @Override
        public String name() {
            return StickyAssignor.STICKY_ASSIGNOR_NAME;
        }

        @Override
        protected MemberData memberData(Subscription subscription) {
            return new MemberData(subscription.ownedPartitions(), subscription.generationId());
        }
    }
}
