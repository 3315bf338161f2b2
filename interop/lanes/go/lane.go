package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const within = 60 * time.Second

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

type lane struct {
	address string
	corpus  []*kgo.Record
	admin   *kadm.Client
}

func newLane(address string, corpus []*kgo.Record) *lane {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		fail(err.Error())
	}
	return &lane{address, corpus, kadm.NewClient(client)}
}

func (l *lane) checks() []check {
	checks := []check{
		{"creates, grows, lists and deletes a topic", l.topicLife},
		{"refuses a topic that exists, a bad name, too few partitions", l.topicErrors},
		{"describes the configuration of a topic", l.topicConfig},
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		checks = append(checks, check{codec + ": the corpus comes back equal", func() error {
			return l.roundTrip("go-"+codec, codec)
		}})
	}
	return append(checks, []check{
		{"LogAppendTime: the broker's clock is on each record", l.logAppendTime},
		{"begin and end offsets, offsets for times", l.offsets},
		{"delete records moves the begin offset", l.deleteRecords},
		{"an unknown topic is Kafka's error", l.unknownTopic},
		{"an oversized record is Kafka's error", l.oversizedRecord},
		{"acks 0 and 1 arrive", l.weakAcks},
		{"idempotent: in order, none twice", l.idempotent},
		{fmt.Sprintf("%d records come back byte-equal", bulkRecords), l.bulk},
	}...)
}

func (l *lane) roundTrip(topic, codec string) error {
	if err := l.writeCorpus(topic, codec); err != nil {
		return err
	}
	return l.readCorpus(topic)
}

func (l *lane) writeCorpus(topic, codec string) error {
	if err := l.create(topic, 1, roomy(nil)); err != nil {
		return err
	}
	return l.send(topic, kgo.ProducerBatchCompression(codecs[codec]))
}

func (l *lane) readCorpus(topic string) error {
	number := 0
	return l.read(topic, 1, len(l.corpus), func(record *kgo.Record) error {
		number++
		return sameRecord(number-1, record, l.corpus[number-1])
	})
}

func (l *lane) logAppendTime() error {
	kind := "LogAppendTime"
	if err := l.create("go-append-time", 1, roomy(map[string]*string{"message.timestamp.type": &kind})); err != nil {
		return err
	}
	before := time.Now().Add(-2 * time.Millisecond)
	if err := l.send("go-append-time", kgo.ProducerBatchCompression(kgo.GzipCompression())); err != nil {
		return err
	}
	return l.read("go-append-time", 1, len(l.corpus), func(record *kgo.Record) error {
		if record.Attrs.TimestampType() != 1 || record.Timestamp.Before(before) || record.Timestamp.After(time.Now()) {
			return fmt.Errorf("timestamp %v of type %d", record.Timestamp, record.Attrs.TimestampType())
		}
		return nil
	})
}

func (l *lane) weakAcks() error {
	if err := l.create("go-acks", 1, nil); err != nil {
		return err
	}
	for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck()} {
		if err := l.sendNumbers("go-acks", 100, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite()); err != nil {
			return err
		}
	}
	number := 0
	return l.read("go-acks", 1, 200, func(record *kgo.Record) error {
		number++
		return same(string(record.Value), fmt.Sprint((number-1)%100), "value")
	})
}

func (l *lane) idempotent() error {
	if err := l.create("go-idempotent", 1, nil); err != nil {
		return err
	}
	if err := l.sendNumbers("go-idempotent", 5000, kgo.ProducerBatchMaxBytes(600), kgo.MaxBufferedRecords(500)); err != nil {
		return err
	}
	number := 0
	return l.read("go-idempotent", 1, 5000, func(record *kgo.Record) error {
		number++
		return same(string(record.Value), fmt.Sprint(number-1), "value")
	})
}

func (l *lane) bulk() error {
	if err := l.create("go-bulk", bulkPartitions, nil); err != nil {
		return err
	}
	sent := newFingerprints(bulkPartitions)
	records := make([]*kgo.Record, bulkRecords)
	for i := range records {
		key, value := bulkRecord(i)
		sent[i%bulkPartitions].add(key, value)
		records[i] = &kgo.Record{Topic: "go-bulk", Partition: int32(i % bulkPartitions), Key: key, Value: value}
	}
	if err := l.produce(records, kgo.ProducerBatchCompression(kgo.ZstdCompression())); err != nil {
		return err
	}
	back := newFingerprints(bulkPartitions)
	err := l.read("go-bulk", bulkPartitions, bulkRecords, func(record *kgo.Record) error {
		back[record.Partition].add(record.Key, record.Value)
		return nil
	})
	if err != nil {
		return err
	}
	return same(fmt.Sprint(back), fmt.Sprint(sent), "records")
}

func (l *lane) unknownTopic() error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	deleted, err := l.admin.DeleteTopics(ctx, "go-nowhere")
	if err != nil {
		return err
	}
	if err := expect(deleted["go-nowhere"].Err, kerr.UnknownTopicOrPartition); err != nil {
		return err
	}
	record := &kgo.Record{Topic: "go-nowhere", Value: []byte("x")}
	return expect(l.produce([]*kgo.Record{record}, kgo.UnknownTopicRetries(0)), kerr.UnknownTopicOrPartition)
}

func (l *lane) oversizedRecord() error {
	limit := "1000"
	if err := l.create("go-small", 1, map[string]*string{"max.message.bytes": &limit}); err != nil {
		return err
	}
	large := &kgo.Record{Topic: "go-small", Value: make([]byte, 2000)}
	none := kgo.ProducerBatchCompression(kgo.NoCompression())
	if err := expect(l.produce([]*kgo.Record{large}, none), kerr.MessageTooLarge); err != nil {
		return err
	}
	return l.produce([]*kgo.Record{{Topic: "go-small", Value: []byte("small")}})
}

func (l *lane) sendNumbers(topic string, count int, options ...kgo.Opt) error {
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}
	}
	return l.produce(records, options...)
}

func (l *lane) send(topic string, options ...kgo.Opt) error {
	records := make([]*kgo.Record, len(l.corpus))
	for i, each := range l.corpus {
		records[i] = &kgo.Record{Topic: topic, Key: each.Key, Value: each.Value, Headers: each.Headers, Timestamp: each.Timestamp}
	}
	return l.produce(records, options...)
}

func (l *lane) produce(records []*kgo.Record, options ...kgo.Opt) error {
	options = append([]kgo.Opt{
		kgo.SeedBrokers(l.address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(largeBytes),
	}, options...)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return client.ProduceSync(ctx, records...).FirstErr()
}

// read hands the next `count` records from the beginning to `use`.
func (l *lane) read(topic string, partitions int32, count int, use func(*kgo.Record) error) error {
	starts := map[int32]kgo.Offset{}
	for partition := range partitions {
		starts[partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(l.address), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}),
		kgo.FetchMaxPartitionBytes(largeBytes))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for taken := 0; taken < count; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d of %d records came: %w", taken, count, err)
		}
		for _, record := range fetches.Records() {
			if err := use(record); err != nil {
				return err
			}
			taken++
		}
	}
	return nil
}

func same[T comparable](got, wanted T, what string) error {
	if got != wanted {
		return fmt.Errorf("%s: got %v, wanted %v", what, got, wanted)
	}
	return nil
}

func expect(err, wanted error) error {
	if !errors.Is(err, wanted) {
		return fmt.Errorf("got error %v, wanted %v", err, wanted)
	}
	return nil
}
