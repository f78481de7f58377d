package timeline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/persistence"
)

// anyEntry draws an entry as somebody may add it.
func anyEntry(t *rapid.T) Entry {
	at := rapid.Int64Range(0, 1<<41).Draw(t, "at")
	e := Entry{
		At: time.UnixMilli(at).UTC(), Kind: Kind(rapid.Uint8Range(uint8(Started), uint8(Unreachable)).Draw(t, "kind")),
		DC: rapid.IntRange(-5, 5).Draw(t, "dc"), Word: rapid.StringN(0, 60, 90).Draw(t, "word"), Why: rapid.StringN(0, 150, 400).Draw(t, "why"),
	}
	e.Media = rapid.Bool().Draw(t, "for media")
	if rapid.Bool().Draw(t, "with a key") {
		e.Key = KeyOf(rapid.Int64().Draw(t, "key"))
	}
	if rapid.Bool().Draw(t, "with an end") {
		e.Until = time.Unix(rapid.Int64Range(1, 1<<32).Draw(t, "until"), 0).UTC()
	}
	return e
}

// TestARingKeepsTheLastEntriesAsAListWould: the twin is a list of whole entries,
// each weighed by itself.
func TestARingKeepsTheLastEntriesAsAListWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		var twin []Entry
		for range rapid.IntRange(1, 120).Draw(t, "entries") {
			e := anyEntry(t).tidy()
			r.add(e)
			twin = append(twin, e)
			for weight(twin) > Limit {
				twin = twin[1:]
			}
			if len(r.data) > Limit || cap(r.data) > Limit {
				t.Fatalf("%d bytes of %d, at most %d", len(r.data), cap(r.data), Limit)
			}
		}
		got := r.entries()
		// The first entry's time is counted from one that was forgotten, so that the
		// ring may hold one more or less than a list that is weighed anew.
		if d := len(got) - len(twin); d < -1 || d > 1 {
			t.Fatalf("%d entries, the list has %d", len(got), len(twin))
		}
		n := min(len(got), len(twin))
		if diff := cmp.Diff(twin[len(twin)-n:], got[len(got)-n:]); diff != "" {
			t.Fatal(diff)
		}
	})
}

// weight is what entries take, by the format's own description.
func weight(list []Entry) (n int) {
	for i, e := range list {
		delta := int64(0)
		if i > 0 {
			delta = e.At.UnixMilli() - list[i-1].At.UnixMilli()
		}
		n += len(encode(nil, e, delta))
	}
	return n
}

func TestWhatIsKeptOfAnEntryComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry(t)
		kept := e.tidy()
		if again := kept.tidy(); again != kept {
			t.Fatalf("tidied again: %+v\n%+v", again, kept)
		}
		if len(kept.Word) > wordMost || len(kept.Why) > whyMost || !utf8.ValidString(kept.Word) || !utf8.ValidString(kept.Why) {
			t.Fatalf("words too long, or no text: %+v", kept)
		}
		var r ring
		r.add(kept)
		if diff := cmp.Diff([]Entry{kept}, r.entries()); diff != "" {
			t.Fatal(diff)
		}
		text, err := json.Marshal(kept)
		var back Entry
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if diff := cmp.Diff(kept, back); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func TestLongNumbersAreNoWords(t *testing.T) {
	for in, want := range map[string]string{
		"PHONE +15550100123 BANNED":            "PHONE +… BANNED",
		"dial tcp 127.0.0.1:65535":             "dial tcp 127.0.0.1:65535",
		"two\nlines\x00\x1b[31m\u009b1m\u202e": "two lines  [31m 1m",
		strings.Repeat("é", 60):                strings.Repeat("é", 38) + "…",
		strings.Repeat("9", 400) + " end":      "…",
	} {
		if got := words(in, whyMost); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// record is what a recorder writes.
func record(t *testing.T, r *Recorder) persistence.Record {
	t.Helper()
	rec, ok := r.Ride()
	if !ok {
		t.Fatal("it has nothing to write")
	}
	return rec
}

func loaded(id persistence.AccountID, records ...persistence.Record) *Recorder {
	r := New(id)
	r.Loaded(records, nil)
	return r
}

func TestARecorderGoesOnWhereTheLastProcessEnded(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := loaded("alice")
	first.Add(Entry{At: at, Kind: TempMade, DC: 2, Key: KeyOf(1)})
	rec := record(t, first)
	if _, ok := first.Ride(); ok {
		t.Error("what is on its way is written twice")
	}
	second := New("alice")
	second.Add(Entry{At: at.Add(time.Hour), Kind: Started}) // before the store was read
	if _, ok := second.Ride(); ok {
		t.Fatal("a record is written over that was not read")
	}
	second.Loaded([]persistence.Record{rec}, nil)
	second.Loaded([]persistence.Record{rec}, nil) // its actor was started again
	want := []Entry{{At: at, Kind: TempMade, DC: 2, Key: KeyOf(1)}, {At: at.Add(time.Hour), Kind: Started}}
	if diff := cmp.Diff(want, second.Entries()); diff != "" {
		t.Error(diff)
	}
	again := record(t, second)
	if diff := cmp.Diff(want, Of([]persistence.Record{again})); diff != "" {
		t.Error(diff)
	}
	second.Rode(&persistence.WriteError{})
	record(t, second) // it goes along with the next commit
	second.Rode(nil)
	if _, ok := second.Ride(); ok {
		t.Error("what is on disk is written again")
	}
}

func TestARecordOfALaterVersionIsLeftAlone(t *testing.T) {
	rec := persistence.Record{Key: RecordKey("alice"), Version: version + 1, Data: []byte("who knows")}
	r := loaded("alice", rec)
	r.Add(Entry{Kind: Started})
	if _, ok := r.Ride(); ok {
		t.Error("it is written over")
	}
	unread := New("alice")
	unread.Loaded(nil, &persistence.VersionError{Key: rec.Key, Version: 2, Known: 1})
	unread.Add(Entry{Kind: Started})
	if _, ok := unread.Ride(); ok {
		t.Error("one that the store does not hand out is written over")
	}
	other := New("alice")
	other.Loaded(nil, &persistence.CorruptError{Key: persistence.TempKeyKey("alice", 2, 1)})
	other.Add(Entry{Kind: Started})
	record(t, other) // another record's damage is not its own
}

func TestAHostileRecordSaysThatMoreWasThere(t *testing.T) {
	good := loaded("alice")
	good.Add(Entry{At: time.UnixMilli(1e12), Kind: Started})
	good.Add(Entry{At: time.UnixMilli(2e12), Kind: Used, DC: 2, Key: KeyOf(7)})
	data := record(t, good).Data
	for name, bad := range map[string]persistence.Secret{
		"nothing":            {},
		"cut":                data[:len(data)-1],
		"a word too long":    {0, byte(State), hasWord, 0, 255, 'x'},
		"an unknown field":   {0, byte(State), 0x80, 0},
		"a time after 9999":  {0, byte(State), 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a varint unending":  bytes.Repeat([]byte{0xff}, 20),
		"far more than ours": append(persistence.Secret{0}, bytes.Repeat([]byte{byte(Started), 0, 0}, 100_000)...),
	} {
		t.Run(name, func(t *testing.T) {
			rec := persistence.Record{Key: RecordKey("alice"), Version: version, Data: bad}
			list := Of([]persistence.Record{rec})
			if len(list) == 0 || !strings.Contains(list[len(list)-1].Why, "could not be read") || len(list) > Limit {
				t.Fatalf("%d entries: %v", len(list), list[max(len(list)-2, 0):])
			}
			r := loaded("alice", rec)
			r.Add(Entry{At: time.UnixMilli(3e12), Kind: Started})
			if again := record(t, r); len(again.Data) > Limit+10 {
				t.Errorf("%d bytes are written", len(again.Data))
			}
		})
	}
}

func FuzzARecord(f *testing.F) {
	r := loaded("alice")
	r.Add(Entry{At: time.UnixMilli(1e12), Kind: State, Word: "waiting", Why: "FLOOD_WAIT_30", Until: time.Unix(1e9, 0)})
	rec, _ := r.Ride()
	f.Add([]byte(rec.Data))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := Of([]persistence.Record{{Key: RecordKey("alice"), Version: version, Data: data}})
		if _, err := json.Marshal(list); err != nil {
			t.Fatal(err)
		}
		var text, svg bytes.Buffer
		if err := Text(&text, "alice", list); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Fatalf("a line of %d columns: %s", n, line)
			}
		}
		if err := SVG(&svg, "alice", list); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNobodysRecorderRecordsNothing(t *testing.T) {
	var r *Recorder
	r.Add(Entry{Kind: Started})
	if r.Entries() != nil {
		t.Error("it did")
	}
}
