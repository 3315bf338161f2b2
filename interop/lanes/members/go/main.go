// Command go is a member of a group by franz-go: `go ADDRESS GROUP TOPIC,TOPIC [name=value …]`, until SIGTERM.
//
// It prints `assigned TOPIC:PARTITION,…` after each rebalance, and `handled TOPIC PARTITION FIRST LAST` before it commits.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type owned struct {
	sync.Mutex
	partitions map[string]bool
}

func (o *owned) change(partitions map[string][]int32, has bool) {
	o.Lock()
	defer o.Unlock()
	for topic, indexes := range partitions {
		for _, index := range indexes {
			if has {
				o.partitions[fmt.Sprintf("%s:%d", topic, index)] = true
			} else {
				delete(o.partitions, fmt.Sprintf("%s:%d", topic, index))
			}
		}
	}
	if !has {
		return
	}
	names := make([]string, 0, len(o.partitions))
	for name := range o.partitions {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Printf("assigned %s\n", strings.Join(names, ","))
}

func main() {
	has := &owned{partitions: map[string]bool{}}
	gained := func(_ context.Context, _ *kgo.Client, more map[string][]int32) { has.change(more, true) }
	lost := func(_ context.Context, _ *kgo.Client, less map[string][]int32) { has.change(less, false) }
	options := []kgo.Opt{
		kgo.SeedBrokers(os.Args[1]), kgo.ConsumerGroup(os.Args[2]), kgo.ConsumeTopics(strings.Split(os.Args[3], ",")...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.MetadataMaxAge(2 * time.Second),
		kgo.MetadataMinAge(250 * time.Millisecond), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(time.Second),
		kgo.OnPartitionsAssigned(gained), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost),
		kgo.Balancers(kgo.RangeBalancer()),
	}
	for _, word := range os.Args[4:] {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case name == "instance":
			options = append(options, kgo.InstanceID(value))
		case word == "assignor=cooperative-sticky":
			options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
		}
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for told.Err() == nil {
		handle(told, client)
	}
	client.Close()
}

func handle(told context.Context, client *kgo.Client) {
	fetches := client.PollRecords(told, 200)
	fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
		if records := partition.Records; len(records) > 0 {
			last := records[len(records)-1]
			fmt.Printf("handled %s %d %d %d\n", partition.Topic, partition.Partition, records[0].Offset, last.Offset)
		}
	})
	if fetches.NumRecords() > 0 {
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "commit failed:", err)
		}
	}
}
