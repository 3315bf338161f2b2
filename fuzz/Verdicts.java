// Asks Apache Kafka's own validation about each batch that `cargo run -p ottla-fuzz --bin verdicts` prints, and prints where it differs:
//   cargo run -p ottla-fuzz --bin verdicts 5000 | java -cp 'KAFKA/libs/*' fuzz/Verdicts.java

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Scanner;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.common.utils.internals.*;
import org.apache.kafka.server.common.*;
import org.apache.kafka.storage.internals.log.*;

public class Verdicts {
    static final long NOW = 1_800_000_000_000L;

    static class Still implements Time {
        public long milliseconds() { return NOW; }
        public long nanoseconds() { return 0; }
        public void sleep(long ms) {}
        public void waitObject(Object object, java.util.function.Supplier<Boolean> condition, long deadlineMs) {}
    }

    static class Nothing implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() {}
        public void recordInvalidOffset() {}
        public void recordInvalidSequence() {}
        public void recordInvalidChecksums() {}
        public void recordNoKeyCompactedTopic() {}
    }

    static String verdict(byte[] bytes) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes.clone()));
            ProduceRequest.validateRecords((short) 9, records);
            CompressionType source = CompressionType.NONE;
            for (MutableRecordBatch batch : records.batches()) {
                if (batch.baseOffset() != 0) throw new InvalidRecordException("base offset");
                if (batch.sizeInBytes() > 1048588) throw new RecordTooLargeException("size");
                if (!batch.isValid()) throw new CorruptRecordException("crc");
                if (batch.compressionType() != CompressionType.NONE) source = batch.compressionType();
            }
            LogValidator validator = new LogValidator(records, new TopicPartition("t", 0), new Still(), source,
                Compression.of(source).build(), false, (byte) 2, TimestampType.CREATE_TIME, Long.MAX_VALUE,
                3_600_000L, 7, AppendOrigin.CLIENT);
            MemoryRecords stored = validator.validateMessagesAndAssignOffsets(
                PrimitiveRef.ofLong(100), new Nothing(), BufferSupplier.create()).validatedRecords();
            ByteBuffer buffer = stored.buffer().duplicate();
            byte[] out = new byte[buffer.remaining()];
            buffer.get(out);
            return HexFormat.of().formatHex(out);
        } catch (RecordValidationException error) {
            return Errors.forException(error.invalidException()).name();
        } catch (Throwable error) {
            return Errors.forException(error).name();
        }
    }

    public static void main(String[] args) {
        TreeMap<String, Integer> tally = new TreeMap<>();
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine();) {
            String[] line = lines.nextLine().split(" ", -1);
            String theirs = verdict(HexFormat.of().parseHex(line[1]));
            boolean same = theirs.equals(line[0]);
            String ours = line[0].matches("[0-9a-f]+") ? "accepted" : line[0];
            String kafka = theirs.matches("[0-9a-f]+") ? "accepted" : theirs;
            tally.merge((same ? "same " : "DIFFERENT ") + ours + " / " + kafka, 1, Integer::sum);
            if (!same) System.out.println(ours + " / " + kafka + " " + line[1] + " -> " + line[0] + " / " + theirs);
        }
        tally.forEach((what, count) -> System.out.println("# " + count + " " + what));
    }
}
