package dcs

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// config is the answer that names the addresses of DC 4.
func config(ips ...string) []byte {
	cfg := &tg.Config{}
	for _, ip := range ips {
		cfg.DCOptions = append(cfg.DCOptions, tg.DCOption{ID: 4, IPAddress: ip, Port: 443})
	}
	return cfg.Append(nil)
}

// logged is what was said.
type logged struct{ bytes.Buffer }

func (l *logged) n() int { return strings.Count(l.String(), "\n") }

func log() (*logged, *slog.Logger) {
	l := &logged{}
	return l, slog.New(slog.NewTextHandler(l, nil))
}

func TestOneAsksForAll(t *testing.T) {
	_, logger := log()
	d := New(dc.Table{}, logger)
	if !d.Claim(epoch) || d.Claim(epoch.Add(life-time.Second)) {
		t.Error("within the hour nobody asked, or two did")
	}
	if !d.Claim(epoch.Add(life)) {
		t.Error("after an hour nobody may ask")
	}
	if d.Expire(); !d.Claim(epoch.Add(life)) {
		t.Error("the table has changed, and nobody may ask")
	}
}

func TestAFailureIsAskedAgainAtADecentPace(t *testing.T) {
	lines, logger := log()
	d, now := New(dc.Table{}, logger), epoch
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if !d.Claim(now) {
			t.Fatalf("failure %d: it may not be asked again", i)
		}
		body, failed := []byte("no config"), error(nil)
		if i%2 == 0 {
			body, failed = nil, errors.New("no answer")
		}
		again := d.Learn(now, body, failed)
		if again.Sub(now) != want*time.Minute || lines.n() != i+1 || d.Claim(again.Add(-time.Second)) {
			t.Errorf("failure %d: again in %v, want %v min (%v)", i, again.Sub(now), int(want), lines.String())
		}
		now = again
	}
	if again := d.Learn(now, config("192.0.2.1"), nil); !again.IsZero() || lines.n() != 8 {
		t.Errorf("a config that is none: %v, %v", again, lines.String())
	}
	if again := d.Learn(now, nil, errors.New("no answer")); again.Sub(now) != retry {
		t.Errorf("after a good answer the pause is %v", again.Sub(now))
	}
}

func TestTheTableGrows(t *testing.T) {
	lines, logger := log()
	d := New(dc.Table{}, logger)
	if again := d.Learn(epoch, config("192.0.2.1", "no address", "192.0.2.2"), nil); !again.IsZero() || lines.n() != 0 {
		t.Fatal(lines.String())
	}
	if table := d.Table(); !table.Has(4) || table.Has(2) {
		t.Errorf("the table has %v", table.DCs())
	}
}

// TestWhatWasConfiguredStays: however often the server names other addresses.
func TestWhatWasConfiguredStays(t *testing.T) {
	at := func(id dc.ID, addr string) dc.Option {
		return dc.Option{DC: id, Addr: netip.MustParseAddrPort(addr), ThisPortOnly: true}
	}
	lines, logger := log()
	d := New(dc.Table{Test: true, Keys: []string{"key"}, Options: []dc.Option{at(2, "127.0.0.9:9002"), at(4, "127.0.0.9:9004")}}, logger)
	learn := func(options ...tg.DCOption) {
		t.Helper()
		cfg := &tg.Config{DCOptions: options}
		if d.Learn(epoch, cfg.Append(nil), nil); lines.n() > 0 {
			t.Fatal(lines.String())
		}
	}
	named := func(id int32, ip string, port int32) tg.DCOption {
		return tg.DCOption{ID: id, IPAddress: ip, Port: port, ThisPortOnly: true}
	}
	want := func(id dc.ID, addrs ...string) {
		t.Helper()
		table := d.Table()
		var got []string
		for _, target := range table.Select(dc.Want{DC: id}) {
			got = append(got, target.Addr.String())
		}
		if !slices.Equal(got, addrs) {
			t.Errorf("DC %d has %v, want %v", id, got, addrs)
		}
		if !table.Test || len(table.Keys) != 1 {
			t.Error("the environment is another")
		}
	}
	want(2, "127.0.0.9:9002")
	learn(named(2, "10.0.0.2", 443), named(5, "10.0.0.5", 443))
	want(2, "10.0.0.2:443", "127.0.0.9:9002")
	want(4, "127.0.0.9:9004")
	learn(named(2, "10.0.0.22", 443))
	want(2, "10.0.0.22:443", "127.0.0.9:9002")
	want(5, "10.0.0.5:443") // not named any more, and not cut off
	learn(named(2, "127.0.0.9", 9002))
	want(2, "127.0.0.9:9002")
	learn()
	want(2, "127.0.0.9:9002")
	want(4, "127.0.0.9:9004")
}
