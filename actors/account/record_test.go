package account

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestASessionBeginsWithWhatTheLastOneLearnt takes a snapshot through its record.
func TestASessionBeginsWithWhatTheLastOneLearnt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Uint32()
		in := mtproto.Snapshot{OffsetKnown: true, TimeOffset: time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "offset"))}
		for range rapid.IntRange(0, 10).Draw(t, "salts") {
			in.Salts = append(in.Salts, mtproto.Salt{
				Value: rapid.Int64().Draw(t, "salt"), Since: seconds.Draw(t, "since"), Until: seconds.Draw(t, "until"),
			})
		}
		key := crypt.KeyID(rapid.Int64().Draw(t, "key"))
		rec, err := persistence.DecodeSession(sessionRecord(2, key, in).Record("alice"))
		if err != nil {
			t.Fatal(err)
		}
		var same, other mtproto.Config
		sessionConfig(&same, &rec, key)
		sessionConfig(&other, &rec, key+1)
		want := mtproto.Config{TimeOffset: in.TimeOffset, OffsetKnown: true, Salts: in.Salts}
		if diff := cmp.Diff(want, same); diff != "" {
			t.Errorf("a session changed on its way (-saved +read):\n%s", diff)
		}
		want.Salts = nil // of no use under another key
		if diff := cmp.Diff(want, other); diff != "" {
			t.Errorf("what another key's session begins with (-want +got):\n%s", diff)
		}
	})
}

func TestThePlaceInTheUpdatesIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int32Range(0, 1<<31-1)
		in := updates.State{Pts: n.Draw(t, "pts"), Qts: n.Draw(t, "qts"), Date: n.Draw(t, "date"), Seq: n.Draw(t, "seq")}
		rec, err := persistence.DecodeUpdates(updatesRecord(in).Record("alice"))
		if err != nil {
			t.Fatal(err)
		}
		if got := updatesState(rec); got != in {
			t.Errorf("saved %+v, read %+v", in, got)
		}
	})
}

// TestRevokedKeysAreKeptForAWhile: retireKeys moves the home key aside and
// leaves the others'.
func TestRevokedKeysAreKeptForAWhile(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	perm := func(dc int, revoked time.Time) persistence.PermKey {
		return persistence.PermKey{DC: dc, KeyID: int64(dc), Created: now.Add(-time.Hour), Origin: persistence.OriginHandshake, Revoked: revoked}
	}
	home, guest, old := perm(2, time.Time{}), perm(4, time.Time{}), perm(1, now.Add(-8*24*time.Hour))
	temp := persistence.TempKey{DC: 2, KeyID: 7, PermKeyID: 2, Created: now, ExpiresAt: now.Add(time.Hour)}
	var records []persistence.Record
	for _, p := range []persistence.PermKey{home, guest, old} {
		records = append(records, p.Record("alice"))
	}
	records = append(records, temp.Record("alice"))
	got := retireKeys("alice", 2, now, records)
	gone := map[persistence.Key]bool{}
	for _, key := range got.Delete {
		gone[key] = true
	}
	want := map[persistence.Key]bool{
		persistence.PermKeyKey("alice", 2): true, persistence.TempKeyKey("alice", 2, 7): true, persistence.RevokedKeyKey("alice", 1): true,
	}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if len(got.Put) != 1 || got.Put[0].Key != persistence.RevokedKeyKey("alice", 2) {
		t.Errorf("put %+v, want the revoked key of DC 2", got.Put)
	}
}
