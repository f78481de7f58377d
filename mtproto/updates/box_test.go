package updates

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestSeq(t *testing.T) {
	r := at(t, State{Pts: 10, Seq: 5})
	r.push(envelopeOf(7, loginToken()))
	r.wantPhase(PhaseGap)
	r.push((&tg.UpdatesCombined{Updates: []tl.Raw{loginToken(), deleted(1, 11, 1)}, SeqStart: 6, Seq: 6}).Append(nil))
	r.want("pts and seq are counted apart", "del1 token", "token")
	r.push(envelopeOf(7, loginToken()))
	r.want("an old envelope is not delivered again")
	r.push((&tg.UpdatesCombined{Updates: []tl.Raw{loginToken()}, SeqStart: 9, Seq: 8}).Append(nil))
	r.want("an envelope that ends before it starts is missed", "GetDifference{pts 11, qts 0, date 1, seq 7}")
}

// botStopped is updateBotStopped, which counts by qts.
func botStopped(user int64, qts int32) tl.Raw {
	b := tl.AppendUint32(nil, 0xc4870a49)
	b = tl.AppendInt64(b, user)
	b = tl.AppendInt32(b, 1)
	b = tl.AppendBool(b, true)
	return tl.AppendInt32(b, qts)
}

func TestQts(t *testing.T) {
	r := at(t, State{Pts: 10, Qts: 5})
	r.push(envelopeOf(0, botStopped(2, 7)))
	r.wantPhase(PhaseGap)
	r.push(envelopeOf(0, botStopped(1, 6), deleted(1, 11, 1)))
	r.push(short(botStopped(2, 7)))
	r.want("qts is a sequence like pts", "del1 stopped1", "stopped2")
	r.push(short(botStopped(4, 9)))
	r.advance(gapWait)
	r.want("with gaps of its own", "GetDifference{pts 11, qts 7, date 1, seq 0}")
	r.result(&tg.UpdatesDifference{
		OtherUpdates: []tl.Raw{botStopped(2, 7), botStopped(3, 8), botStopped(4, 9)},
		State:        tg.UpdatesState{Pts: 11, Qts: 9},
	})
	r.want("and none comes twice", "stopped3 stopped4")
	r.push(short(botStopped(1, 0)))
	r.want("a place that cannot be is missed", "GetDifference{pts 11, qts 9, date 0, seq 0}")
}

func TestQtsFieldsAreTheSchemas(t *testing.T) {
	text, err := os.ReadFile("../../tl/schema/api.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[uint32]int)
	for _, d := range s.Definitions {
		if d.Result.String() != "Update" {
			continue
		}
		index := 0
		for _, f := range d.Fields {
			if f.Name == "qts" && f.Type.String() == "int" {
				want[d.ID] = index
			}
			if f.Type.Name != "true" {
				index++
			}
		}
	}
	if diff := cmp.Diff(want, qtsFields); diff != "" {
		t.Errorf("(-schema +list):\n%s", diff)
	}
}

func TestTheBufferIsBounded(t *testing.T) {
	r := at(t, State{Pts: 10})
	for i := range int32(boxItemsMost) {
		r.push(short(deleted(i, 100+i, 1)))
	}
	r.want("up to the bound everything is kept")
	r.push(short(deleted(0, 5000, 1)))
	r.want("past it the difference is asked for", "GetDifference{pts 10, qts 0, date 0, seq 0}")
	if !r.m.pts.empty() || r.m.kept != (tally{}) {
		t.Errorf("%d items of %d bytes are still kept", len(r.m.pts.items), r.m.kept.bytes)
	}
	for i := range int32(3 * boxItemsMost) {
		r.push(short(deleted(i, 1000+i, 1)))
	}
	if len(r.m.pts.items) > boxItemsMost {
		t.Errorf("%d items are kept", len(r.m.pts.items))
	}
	r.result(&tg.UpdatesDifferenceEmpty{})
	if lines := drain(r.m); len(lines) != 1 || !strings.HasPrefix(lines[0], "GetDifference") {
		t.Errorf("what was dropped is not asked for: %q", lines)
	}
}

func TestWhatTheServerDoesNotKnowIsDropped(t *testing.T) {
	r := at(t, State{Pts: 10})
	r.push(short(deleted(9, 900, 1)))
	for range fruitlessMost {
		r.advance(gapWait)
		r.want("the difference is asked for", "GetDifference{pts 10, qts 0, date 0, seq 0}")
		r.result(&tg.UpdatesDifferenceEmpty{})
	}
	r.wantPhase(PhaseCurrent)
	r.want("what is given up is named", "Hole{after pts 10, qts 0, date 0, seq 0 to pts 900, qts 0, date 0, seq 0}")
	r.push(short(deleted(1, 11, 1)))
	r.want("and life goes on", "del1")
}
