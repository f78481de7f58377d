package peers

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/transport"

	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// shortPadding makes the test DC put 0 to 3 bytes behind its packets in the padded framing instead of 0 to 15: a codec
// reads 16 bytes, of which the first is the count. What else reads 16 bytes is not harmed by six random bits less.
//
// Telegram's documents say 0 to 15, and clients have to cut an encrypted packet to whole AES blocks. gotd cuts off
// length%4 bytes only and ends the connection over the rest, so that three packets in four would be lost to it. It gets
// along with Telegram's own proxy, the usual peer of a padded client, because that one pads with 0 to 3 bytes.
type shortPadding struct{}

func (shortPadding) Read(b []byte) (int, error) {
	n, err := rand.Read(b)
	if len(b) == 16 {
		b[0] &= 3
	}
	return n, err
}

// TestGotdTransports goes through a handshake and a few calls in every framing. Obfuscated2 has none for full.
func TestGotdTransports(t *testing.T) {
	t.Parallel()
	s := actorstest.Start(t, serve.Config{Core: dctest.Config{Rand: shortPadding{}}})
	d := read(t, s)
	kinds := []struct {
		name       string
		protocol   dcs.Protocol
		obfuscated bool
	}{
		{"abridged", transport.Abridged, false},
		{"intermediate", transport.Intermediate, false},
		{"padded", transport.PaddedIntermediate, false},
		{"full", transport.Full, false},
		{"obfuscated abridged", transport.Abridged, true},
		{"obfuscated intermediate", transport.Intermediate, true},
		{"obfuscated padded", transport.PaddedIntermediate, true},
	}
	t.Run("kind", func(t *testing.T) {
		for i, k := range kinds {
			t.Run(k.name, func(t *testing.T) {
				t.Parallel()
				dc := d.DCs[i%len(d.DCs)].ID
				c := newGotd(t, d, dc, dcs.Plain(dcs.PlainOptions{Protocol: k.protocol, Obfuscated: k.obfuscated}))
				err := c.run(within(t, limit), func(ctx context.Context, client *telegram.Client) error {
					for range 5 {
						if err := c.checkConfig(ctx, t, client.API(), dc); err != nil {
							return err
						}
					}
					return client.Ping(ctx)
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	checkCounts(t, s, dctest.Counts{PermKeys: len(kinds)})
	judge(t, s, nil)
}

// TestGotdOnATestEnvironment: DC ids on the wire are 10000 higher, in the handshake and in the obfuscated header.
func TestGotdOnATestEnvironment(t *testing.T) {
	t.Parallel()
	s := actorstest.Start(t, serve.Config{Core: dctest.Config{Test: true}})
	d := read(t, s)
	dc := d.DCs[1].ID
	c := newGotd(t, d, dc, dcs.Plain(dcs.PlainOptions{Obfuscated: true})).pfs(true, 0)
	err := c.run(within(t, limit), func(ctx context.Context, client *telegram.Client) error {
		return c.checkConfig(ctx, t, client.API(), dc)
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, dctest.Counts{PermKeys: 1, TempKeys: 1, Binds: 1})
	judge(t, s, nil)
}
