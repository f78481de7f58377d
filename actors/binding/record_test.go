package binding

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

func drawKey(t *rapid.T, label string) *crypt.AuthKey {
	// Few draws make a whole key, and keys that differ.
	seed := rapid.Uint64().Draw(t, label)
	value := make([]byte, 256)
	_, _ = rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64([]byte(label+strings.Repeat(" ", 24-len(label))), seed))).Read(value)
	key, err := crypt.NewAuthKey(value)
	if err != nil {
		t.Skip("not a key")
	}
	return key
}

func drawTime(t *rapid.T, label string) time.Time {
	return time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, label)).UTC()
}

// keys compares what is kept of pfs' keys: the keys by their bytes, and no
// salts, which are records of their own.
var keys = cmp.Options{
	cmp.Comparer(func(a, b *crypt.AuthKey) bool { return string(a.Bytes()) == string(b.Bytes()) }),
}

// TestWhatIsSavedIsWhatTheNextMachineBeginsWith takes changes through a store.
func TestWhatIsSavedIsWhatTheNextMachineBeginsWith(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const id, at = "alice", dc.ID(4)
		perm := pfs.PermKey{
			Key: drawKey(t, "perm"), Created: drawTime(t, "created"), Fingerprint: rapid.Int64().Draw(t, "fingerprint"),
			LastBound: drawTime(t, "bound"), Imported: rapid.Bool().Draw(t, "imported"),
		}
		var temps []pfs.TempKey
		for i := range rapid.IntRange(0, 3).Draw(t, "temps") {
			temps = append(temps, pfs.TempKey{
				Key: drawKey(t, fmt.Sprint("temp ", i)), PermID: perm.ID(), Made: drawTime(t, "made"), ExpiresAt: drawTime(t, "expires"), Bound: rapid.Bool().Draw(t, "is bound"),
			})
		}
		store := persistence.NewMemory()
		owner, err := store.Claim("test")
		if err != nil {
			t.Fatal(err)
		}
		put := func(c *persistence.Commit) error {
			c.Owner = owner
			return store.Commit(*c)
		}
		gone := pfs.TempKey{Key: drawKey(t, "gone"), PermID: perm.ID()}
		for _, c := range []pfs.Changes{
			{PutPerm: &perm, PutTemps: append([]pfs.TempKey{gone}, temps...)},
			{DeleteTemps: []crypt.KeyID{gone.ID()}},
		} {
			if err := put(commit(id, at, c)); err != nil {
				t.Fatal(err)
			}
		}
		load := func(at dc.ID) pfs.Snapshot {
			records, err := store.Load(id)
			if err != nil {
				t.Fatal(err)
			}
			state, err := persistence.DecodeState(records)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := snapshot(RecordsOf(&state, at))
			if err != nil {
				t.Fatal(err)
			}
			return snap
		}
		got := load(at)
		if diff := cmp.Diff(&perm, got.Perm, keys); diff != "" {
			t.Errorf("the perm key changed on its way (-saved +read):\n%s", diff)
		}
		byID := map[crypt.KeyID]pfs.TempKey{}
		for _, temp := range got.Temps {
			byID[temp.ID()] = temp
		}
		if len(byID) != len(temps) {
			t.Errorf("%d temp keys were saved, %d read", len(temps), len(byID))
		}
		for _, temp := range temps {
			if diff := cmp.Diff(temp, byID[temp.ID()], keys); diff != "" {
				t.Errorf("a temp key changed on its way (-saved +read):\n%s", diff)
			}
		}
		if other := load(at + 1); other.Perm != nil || len(other.Temps) > 0 {
			t.Errorf("another DC has keys: %+v", other)
		}
		if err := put(commit(id, at, pfs.Changes{DeletePerm: true})); err != nil {
			t.Fatal(err)
		}
		if load(at).Perm != nil {
			t.Error("a deleted perm key is still there")
		}
	})
}

func TestAKeyThatIsNotTheOneItsRecordNamesIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := permRecord(2, pfs.PermKey{Key: drawKey(t, "perm"), Created: time.Unix(1, 0).UTC()})
		rec.KeyID++
		if _, err := snapshot(Records{Perm: &rec}); err == nil {
			t.Error("a perm key was taken under the wrong id")
		}
		rec.KeyID--
		temp := tempRecord(2, pfs.TempKey{Key: drawKey(t, "temp"), PermID: crypt.KeyID(rec.KeyID)})
		temp.Key[0]++
		snap, err := snapshot(Records{Perm: &rec, Temps: []persistence.TempKey{temp}})
		if err != nil || snap.Perm == nil || len(snap.Temps) != 0 {
			t.Errorf("a damaged temp key is to be left out, and nothing else: %+v, %v", snap, err)
		}
	})
}

func TestAGuestsStandingComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snap := guest.Snapshot{
			Authorized: rapid.Bool().Draw(t, "authorized"), Refusals: rapid.IntRange(0, 16).Draw(t, "refusals"), KeyDropped: drawTime(t, "dropped"),
			Refused: guest.Refusal{Until: drawTime(t, "until"), Code: rapid.IntRange(0, 500).Draw(t, "code"), Text: rapid.String().Draw(t, "text")},
		}
		rec, err := persistence.DecodeGuest(guestRecord(4, drawTime(t, "now"), snap).Record("alice"))
		if err != nil {
			t.Fatal(err)
		}
		if got := guestSnapshot(&rec); got != snap {
			t.Errorf("%+v came back as %+v", snap, got)
		}
	})
	if got := guestSnapshot(nil); got != (guest.Snapshot{}) {
		t.Errorf("no record is %+v", got)
	}
}

func TestASessionBeginsWithTheSaltsOfItsOwnKeyOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		snap := dcconn.Snapshot{TimeOffset: time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "offset")), OffsetKnown: true}
		for range rapid.IntRange(0, 5).Draw(t, "salts") {
			snap.Salts = append(snap.Salts, dcconn.Salt{
				Value: rapid.Int64().Draw(t, "salt"), Since: rapid.Uint32().Draw(t, "since"), Until: rapid.Uint32().Draw(t, "until"),
			})
		}
		rec, err := persistence.DecodeSession(sessionRecord(4, 7, snap).Record("alice"))
		if err != nil {
			t.Fatal(err)
		}
		var same, other dcconn.SessionConfig
		sessionConfig(&same, &rec, 7)
		sessionConfig(&other, &rec, 8)
		if diff := cmp.Diff(snap.Salts, same.Salts); diff != "" || same.TimeOffset != snap.TimeOffset || !same.OffsetKnown {
			t.Errorf("it came back as %+v (-saved +read):\n%s", same, diff)
		}
		if len(other.Salts) != 0 || other.TimeOffset != snap.TimeOffset {
			t.Errorf("under another key it begins with %+v", other)
		}
	})
}
