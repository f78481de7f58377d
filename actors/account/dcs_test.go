package account

import (
	"net/netip"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// TestWhatWasConfiguredStays: however often the server names other addresses.
func TestWhatWasConfiguredStays(t *testing.T) {
	at := func(id dc.ID, addr string) dc.Option {
		return dc.Option{DC: id, Addr: netip.MustParseAddrPort(addr), ThisPortOnly: true}
	}
	d := NewDCs(dc.Table{Test: true, Keys: []string{"key"}, Options: []dc.Option{at(2, "127.0.0.9:9002"), at(4, "127.0.0.9:9004")}})
	want := func(id dc.ID, addrs ...string) {
		t.Helper()
		table := d.Table()
		got := table.Select(dc.Want{DC: id})
		if len(got) != len(addrs) {
			t.Fatalf("DC %d has %v, want %v", id, got, addrs)
		}
		for i, target := range got {
			if target.Addr.String() != addrs[i] {
				t.Errorf("DC %d has %v, want %v", id, got, addrs)
			}
		}
		if !table.Test || len(table.Keys) != 1 {
			t.Error("the environment is another")
		}
	}
	want(2, "127.0.0.9:9002")
	d.Update([]dc.Option{at(2, "10.0.0.2:443"), at(5, "10.0.0.5:443")})
	want(2, "10.0.0.2:443", "127.0.0.9:9002")
	want(4, "127.0.0.9:9004")
	d.Update([]dc.Option{at(2, "10.0.0.22:443")})
	want(2, "10.0.0.22:443", "127.0.0.9:9002")
	want(5, "10.0.0.5:443") // not named any more, and not cut off
	d.Update([]dc.Option{at(2, "127.0.0.9:9002")})
	want(2, "127.0.0.9:9002")
	d.Update(nil)
	want(2, "127.0.0.9:9002")
	want(4, "127.0.0.9:9004")
}
