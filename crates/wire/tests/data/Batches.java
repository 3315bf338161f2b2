// Writes record batches as Apache Kafka's own classes build them, one "name hex" a line, and reads such lines back:
//   java -cp 'KAFKA/libs/*' Batches.java > batches-4.4.txt
//   cargo run -p ottla-wire --example batch_hex | java -cp 'KAFKA/libs/*' Batches.java read

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Scanner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

public class Batches {
    static final long TIME = 1_700_000_000_000L;

    static SimpleRecord[] records() {
        byte[] value = new byte[300];
        Arrays.fill(value, (byte) 'v');
        Header[] headers = {
            new RecordHeader("h", null), new RecordHeader("h", "x".getBytes()), new RecordHeader("", new byte[0])
        };
        return new SimpleRecord[] {
            new SimpleRecord(TIME, (byte[]) null, (byte[]) null),
            new SimpleRecord(TIME + 5, "k".getBytes(), new byte[0], headers),
            new SimpleRecord(TIME - 7, new byte[0], value),
        };
    }

    static void print(String name, MemoryRecords records) {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        System.out.println(name + " " + HexFormat.of().formatHex(bytes));
    }

    static void write() {
        for (CompressionType type : CompressionType.values())
            print(type.name, MemoryRecords.withRecords(Compression.of(type).build(), records()));
        print("idempotent", MemoryRecords.withIdempotentRecords(
            12L, Compression.NONE, 9L, (short) 3, 5, 7, records()));
        print("transactional", MemoryRecords.withTransactionalRecords(
            12L, Compression.NONE, 9L, (short) 3, 5, 7, records()));
        MemoryRecordsBuilder stamped = MemoryRecords.builder(
            ByteBuffer.allocate(4096), RecordBatch.CURRENT_MAGIC_VALUE, Compression.NONE, TimestampType.LOG_APPEND_TIME,
            3L, TIME + 100, RecordBatch.NO_PARTITION_LEADER_EPOCH);
        for (SimpleRecord record : records())
            stamped.append(record);
        print("append-time", stamped.build());
        print("commit", MemoryRecords.withEndTransactionMarker(
            40L, TIME, 7, 9L, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 11)));
    }

    static String show(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    static void read() {
        for (Scanner lines = new Scanner(System.in); lines.hasNext();) {
            String name = lines.next();
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(HexFormat.of().parseHex(lines.next())));
            for (RecordBatch batch : records.batches()) {
                batch.ensureValid();
                System.out.println(name + " " + batch);
                for (org.apache.kafka.common.record.internal.Record record : batch)
                    System.out.println("  " + record.offset() + " " + record.timestamp() + " " + show(record.key())
                        + " " + show(record.value()) + " " + Arrays.toString(record.headers()));
            }
        }
    }

    public static void main(String[] args) {
        if (args.length > 0) read(); else write();
    }
}
