package dctest_test

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl/mt"
)

// connectMedia opens a connection to a DC's address for media.
func (w *world) connectMedia(dc int) *peer {
	w.next++
	w.conns[w.next] = &wire{}
	w.c.OpenMedia(w.now, w.next, dc, "test:1")
	w.settle()
	return &peer{w: w, dc: -dc, id: w.next}
}

func TestAddressesForMediaTakeKeysOfTheirOwn(t *testing.T) {
	media := func(c *dctest.Config) { c.Media = true }
	t.Run("a handshake names the DC with the sign of the address", func(t *testing.T) {
		for _, c := range []struct {
			name  string
			media bool // the address
			sign  int
			taken bool
		}{
			{"media at media", true, -1, true}, {"main at main", false, 1, true},
			{"main at media", true, 1, false}, {"media at main", false, -1, false},
		} {
			w := newWorld(t, media)
			p := w.connect(2)
			if c.media {
				p = w.connectMedia(2)
			}
			p.dc = 2 * c.sign
			if _, err := p.tryKey(true, time.Hour); (err == nil) != c.taken {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
	t.Run("a temp key is bound to the perm key and unknown at the other kind of address", func(t *testing.T) {
		w := newWorld(t, media)
		main := w.withTemp(2)
		p := w.connectMedia(2)
		r := p.makeKey(true, time.Hour)
		p.Client, p.perm = raw.New(r, w.rand, randomFrom(w.rand)), main.perm
		if got := p.bindNow(r.ExpiresAt); got != "true" {
			t.Fatalf("bind: %s", got)
		}
		var slots []bool
		for _, k := range w.c.Ledger().Keys {
			if k.Temp && k.Perm == int64(main.perm.ID()) {
				slots = append(slots, k.Media)
			}
		}
		if len(slots) != 2 || slots[0] || !slots[1] {
			t.Errorf("the ledger has keys for media %v of the perm key", slots)
		}
		q := w.connect(2)
		q.Client, q.perm = p.Client, p.perm
		q.send(q.Service(w.now, &mt.PingRequest{PingID: 5}))
		if code := q.wire().code; code != -404 {
			t.Errorf("the key for media is answered %d at the main address", code)
		}
	})
	t.Run("without such addresses the sign is no matter", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.connect(2)
		p.dc = -2
		if _, err := p.tryKey(true, time.Hour); err != nil {
			t.Error(err)
		}
	})
}
