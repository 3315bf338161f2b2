package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	bulkRecords    = 100_000
	bulkPartitions = 4
	largeBytes     = 4 << 20
)

var pattern = func() []byte {
	all := make([]byte, 768)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// readCorpus reads the records of a corpus file: timestamp, key, value, headers; `-` is null.
func readCorpus(path string) ([]*kgo.Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 8<<20)
	var records []*kgo.Record
	for lines.Scan() {
		record, err := parseRecord(strings.Split(lines.Text(), "\t"))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, lines.Err()
}

func parseRecord(fields []string) (*kgo.Record, error) {
	millis, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return nil, err
	}
	record := &kgo.Record{Timestamp: time.UnixMilli(millis), Key: parseBytes(fields[1]), Value: parseBytes(fields[2])}
	for _, pair := range strings.FieldsFunc(fields[3], func(r rune) bool { return r == ',' }) {
		name, content, _ := strings.Cut(pair, ":")
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(parseBytes(name)), Value: parseBytes(content)})
	}
	return record, nil
}

func parseBytes(text string) []byte {
	if text == "-" {
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		fail("corpus: " + err.Error())
	}
	return append([]byte{}, decoded...)
}

// bulkRecord is the i-th bulk record; every lane generates the same.
func bulkRecord(i int) (key, value []byte) {
	start := i % 256
	return []byte(strconv.Itoa(i)), append([]byte(strconv.Itoa(i)+":"), pattern[start:start+i%300]...)
}

// fingerprint is one hash over keys and values of records in order.
type fingerprint struct {
	hash  hash.Hash
	count int
}

func newFingerprints(count int) []*fingerprint {
	all := make([]*fingerprint, count)
	for i := range all {
		all[i] = &fingerprint{hash: sha256.New()}
	}
	return all
}

func (f *fingerprint) add(key, value []byte) {
	fmt.Fprintf(f.hash, "%d,%d;", len(key), len(value))
	f.hash.Write(key)
	f.hash.Write(value)
	f.count++
}

func (f *fingerprint) String() string {
	return fmt.Sprintf("%d records, %x", f.count, f.hash.Sum(nil)[:8])
}

func sameRecord(number int, got, wanted *kgo.Record) error {
	switch {
	case got.Attrs.TimestampType() != 0:
		return fmt.Errorf("record %d: timestamp type %d", number, got.Attrs.TimestampType())
	case !got.Timestamp.Equal(wanted.Timestamp):
		return fmt.Errorf("record %d: timestamp %v, wanted %v", number, got.Timestamp, wanted.Timestamp)
	case !sameBytes(got.Key, wanted.Key):
		return fmt.Errorf("record %d: key %q, wanted %q", number, got.Key, wanted.Key)
	case !sameBytes(got.Value, wanted.Value):
		return fmt.Errorf("record %d: value of %d bytes, wanted %d", number, len(got.Value), len(wanted.Value))
	case len(got.Headers) != len(wanted.Headers):
		return fmt.Errorf("record %d: %d headers, wanted %d", number, len(got.Headers), len(wanted.Headers))
	}
	for i, header := range got.Headers {
		if header.Key != wanted.Headers[i].Key || !sameBytes(header.Value, wanted.Headers[i].Value) {
			return fmt.Errorf("record %d: header %d is %q, wanted %q", number, i, header, wanted.Headers[i])
		}
	}
	return nil
}

// sameBytes tells null from empty, as the protocol does.
func sameBytes(left, right []byte) bool {
	return (left == nil) == (right == nil) && bytes.Equal(left, right)
}
