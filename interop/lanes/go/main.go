// Command go runs franz-go against a broker: records out and back, admin calls, errors. Partitions are assigned, no groups.
//
// Usage: go ADDRESS CORPUS all | write TOPIC | read TOPIC
package main

import (
	"fmt"
	"os"
)

type check struct {
	name string
	run  func() error
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: go ADDRESS CORPUS all | write TOPIC | read TOPIC")
	}
	corpus, err := readCorpus(os.Args[2])
	if err != nil {
		fail(err.Error())
	}
	lane := newLane(os.Args[1], corpus)
	checks := lane.checks()
	if len(os.Args) > 4 {
		topic := os.Args[4]
		checks = map[string][]check{
			"write": {{"writes " + topic, func() error { return lane.writeCorpus(topic, "none") }}},
			"read":  {{"reads " + topic, func() error { return lane.readCorpus(topic) }}},
		}[os.Args[3]]
	}
	for passed, each := range checks {
		if err := each.run(); err != nil {
			fmt.Printf("FAIL %s: %v\n%d passed, 1 failed\n", each.name, err, passed)
			os.Exit(1)
		}
		fmt.Printf("ok   %s\n", each.name)
	}
	fmt.Printf("%d passed, 0 failed\n", len(checks))
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(2)
}
