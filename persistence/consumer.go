package persistence

import (
	"strings"
	"time"
)

// This file has the records of those who are told what happens; they are kept under
// FleetID.

const (
	consumerVersion     = 1
	consumerStopVersion = 1
	deadLetterVersion   = 1

	consumerPrefix     = "consumer."
	consumerStopPrefix = "stopped."
	deadPrefix         = "dead."

	// maxConsumerName leaves room in a sub of 64 for "dead." and a number.
	maxConsumerName = 40
)

// Consumer is somebody who acknowledges what accounts are told, and until then has
// it kept by the server.
type Consumer struct {
	Name    string // from the key
	Created time.Time
	// Which events: of these accounts, kinds and labels; empty for all.
	Accounts, Kinds, Labels []string
}

// CheckConsumerName tells whether a consumer can be called so: 1 to 40 characters
// of [a-z0-9._-]. The error is an *InvalidError.
func CheckConsumerName(name string) error {
	ok := name != "" && len(name) <= maxConsumerName
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return &InvalidError{Reason: "the name of a consumer has 1 to 40 characters of a-z, 0-9, '.', '_' and '-'"}
	}
	return nil
}

// ConsumerKey is where a consumer's record is.
func ConsumerKey(name string) Key { return Key{FleetID, KindMeta, consumerPrefix + name} }

// Record encodes the consumer.
func (c Consumer) Record() Record {
	var w writer
	w.time(c.Created)
	for _, list := range [][]string{c.Accounts, c.Kinds, c.Labels} {
		w.uint(uint64(len(list)))
		for _, s := range list {
			w.string(s)
		}
	}
	return Record{ConsumerKey(c.Name), consumerVersion, Secret(w)}
}

// ConsumerName returns whose record is at a key, if it is a consumer's.
func ConsumerName(key Key) (name string, is bool) {
	name, is = strings.CutPrefix(key.Sub, consumerPrefix)
	return name, is && key.Kind == KindMeta && key.Account == FleetID
}

// DecodeConsumer is the reverse of Record.
func DecodeConsumer(rec Record) (Consumer, error) {
	r, err := open(rec, KindMeta, consumerVersion)
	if err != nil {
		return Consumer{}, err
	}
	c := Consumer{Name: strings.TrimPrefix(rec.Sub, consumerPrefix), Created: r.time()}
	for _, list := range []*[]string{&c.Accounts, &c.Kinds, &c.Labels} {
		for range r.count(1) {
			*list = append(*list, r.string())
		}
	}
	return c, r.close(rec)
}

// ConsumerStop says that the target of a consumer wants to be told nothing more. It is
// a record of its own, so that a consumer's has the format it always had.
type ConsumerStop struct {
	Consumer string // from the key
	At       time.Time
	Why      string
	Target   string // which target, as the consumer names it
}

// ConsumerStopKey is where the stop of a consumer is.
func ConsumerStopKey(name string) Key { return Key{FleetID, KindMeta, consumerStopPrefix + name} }

// StoppedConsumer returns whose stop is at a key, if it is one.
func StoppedConsumer(key Key) (name string, is bool) {
	name, is = strings.CutPrefix(key.Sub, consumerStopPrefix)
	return name, is && key.Kind == KindMeta && key.Account == FleetID
}

// Record encodes the stop.
func (s ConsumerStop) Record() Record {
	var w writer
	w.time(s.At)
	w.string(s.Why)
	w.string(s.Target)
	return Record{ConsumerStopKey(s.Consumer), consumerStopVersion, Secret(w)}
}

// DecodeConsumerStop is the reverse of Record.
func DecodeConsumerStop(rec Record) (ConsumerStop, error) {
	r, err := open(rec, KindMeta, consumerStopVersion)
	if err != nil {
		return ConsumerStop{}, err
	}
	s := ConsumerStop{Consumer: strings.TrimPrefix(rec.Sub, consumerStopPrefix), At: r.time(), Why: r.string(), Target: r.string()}
	return s, r.close(rec)
}

// DeadLetter is what a consumer could not deliver and has put aside.
type DeadLetter struct {
	Consumer string // from the key
	ID       string // from the key
	At       time.Time
	Account  string
	Why      string
	Attempts int
	Body     Secret // what was to be delivered; empty if it was too large to keep
}

// DeadLetterKey is where a dead letter is. The id has 1 to 18 characters of
// [a-z0-9-].
func DeadLetterKey(consumer, id string) Key {
	return Key{FleetID, KindMeta, deadPrefix + consumer + "." + id}
}

// IsDeadLetter reports whether a record is a dead letter of a consumer.
func IsDeadLetter(rec Record, consumer string) bool {
	rest, is := strings.CutPrefix(rec.Sub, deadPrefix+consumer+".")
	return is && rec.Kind == KindMeta && !strings.Contains(rest, ".")
}

// Record encodes the letter.
func (d DeadLetter) Record() Record {
	var w writer
	w.time(d.At)
	w.string(d.Account)
	w.string(d.Why)
	w.int(int64(d.Attempts))
	w.bytes(d.Body)
	return Record{DeadLetterKey(d.Consumer, d.ID), deadLetterVersion, Secret(w)}
}

// DecodeDeadLetter is the reverse of Record.
func DecodeDeadLetter(rec Record) (DeadLetter, error) {
	r, err := open(rec, KindMeta, deadLetterVersion)
	if err != nil {
		return DeadLetter{}, err
	}
	name := strings.TrimPrefix(rec.Sub, deadPrefix)
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return DeadLetter{}, &InvalidError{rec.Key, "it is no dead letter"}
	}
	d := DeadLetter{
		Consumer: name[:dot], ID: name[dot+1:], At: r.time(), Account: r.string(), Why: r.string(), Attempts: int(r.int32()), Body: r.bytes(),
	}
	return d, r.close(rec)
}
