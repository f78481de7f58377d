package mtproto

import (
	"testing"
	"time"
)

func TestRecordsOfABusySessionAreBounded(t *testing.T) {
	var s recordState
	nanos := testEpoch.UnixNano()
	ids := idState{rand: 1}
	live := map[msgID]bool{}
	for i := range 100_000 {
		nanos += int64(10 * time.Microsecond)
		first := ids.next(nanos)
		q := &query{}
		s.add(sentRecord{id: first, kind: sentQuery, q: q})
		s.add(sentRecord{id: ids.next(nanos), kind: sentNotice})
		container := ids.next(nanos)
		s.add(sentRecord{id: container, first: first, kind: sentContainer})
		if i%1000 == 0 {
			live[first] = true // never answered
		} else {
			s.settle(first)
		}
		s.prune(nanos, false)
		if limit := 3 * (maxNotices + len(live)); len(s.list) > limit {
			t.Fatalf("%d records after %d packets", len(s.list), i)
		}
		if got := s.packetStart(first); got != first {
			t.Fatal("a member's packet begins with it")
		}
		if r := s.find(container); r == nil || len(s.members(r)) != 2 {
			t.Fatal("a fresh container has its members")
		}
	}
	for id := range live {
		if s.find(id) == nil {
			t.Fatal("a pending query was forgotten")
		}
	}
}

func TestRecordsOfAQuietSessionAreForgotten(t *testing.T) {
	var s recordState
	nanos := testEpoch.UnixNano()
	ids := idState{rand: 1}
	for range 5000 {
		s.add(sentRecord{id: ids.next(nanos), kind: sentNotice})
	}
	for range 30 { // a ping a minute, answered
		nanos += int64(time.Minute)
		s.prune(nanos, true)
		id := ids.next(nanos)
		s.add(sentRecord{id: id, kind: sentPing})
		s.settle(id)
	}
	if len(s.list) > minRecords {
		t.Errorf("%d records", len(s.list))
	}
}
