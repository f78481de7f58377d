package dcs

import (
	"errors"
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

func TestOneAsksForAll(t *testing.T) {
	d := New(dc.Table{})
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
	d, now := New(dc.Table{}), epoch
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if !d.Claim(now) {
			t.Fatalf("failure %d: it may not be asked again", i)
		}
		body, failed := []byte("no config"), error(nil)
		if i%2 == 0 {
			body, failed = nil, errors.New("no answer")
		}
		again, problems := d.Learn(now, body, failed)
		if again.Sub(now) != want*time.Minute || len(problems) != 1 || d.Claim(again.Add(-time.Second)) {
			t.Errorf("failure %d: again in %v, want %v min (%v)", i, again.Sub(now), int(want), problems)
		}
		now = again
	}
	if again, problems := d.Learn(now, config("192.0.2.1"), nil); !again.IsZero() || problems != nil {
		t.Errorf("a config that is none: %v, %v", again, problems)
	}
	if again, _ := d.Learn(now, nil, errors.New("no answer")); again.Sub(now) != retry {
		t.Errorf("after a good answer the pause is %v", again.Sub(now))
	}
}

func TestTheTableGrows(t *testing.T) {
	d := New(dc.Table{})
	if again, problems := d.Learn(epoch, config("192.0.2.1", "no address", "192.0.2.2"), nil); !again.IsZero() || problems != nil {
		t.Fatal(problems)
	}
	if table := d.Table(); !table.Has(4) || table.Has(2) {
		t.Errorf("the table has %v", table.DCs())
	}
}
