package serve_test

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// TestSeededBotsCallAtOnce: over a socket, each at its home.
func TestSeededBotsCallAtOnce(t *testing.T) {
	s := start(t, serve.Config{Bots: 4, Core: dctest.Config{DCs: 2}})
	bots, app := s.Descriptor().Bots, s.Descriptor().Apps[0].ID
	var users []int64
	for _, b := range bots {
		users = append(users, b.UserID)
	}
	seed, err := s.Seed(5, true, users)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range bots {
		k := seed.Of(b.DC, b.UserID)
		p := dialTCP(t, s, b.DC, transport.Intermediate, true)
		p.use(&handshake.Result{Key: k.Temp, ServerSalt: k.Salts[0].Value})
		var e echo.Echoed
		r := tl.NewReader(p.call(raw.Wrap(tg.Layer, app, &echo.EchoRequest{ID: int64(i + 1)})))
		if e.Parse(r); r.End() != nil || e.UserID != b.UserID {
			t.Errorf("bot %d was answered %+v", b.UserID, e)
		}
	}
	if n := s.Counts(); n.PermKeys+n.TempKeys+n.Logins != 0 || n.SeededKeys != 8 || n.Echoes != 4 {
		t.Errorf("the ledger counts %+v", n)
	}
	var refused *dctest.SeedError
	if _, err := s.Seed(6, false, []int64{5}); !errors.As(err, &refused) || !errors.Is(err, api.ErrUserUnknown) {
		t.Errorf("nobody was signed in: %v", err)
	}
}
