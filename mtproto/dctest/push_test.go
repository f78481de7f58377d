package dctest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

func TestPushFaults(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault dctest.Fault
		want  []byte // of the pushes 1 to 4, in the order in which they come
		late  []byte // a second later
	}{
		{"none", dctest.Fault{}, []byte{1, 2, 3, 4}, nil},
		{"one lost", dctest.Fault{Kind: dctest.FaultPushLost, Count: 1}, []byte{2, 3, 4}, nil},
		{"every second lost", dctest.Fault{Kind: dctest.FaultPushLost, Every: 2}, []byte{1, 3}, nil},
		{"two doubled", dctest.Fault{Kind: dctest.FaultPushTwice, Count: 2}, []byte{1, 1, 2, 2, 3, 4}, nil},
		{"one overtaken", dctest.Fault{Kind: dctest.FaultPushReorder, Count: 1}, []byte{2, 1, 3, 4}, nil},
		{"two overtaken", dctest.Fault{Kind: dctest.FaultPushReorder, Count: 2}, []byte{2, 1, 4, 3}, nil},
		{"of another DC", dctest.Fault{Kind: dctest.FaultPushLost, DC: 1}, []byte{1, 2, 3, 4}, nil},
		{"the last waits for nothing", dctest.Fault{Kind: dctest.FaultPushReorder, Every: 4}, []byte{1, 2, 3}, []byte{4}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.withTemp(2).inited()
			p.collect()
			p.queue = nil
			if test.fault.Kind != "" {
				if _, err := w.c.Fault(w.now, test.fault); err != nil {
					t.Fatal(err)
				}
			}
			heard := func() (got []byte) {
				for _, m := range p.collect() {
					if m.ID&3 == 3 {
						got = append(got, m.Body[0])
					}
				}
				p.queue = nil
				return got
			}
			var got []byte
			for n := range byte(4) {
				w.half.pushes = append(w.half.pushes, api.Push{DC: 2, Perm: int64(p.perm.ID()), Body: []byte{n + 1, 0, 0, 0}})
				w.sleep(time.Millisecond)
				got = append(got, heard()...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			w.sleep(time.Second)
			if got := heard(); !slices.Equal(got, test.late) {
				t.Errorf("a second later got %v, want %v", got, test.late)
			}
			w.noViolations()
		})
	}
}
