package echo_test

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
)

func TestRoundTrip(t *testing.T) {
	q := &echo.EchoRequest{ID: -5, DelayMs: 20, Payload: []byte("payload")}
	var q2 echo.EchoRequest
	if err := tl.Unmarshal(q.Append(nil), &q2); err != nil || !reflect.DeepEqual(*q, q2) {
		t.Errorf("%+v, %v", q2, err)
	}
	e := &echo.Echoed{ID: 1, UserID: 1 << 40, DC: 3, Payload: make([]byte, 300)}
	r := tl.NewReader(q.AppendResult(nil, e))
	if got := q.ParseResult(r); r.End() != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, r.End())
	}
	if err := tl.Unmarshal(e.Append(nil), &q2); err == nil {
		t.Error("a result parses as a request")
	}
	if q.TypeName() != "testdc.echo" || e.TypeID() != echo.EchoedID {
		t.Error("names and ids are mixed up")
	}
}

func TestIDsAreThoseOfTheSchema(t *testing.T) {
	text, err := os.ReadFile("echo.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]uint32{"testdc.echo": echo.RequestID, "testdc.echoed": echo.EchoedID}
	for i := range s.Definitions {
		d := &s.Definitions[i]
		if want := ids[d.Name]; d.CRC() != want || d.WireID() != want {
			t.Errorf("%s: CRC %08x, schema %08x, code %08x", d.Name, d.CRC(), d.WireID(), want)
		}
		delete(ids, d.Name)
	}
	if len(ids) != 0 {
		t.Errorf("not in the schema: %v", ids)
	}
}

func TestDelayIsBounded(t *testing.T) {
	for ms, want := range map[int32]time.Duration{-1: 0, 0: 0, 20: 20 * time.Millisecond, 1 << 30: echo.MaxDelay} {
		if got := (&echo.EchoRequest{DelayMs: ms}).Delay(); got != want {
			t.Errorf("%d ms: %s, want %s", ms, got, want)
		}
	}
}
