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
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.PartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

/**
 * What Kafka's assignors answer for groups that change step by step: {@code Assignors > FILE}. Each line is a group (topics
 * with their partitions, members with instance id and topics, what each shall have so far) and both assignors' answers.
 */
public final class Assignors {
    private static final int CHAINS = 24;
    private static final int STEPS = 8;

    private final Random random;
    private final Map<Integer, Integer> partitions = new TreeMap<>();
    private final Map<String, Set<Integer>> subscriptions = new TreeMap<>();
    private final Map<String, String> instances = new HashMap<>();
    private Map<String, Map<Integer, Set<Integer>>> targets = new TreeMap<>();
    private final boolean same;
    private int born;

    private Assignors(long seed) {
        random = new Random(seed);
        same = seed % 2 == 0;
        int topics = 1 + random.nextInt(5);
        for (int topic = 1; topic <= topics; topic++) {
            partitions.put(topic, 1 + random.nextInt(12));
        }
    }

    public static void main(String[] words) {
        for (int chain = 0; chain < CHAINS; chain++) {
            Assignors group = new Assignors(chain);
            for (int step = 0; step < STEPS; step++) {
                group.change();
                group.tell();
            }
        }
    }

    private void change() {
        int roll = random.nextInt(10);
        if (subscriptions.isEmpty() || roll < 6) {
            String member = "m" + born++;
            Set<Integer> topics = new TreeSet<>(partitions.keySet());
            if (!same) {
                topics.removeIf(topic -> random.nextBoolean());
            }
            subscriptions.put(member, topics);
            if (random.nextInt(3) == 0) {
                instances.put(member, "i" + (9 - born % 10));
            }
        } else if (roll < 8) {
            List<String> members = new ArrayList<>(subscriptions.keySet());
            String member = members.get(random.nextInt(members.size()));
            if (subscriptions.size() > 1) {
                subscriptions.remove(member);
                targets.remove(member);
            }
        } else {
            partitions.merge(1 + random.nextInt(partitions.size()), 1 + random.nextInt(3), Integer::sum);
        }
    }

    private void tell() {
        Map<String, Map<Integer, Set<Integer>>> range = assign(new RangeAssignor());
        Map<String, Map<Integer, Set<Integer>>> uniform = assign(new UniformAssignor());
        String members = subscriptions.entrySet().stream()
            .map(entry -> entry.getKey() + "/" + instances.getOrDefault(entry.getKey(), "") + "/" + numbers(entry.getValue()))
            .collect(Collectors.joining(";"));
        String topics = partitions.entrySet().stream()
            .map(entry -> entry.getKey() + ":" + entry.getValue()).collect(Collectors.joining(","));
        System.out.println("topics=" + topics + " members=" + members + " targets=" + shown(targets)
            + " range=" + shown(range) + " uniform=" + shown(uniform));
        targets = uniform;
    }

    private Map<String, Map<Integer, Set<Integer>>> assign(PartitionAssignor assignor) {
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        subscriptions.forEach((member, topics) -> {
            Map<Uuid, Set<Integer>> target = new HashMap<>();
            targets.getOrDefault(member, Map.of()).forEach((topic, list) -> {
                target.put(id(topic), list);
                list.forEach(at -> owners.computeIfAbsent(id(topic), any -> new HashMap<>()).put(at, member));
            });
            members.put(member, new MemberSubscriptionAndAssignmentImpl(Optional.empty(),
                Optional.ofNullable(instances.get(member)),
                topics.stream().map(Assignors::id).collect(Collectors.toSet()), new Assignment(target)));
        });
        boolean alike = new TreeSet<>(subscriptions.values().stream().map(Object::toString).toList()).size() == 1;
        SubscriptionType type = alike ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        Map<String, MemberAssignment> answer =
            assignor.assign(new GroupSpecImpl(members, type, owners), new Described()).members();
        Map<String, Map<Integer, Set<Integer>>> result = new TreeMap<>();
        subscriptions.keySet().forEach(member -> {
            Map<Integer, Set<Integer>> mine = new TreeMap<>();
            MemberAssignment assigned = answer.get(member);
            if (assigned != null) {
                assigned.partitions().forEach((topic, list) -> mine.put(number(topic), new TreeSet<>(list)));
            }
            result.put(member, mine);
        });
        return result;
    }

    private static Uuid id(int topic) {
        return new Uuid(0, topic);
    }

    private static int number(Uuid topic) {
        return (int) topic.getLeastSignificantBits();
    }

    private static String numbers(Collection<Integer> numbers) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    private static String shown(Map<String, Map<Integer, Set<Integer>>> targets) {
        return targets.entrySet().stream()
            .map(entry -> entry.getKey() + ">" + entry.getValue().entrySet().stream()
                .map(topic -> topic.getKey() + ":" + numbers(topic.getValue())).collect(Collectors.joining("|")))
            .collect(Collectors.joining(";"));
    }

    private final class Described implements SubscribedTopicDescriber {
        @Override
        public int numPartitions(Uuid topic) {
            return partitions.getOrDefault(number(topic), -1);
        }

        @Override
        public Set<String> racksForPartition(Uuid topic, int partition) {
            return Set.of();
        }
    }
}
