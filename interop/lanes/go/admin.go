package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// roomy is a topic that takes records of 1 MiB and keeps old timestamps.
func roomy(more map[string]*string) map[string]*string {
	size, forever := fmt.Sprint(largeBytes), "-1"
	configs := map[string]*string{"max.message.bytes": &size, "retention.ms": &forever}
	maps.Copy(configs, more)
	return configs
}

func (l *lane) create(topic string, partitions int32, configs map[string]*string) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	created, err := l.admin.CreateTopic(ctx, partitions, 1, configs, topic)
	if err != nil {
		return err
	}
	return created.Err
}

func (l *lane) topicLife() error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := l.create("go-life", 2, nil); err != nil {
		return err
	}
	if err := l.waitForPartitions(ctx, "go-life", 2); err != nil {
		return err
	}
	if _, err := l.admin.UpdatePartitions(ctx, 5, "go-life"); err != nil {
		return err
	}
	if err := l.waitForPartitions(ctx, "go-life", 5); err != nil {
		return err
	}
	if _, err := l.admin.DeleteTopic(ctx, "go-life"); err != nil {
		return err
	}
	return l.waitForPartitions(ctx, "go-life", 0)
}

func (l *lane) waitForPartitions(ctx context.Context, topic string, wanted int) error {
	for {
		topics, err := l.admin.ListTopics(ctx)
		if err != nil {
			return err
		}
		if len(topics[topic].Partitions) == wanted {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%d partitions, wanted %d", len(topics[topic].Partitions), wanted)
		}
	}
}

func (l *lane) topicErrors() error {
	if err := l.create("go-errors", 3, nil); err != nil {
		return err
	}
	if err := expect(l.create("go-errors", 1, nil), kerr.TopicAlreadyExists); err != nil {
		return err
	}
	if err := expect(l.create("no/slash", 1, nil), kerr.InvalidTopicException); err != nil {
		return err
	}
	soon := "soon"
	if err := expect(l.create("go-bad", 1, map[string]*string{"retention.ms": &soon}), kerr.InvalidConfig); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	updated, err := l.admin.UpdatePartitions(ctx, 2, "go-errors")
	if err != nil {
		return err
	}
	return expect(updated["go-errors"].Err, kerr.InvalidPartitions)
}

func (l *lane) topicConfig() error {
	retention := "12345"
	if err := l.create("go-config", 1, map[string]*string{"retention.ms": &retention}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	described, err := l.admin.DescribeTopicConfigs(ctx, "go-config")
	if err != nil {
		return err
	}
	for _, config := range described[0].Configs {
		if config.Key == "retention.ms" {
			return same(config.MaybeValue(), retention, "retention.ms")
		}
	}
	return fmt.Errorf("retention.ms is not described")
}

func (l *lane) offsets() error {
	if err := l.create("go-offsets", 1, roomy(nil)); err != nil {
		return err
	}
	for _, record := range l.corpus {
		one := *record
		one.Topic, one.Context = "go-offsets", nil
		if err := l.produce([]*kgo.Record{&one}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	count := int64(len(l.corpus))
	ask := func(listed kadm.ListedOffsets, err error) int64 {
		if err != nil || listed.Error() != nil {
			return -1000
		}
		return listed["go-offsets"][0].Offset
	}
	fifth := l.corpus[5].Timestamp.UnixMilli()
	cases := []struct {
		what        string
		got, wanted int64
	}{
		{"begin", ask(l.admin.ListStartOffsets(ctx, "go-offsets")), 0},
		{"end", ask(l.admin.ListEndOffsets(ctx, "go-offsets")), count},
		{"committed end", ask(l.admin.ListCommittedOffsets(ctx, "go-offsets")), count},
		{"the time of record 5", ask(l.admin.ListOffsetsAfterMilli(ctx, fifth, "go-offsets")), 5},
		{"after record 5", ask(l.admin.ListOffsetsAfterMilli(ctx, fifth+1, "go-offsets")), 6},
		{"after the last", ask(l.admin.ListOffsetsAfterMilli(ctx, fifth+3_600_000, "go-offsets")), count},
		{"highest timestamp", ask(l.admin.ListMaxTimestampOffsets(ctx, "go-offsets")), count - 1},
	}
	for _, each := range cases {
		if err := same(each.got, each.wanted, each.what); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) deleteRecords() error {
	if err := l.create("go-delete", 1, nil); err != nil {
		return err
	}
	if err := l.sendNumbers("go-delete", 20); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: "go-delete", At: 7})
	deleted, err := l.admin.DeleteRecords(ctx, before)
	if err != nil {
		return err
	}
	if err := same(deleted["go-delete"][0].LowWatermark, 7, "low watermark"); err != nil {
		return err
	}
	first := int64(-1)
	err = l.read("go-delete", 1, 13, func(record *kgo.Record) error {
		if first < 0 {
			first = record.Offset
		}
		return nil
	})
	if err != nil {
		return err
	}
	return same(first, 7, "first record after delete")
}
