package serve_test

import (
	"encoding/json"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

func TestADescriptorReadFromJSONIsATableOfDCs(t *testing.T) {
	s := start(t, serve.Config{MemoryOnly: true, Core: dctest.Config{DCs: 2, Test: true}})
	text, err := json.Marshal(s.Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	var d serve.Descriptor
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	table, err := d.Table()
	if err != nil {
		t.Fatal(err)
	}
	if !table.Test || len(table.Keys) != 1 || len(table.DCs()) != 2 {
		t.Errorf("the table has %d keys and the DCs %v, test is %v", len(table.Keys), table.DCs(), table.Test)
	}
	for _, o := range table.Options {
		if o.Addr.String() != s.Addr(int(o.DC)) || !o.ThisPortOnly || !dc.Loopback(o.Addr) {
			t.Errorf("%v is listed as %+v, it listens on %s", o.DC, o, s.Addr(int(o.DC)))
		}
	}
	d.DCs[0].IP = "localhost"
	if _, err := d.Table(); err == nil {
		t.Error("a host name was taken for an address")
	}
}
