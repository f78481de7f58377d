package persistence

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// written is a log of n entries.
func written(n int) (all []AuditEntry) {
	var last AuditEntry
	for range n {
		e := AuditEntry{At: time.Unix(1700000000, 123456789), Who: "uid 0", What: "AccountService/Pause", Account: "alice", Outcome: "ok"}
		last = e.Follow(last)
		all = append(all, last)
	}
	return all
}

func TestALogIsWhatWasWritten(t *testing.T) {
	all := written(AuditPageSize + 3)
	if err := CheckAudit(all); err != nil {
		t.Fatal(err)
	}
	if err := CheckAudit(all[5:]); err != nil {
		t.Errorf("without what was dropped at its beginning: %v", err)
	}
	var records []Record
	for from := 0; from < len(all); from += AuditPageSize {
		p := AuditPage{all[from].PageOf(), all[from:min(from+AuditPageSize, len(all))]}
		records = append(records, p.Record())
	}
	got, err := DecodeAudit(records)
	if diff := cmp.Diff(all, got); err != nil || diff != "" || len(records) != 2 {
		t.Errorf("%d pages, %v\n%s", len(records), err, diff)
	}
	for _, r := range records {
		if err := r.Check(); err != nil || len(r.Data) > MaxRecordSize {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// Whatever is done to a log but at its ends is found, and where.
func TestALogThatWasTamperedWithIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		do  func(all []AuditEntry) []AuditEntry
		seq uint64
	}{
		"another account": {func(all []AuditEntry) []AuditEntry { all[4].Account = "bob"; return all }, 5},
		"another outcome": {func(all []AuditEntry) []AuditEntry { all[0].Outcome = "refused"; return all }, 1},
		"another time":    {func(all []AuditEntry) []AuditEntry { all[9].At = all[9].At.Add(time.Second); return all }, 10},
		"another time and hash": {func(all []AuditEntry) []AuditEntry {
			all[4].At = time.Unix(9, 0)
			all[4].Hash = all[4].hash()
			return all
		}, 6},
		"one left out":  {func(all []AuditEntry) []AuditEntry { return append(all[:3:3], all[4:]...) }, 5},
		"two exchanged": {func(all []AuditEntry) []AuditEntry { all[3], all[4] = all[4], all[3]; return all }, 5},
		"one twice":     {func(all []AuditEntry) []AuditEntry { return append(all[:4:4], all[3:]...) }, 4},
		"text moved between two": {func(all []AuditEntry) []AuditEntry {
			all[2].What, all[2].Detail = all[2].What[:5], all[2].What[5:]
			return all
		}, 3},
		"another in front of all": {func(all []AuditEntry) []AuditEntry { all[0].Before[0] = 1; all[0].Hash = all[0].hash(); return all }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var e *AuditError
			if err := CheckAudit(c.do(written(10))); !errors.As(err, &e) || e.Seq != c.seq {
				t.Errorf("%v, want entry %d", err, c.seq)
			}
		})
	}
}

func TestTextsOfAnEntryAreCut(t *testing.T) {
	e := AuditEntry{Who: strings.Repeat("ä", 100), What: "\xff"}.Follow(AuditEntry{})
	if len(e.Who) != 64 || !utf8.ValidString(e.Who) || e.What != "?" || CheckAudit([]AuditEntry{e}) != nil {
		t.Errorf("%q, %q", e.Who, e.What)
	}
	e = AuditEntry{Who: "a" + strings.Repeat("ä", 100)}.Follow(AuditEntry{})
	if len(e.Who) != 63 {
		t.Errorf("%q has %d bytes", e.Who, len(e.Who))
	}
}

func FuzzDecodeAuditPage(f *testing.F) {
	f.Add([]byte(AuditPage{0, written(3)}.Record().Data))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeAuditPage(Record{AuditPageKey(0), 1, b})
		if err != nil {
			return
		}
		again, err := DecodeAuditPage(p.Record())
		if err != nil || cmp.Diff(p, again) != "" {
			t.Errorf("%v becomes %v, %v", p, again, err)
		}
	})
}

func TestAnEntryIsAppended(t *testing.T) {
	for _, n := range []int{0, 1, AuditPageSize - 1, AuditPageSize, AuditPageSize + 3, AuditPageSize * AuditPages} {
		all := written(n)
		put, drop := AppendAudit(all, AuditEntry{At: time.Unix(1700000001, 0), Who: "uid 1", What: "store adopt", Outcome: "ok"})
		page, err := DecodeAuditPage(put)
		if err != nil {
			t.Fatal(err)
		}
		whole := append(all[:uint64(n)/AuditPageSize*AuditPageSize], page.Entries...)
		if err := CheckAudit(whole); err != nil || len(whole) != n+1 || whole[n].What != "store adopt" {
			t.Errorf("after %d entries: %v, %d entries", n, err, len(whole))
		}
		if full := n == AuditPageSize*AuditPages; (len(drop) == 1) != full || full && drop[0] != AuditPageKey(0) {
			t.Errorf("after %d entries %v is dropped", n, drop)
		}
	}
}
