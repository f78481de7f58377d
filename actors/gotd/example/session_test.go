package example_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gotd/td/session"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/gotd"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
)

// TestASessionMovesFromGotdAndBackWithoutASignIn: a bot on gotd alone signs in,
// its session becomes an account, and gotd goes on with the account's session.
func TestASessionMovesFromGotdAndBackWithoutASignIn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b := prepare(ctx, t, "before")
	b.run(ctx, b.as.Token, func() { b.answers(ctx, 0, "on gotd", api.FormFull) })

	file := &session.FileStorage{Path: filepath.Join(b.dir, "session.json")}
	o := actorstest.OptionsFor(b.s.Descriptor(), persistence.NewMemory())
	o.AllowExport = true
	m := actorstest.Open(t, o)
	a, err := gotd.Import(ctx, m, "bot", file, actors.AccountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	actorstest.Await(ctx, t, a, actors.Online)
	if st := a.Status(); st.UserID != b.as.UserID || !st.Bound {
		t.Errorf("the account of gotd's session: %+v", st)
	}

	text, err := gotd.Storage(a).LoadSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.StoreSession(ctx, text); err != nil {
		t.Fatal(err)
	}
	b.run(ctx, "0:none", func() { b.answers(ctx, 0, "on gotd again", api.FormFull) })

	if n := b.s.Counts().Logins; n != 1 {
		t.Errorf("there were %d sign-ins", n)
	}
	if v := b.s.Ledger().Verdict(nil, nil, time.Time{}); len(v.Overlaps) > 0 {
		t.Errorf("the key was used by two at once: %+v", v.Overlaps)
	}
}
