package account

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

var times = rapid.Custom(func(t *rapid.T) time.Time {
	return time.UnixMicro(rapid.Int64Range(1, 1<<50).Draw(t, "us")).UTC()
})

var created = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// TestStandingComesBackAsItWas: what standing knows goes to records and back.
func TestStandingComesBackAsItWas(t *testing.T) {
	state := rapid.SampledFrom([]standing.State{New, SigningIn, Connecting, Online, Waiting, Frozen, Quarantined, Duplicated, Revoked, SigningOut, SignedOut, Paused, Exported})
	rapid.Check(t, func(t *rapid.T) {
		want := standing.Snapshot{
			State: state.Draw(t, "state"), Back: state.Draw(t, "back"), Since: times.Draw(t, "since"), Why: rapid.String().Draw(t, "why"),
			UserID: rapid.Int64().Draw(t, "user"), Bot: rapid.Bool().Draw(t, "bot"), HomeDC: dc.ID(rapid.IntRange(-10005, 10005).Draw(t, "dc")),
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "waits") {
			w := standing.Wait{
				Scope:  rapid.SampledFrom([]standing.Scope{standing.ScopeMethod, standing.ScopeSubject, standing.ScopeAccount}).Draw(t, "scope"),
				Method: rapid.StringMatching(`[a-z]{1,8}\.[a-zA-Z]{1,12}`).Draw(t, "method") + string(rune('a'+i)),
				Start:  times.Draw(t, "start"), Server: rapid.Bool().Draw(t, "server"),
				Length: time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, "length")), Why: rapid.String().Draw(t, "words"),
			}
			switch w.Scope {
			case standing.ScopeAccount:
				w.Method = ""
			case standing.ScopeSubject:
				w.Subject = standing.SubjectID([]byte("salt"), w.Method)
			}
			want.Waits = append(want.Waits, w)
		}
		base := persistence.Account{ID: "a", Created: created, PFS: true}
		var records []persistence.Record
		for _, w := range want.Waits {
			rec := waitRecord("a", w)
			if fleet := rec.Account == persistence.FleetID; fleet != (w.Scope == standing.ScopeSubject) {
				t.Fatalf("a wait of scope %d is kept with %q", w.Scope, rec.Account)
			}
			records = append(records, rec)
		}
		account := recordOf(base, want, rapid.Bool().Draw(t, "signed in"))
		if account.ID != "a" || account.Created != created || !account.PFS {
			t.Fatalf("what standing does not know was lost: %+v", account)
		}
		read, err := persistence.DecodeState(append(records, account.Record()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, snapshotOf(*read.Account, read.Waits)); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestRecordsOfEarlierVersions(t *testing.T) {
	for name, c := range map[string]struct {
		rec  persistence.Account
		want standing.State
	}{
		"signed in":              {persistence.Account{SignedIn: true}, Connecting},
		"never signed in":        {persistence.Account{}, New},
		"exported":               {persistence.Account{SignedIn: true, Paused: true, State: "exported"}, Exported},
		"paused":                 {persistence.Account{SignedIn: true, Paused: true, State: "paused"}, Paused},
		"paused, by the flag":    {persistence.Account{SignedIn: true, Paused: true}, Paused},
		"a logout under way":     {persistence.Account{SignedIn: true, State: "logging-out"}, SigningOut},
		"revoked":                {persistence.Account{State: "revoked"}, Revoked},
		"in quarantine":          {persistence.Account{SignedIn: true, State: "quarantined"}, Quarantined},
		"a word nobody knows":    {persistence.Account{SignedIn: true, State: "dreaming"}, Connecting},
		"a sign-in that failed":  {persistence.Account{State: "new"}, New},
		"a logout that came off": {persistence.Account{State: "signed-out"}, SignedOut},
	} {
		got := snapshotOf(c.rec, nil)
		if got.State != c.want {
			t.Errorf("%s: %v, want %v", name, got.State, c.want)
		}
		if back := got.Back == Connecting; got.State == Quarantined && back != c.rec.SignedIn {
			t.Errorf("%s: leads back to %v", name, got.Back)
		}
	}
}
