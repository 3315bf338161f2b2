import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The records all lanes share: the corpus file and the generated bulk. */
final class Corpus {
    static final int BULK_RECORDS = 100_000;
    static final int BULK_PARTITIONS = 4;
    static final int LARGE_BYTES = 4 << 20;

    private Corpus() { }

    /** One record; key, value and header values may be null. */
    record Item(long timestamp, byte[] key, byte[] value, List<Header> headers) { }

    /** Reads a corpus file: timestamp, key, value, headers; {@code -} is null. */
    static List<Item> read(String path) throws IOException {
        List<Item> items = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(path))) {
            String[] fields = line.split("\t", -1);
            List<Header> headers = new ArrayList<>();
            for (String pair : fields[3].isEmpty() ? new String[0] : fields[3].split(",")) {
                String[] parts = pair.split(":", -1);
                headers.add(new RecordHeader(new String(bytes(parts[0]), StandardCharsets.UTF_8), bytes(parts[1])));
            }
            items.add(new Item(Long.parseLong(fields[0]), bytes(fields[1]), bytes(fields[2]), headers));
        }
        return items;
    }

    /** Value of the bulk record of this number; every lane generates the same. */
    static byte[] bulkValue(int number) {
        byte[] prefix = (number + ":").getBytes(StandardCharsets.US_ASCII);
        byte[] value = Arrays.copyOf(prefix, prefix.length + number % 300);
        for (int i = prefix.length; i < value.length; i++) {
            value[i] = (byte) (number % 256 + i - prefix.length);
        }
        return value;
    }

    /** Fails with the first field that differs. */
    static void same(int number, ConsumerRecord<byte[], byte[]> got, Item wanted) {
        String record = "record " + number + " ";
        Lane.same(got.timestamp(), wanted.timestamp(), record + "timestamp");
        Lane.same(text(got.key()), text(wanted.key()), record + "key");
        Lane.same(text(got.value()), text(wanted.value()), record + "value");
        Lane.same(text(got.headers().toArray()), text(wanted.headers().toArray(new Header[0])), record + "headers");
    }

    /** All that a record holds, as one line. */
    static String line(ConsumerRecord<byte[], byte[]> record) {
        return String.join(" ", "" + record.offset(), "" + record.timestampType(), "" + record.timestamp(),
            text(record.key()), text(record.value()), text(record.headers().toArray())) + "\n";
    }

    /** One hash a partition over keys and values in order. */
    static final class Fingerprint {
        private final MessageDigest digest;
        private int count;

        private Fingerprint() {
            try {
                digest = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException error) {
                throw new IllegalStateException(error);
            }
        }

        void add(byte[] key, byte[] value) {
            digest.update((key.length + "," + value.length + ";").getBytes(StandardCharsets.US_ASCII));
            digest.update(key);
            digest.update(value);
            count++;
        }

        private String result() {
            return count + " records, " + HexFormat.of().formatHex(digest.digest()).substring(0, 16);
        }
    }

    static List<Fingerprint> fingerprints() {
        return new ArrayList<>(IntStream.range(0, BULK_PARTITIONS).mapToObj(number -> new Fingerprint()).toList()) {
            @Override
            public String toString() {
                return String.join("; ", stream().map(Fingerprint::result).toList());
            }
        };
    }

    private static byte[] bytes(String text) {
        return text.equals("-") ? null : Base64.getDecoder().decode(text);
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : Base64.getEncoder().encodeToString(bytes);
    }

    private static String text(Header[] headers) {
        return String.join(",", Arrays.stream(headers).map(header -> header.key() + ":" + text(header.value())).toList());
    }
}
