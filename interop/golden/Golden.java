import java.io.BufferedReader;
import java.io.FileReader;
import java.io.PrintWriter;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.internals.ImplicitLinkedHashCollection;

/**
 * Messages as Apache Kafka's own classes write and read them, one a line: name, version, round, bytes in hex.
 *
 * <p>{@code write LIST ROUNDS OUT}: random instances and the default of every message of LIST (name, first, last version).
 * {@code echo IN}: reads each line's bytes and writes them again; what differs is printed and makes the exit code 1.
 * {@code json IN OUT}: each line that is neither request nor response nor header, and behind it what is read as JSON.
 */
public final class Golden {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.", "org.apache.kafka.common.metadata.",
        "org.apache.kafka.coordinator.group.generated.", "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.coordinator.transaction.generated.", "org.apache.kafka.raft.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
    };

    public static void main(String[] words) throws Exception {
        switch (words[0]) {
            case "write" -> write(words[1], Integer.parseInt(words[2]), words[3]);
            case "echo" -> echo(words[1]);
            case "json" -> json(words[1], words[2]);
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private static void write(String list, int rounds, String out) throws Exception {
        try (BufferedReader in = new BufferedReader(new FileReader(list)); PrintWriter to = new PrintWriter(out)) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] part = line.split(" ");
                for (short version = Short.parseShort(part[1]); version <= Short.parseShort(part[2]); version++) {
                    one(part[0], version, rounds, to);
                }
            }
        }
    }

    private static void one(String name, short version, int rounds, PrintWriter to) throws Exception {
        Message plain = instance(name);
        if (plain.lowestSupportedVersion() > version || plain.highestSupportedVersion() < version) {
            throw new IllegalStateException(name + " has no version " + version);
        }
        try {
            to.println(name + " " + version + " default " + hex(plain, version));
        } catch (NullPointerException noRecords) {
            // Record data is null by default even where the version has no null.
        }
        for (int round = 0; round < rounds; round++) {
            Message message = instance(name);
            Random random = new Random((name + version).hashCode() * 31L + round);
            fill(message, ((Schema[]) message.getClass().getField("SCHEMAS").get(null))[version], random);
            to.println(name + " " + version + " " + round + " " + hex(message, version));
        }
    }

    private static void echo(String in) throws Exception {
        int count = 0;
        int wrong = 0;
        try (BufferedReader lines = new BufferedReader(new FileReader(in))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] part = line.split(" ", -1);
                short version = Short.parseShort(part[1]);
                count++;
                try {
                    Message message = instance(part[0]);
                    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(part[3]));
                    message.read(new ByteBufferAccessor(bytes), version);
                    String again = hex(message, version);
                    if (bytes.remaining() == 0 && again.equals(part[3])) {
                        continue;
                    }
                    System.out.println(line + "\n  left " + bytes.remaining() + ", written again as " + again);
                } catch (RuntimeException fault) {
                    System.out.println(line + "\n  " + fault);
                }
                wrong++;
            }
        }
        System.out.println(count + " instances read and written by Apache Kafka, " + wrong + " differ");
        System.exit(wrong == 0 && count > 0 ? 0 : 1);
    }

    private static void json(String in, String out) throws Exception {
        try (BufferedReader lines = new BufferedReader(new FileReader(in, StandardCharsets.UTF_8));
                PrintWriter to = new PrintWriter(out, StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] part = line.split(" ", -1);
                if (part[0].endsWith("Request") || part[0].endsWith("Response") || part[0].endsWith("Header")) {
                    continue;
                }
                Message message = instance(part[0]);
                short version = Short.parseShort(part[1]);
                message.read(new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(part[3]))), version);
                Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
                Method write = converter.getMethod("write", message.getClass(), short.class);
                to.println(line + " " + write.invoke(null, message, version));
            }
        }
    }

    private static Message instance(String name) throws Exception {
        for (String place : PACKAGES) {
            for (String suffix : new String[] {"Data", ""}) {
                try {
                    return (Message) Class.forName(place + name + suffix).getConstructor().newInstance();
                } catch (ClassNotFoundException elsewhere) {
                    // The next package may have it.
                }
            }
        }
        throw new IllegalStateException("no class for " + name);
    }

    private static String hex(Message message, short version) {
        ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return HexFormat.of().formatHex(copy);
    }

    private static void fill(Object target, Schema schema, Random random) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field field : tagged.fields().values()) {
                    if (random.nextInt(3) > 0) {
                        set(target, field, random);
                    }
                }
            } else {
                set(target, bound.def, random);
            }
        }
    }

    private static void set(Object target, Field field, Random random) throws Exception {
        String wanted = "set" + field.name.replace("_", "").toLowerCase(Locale.ROOT);
        for (Method method : target.getClass().getMethods()) {
            if (method.getParameterCount() == 1 && method.getName().toLowerCase(Locale.ROOT).equals(wanted)) {
                java.lang.reflect.Type generic = method.getGenericParameterTypes()[0];
                method.invoke(target, value(field.type, method.getParameterTypes()[0], generic, random));
                return;
            }
        }
        throw new IllegalStateException("no setter for " + field.name + " in " + target.getClass());
    }

    @SuppressWarnings("unchecked")
    private static Object value(Type type, Class<?> as, java.lang.reflect.Type generic, Random random) throws Exception {
        if (type.isNullable() && random.nextInt(4) == 0) {
            return null;
        }
        if (type.isArray()) {
            boolean indexed = ImplicitLinkedHashCollection.class.isAssignableFrom(as);
            java.lang.reflect.Type holder = indexed ? as.getGenericSuperclass() : generic;
            Class<?> element = (Class<?>) ((ParameterizedType) holder).getActualTypeArguments()[0];
            java.util.Collection<Object> list =
                indexed ? (java.util.Collection<Object>) as.getConstructor().newInstance() : new ArrayList<>();
            for (int left = random.nextInt(4); left > 0; left--) {
                list.add(value(type.arrayElementType().get(), element, element, random));
            }
            return list;
        }
        if (type instanceof Schema schema) {
            Object inner = as.getConstructor().newInstance();
            fill(inner, schema, random);
            return inner;
        }
        return scalar(type, as, random);
    }

    private static Object scalar(Type type, Class<?> as, Random random) {
        long number = random.nextBoolean() ? random.nextLong() : random.nextInt(3) - 1;
        return switch (as.getSimpleName()) {
            case "boolean", "Boolean" -> (number & 1) == 1;
            case "byte", "Byte" -> (byte) number;
            case "short", "Short" -> (short) number;
            case "int", "Integer" -> type == Type.UINT16 ? (int) (number & 0xffff) : (int) number;
            case "long", "Long" -> type == Type.UNSIGNED_INT32 ? number & 0xffffffffL : number;
            case "double", "Double" -> number / 8.0;
            case "String" -> text(random);
            case "Uuid" -> random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(number, random.nextLong());
            case "byte[]" -> bytes(random);
            case "ByteBuffer" -> ByteBuffer.wrap(bytes(random));
            case "BaseRecords", "Records", "MemoryRecords" -> MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(random)));
            default -> throw new IllegalStateException("no value for " + as);
        };
    }

    private static byte[] bytes(Random random) {
        byte[] bytes = new byte[random.nextInt(20)];
        random.nextBytes(bytes);
        return bytes;
    }

    private static String text(Random random) {
        List<String> letters = List.of("a", "Z", "0", "-", ".", "é", "語", "🦦");
        StringBuilder out = new StringBuilder();
        for (int left = random.nextInt(12); left > 0; left--) {
            out.append(letters.get(random.nextInt(letters.size())));
        }
        return new String(out.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    }
}
