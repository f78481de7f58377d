package updates

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// unreadable is a difference up to a state, with an update in it whose
// constructor nobody here knows.
func unreadable(s tg.UpdatesState) []byte {
	known := tl.AppendUint32(nil, tg.UpdateConfigID)
	b := (&tg.UpdatesDifference{OtherUpdates: []tl.Raw{known}, State: s}).Append(nil)
	return bytes.Replace(b, known, tl.AppendUint32(nil, 0xdeadbee1), 1)
}

func TestAnUnreadableDifferenceIsAHoleWhateverItCountsBy(t *testing.T) {
	from := State{Pts: 10, Qts: 5, Date: 7, Seq: 1}
	for name, to := range map[string]State{
		"pts":  {Pts: 14, Qts: 5, Date: 7, Seq: 1},
		"qts":  {Pts: 10, Qts: 9, Date: 7, Seq: 1},
		"seq":  {Pts: 10, Qts: 5, Date: 7, Seq: 6},
		"date": {Pts: 10, Qts: 5, Date: 8, Seq: 1},
		"all":  {Pts: 14, Qts: 9, Date: 8, Seq: 6},
	} {
		t.Run(name, func(t *testing.T) {
			r := at(t, from)
			r.m.Gap(r.now)
			state := tg.UpdatesState{Pts: to.Pts, Qts: to.Qts, Date: to.Date, Seq: to.Seq}
			for range unreadableMost {
				drain(r.m)
				r.m.Result(r.now, r.m.id, unreadable(state))
				r.advance(r.m.Deadline().Sub(r.now))
			}
			r.want("the state is asked for", "GetState")
			r.result(&state)
			r.want("and what lies between is named", fmt.Sprintf("Hole{after %v to %v}", from, to))
			if got := r.m.Snapshot().State; got != to {
				t.Errorf("the machine is at %v, want %v", got, to)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		r := at(t, from)
		r.m.Gap(r.now)
		r.m.Failed(r.now, r.m.id, tgerr.New(400, "PERSISTENT_TIMESTAMP_INVALID"))
		r.advance(time.Second)
		drain(r.m)
		r.result(&tg.UpdatesState{Pts: 10, Qts: 5, Date: 7, Seq: 1})
		r.want("a place that does not move skips nothing")
	})
}

func TestAFirstStateIsAHoleWhenSomethingCameBefore(t *testing.T) {
	state := &tg.UpdatesState{Pts: 300, Qts: 5, Date: 7, Seq: 1}
	hole, save := "Hole{after pts 0, qts 0, date 0, seq 0 to pts 300, qts 5, date 7, seq 1}", "Save{pts 300, qts 5, date 7, seq 1} now"

	r := &rig{t, epoch, New(Snapshot{Missed: true})}
	r.m.Start(r.now)
	drain(r.m)
	r.result(state)
	r.want("the account was signed in before this process began", hole, save)
	if s := r.m.Snapshot(); s.Missed {
		t.Error("what was told is told again after a restart")
	}

	r = &rig{t, epoch, New(Snapshot{})}
	for i := range int32(boxItemsMost + 1) {
		r.push(short(deleted(i, i+1, 1)))
	}
	r.m.Start(r.now)
	drain(r.m)
	r.result(state)
	r.want("more was pushed than can be kept", hole, save)
	r.wantPhase(PhaseCurrent)
}

func TestASliceThatMovesOnlyDateOrSeqIsProgress(t *testing.T) {
	r := at(t, State{Pts: 10, Date: 5, Seq: 1})
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifferenceSlice{OtherUpdates: []tl.Raw{loginToken()}, IntermediateState: tg.UpdatesState{Pts: 10, Date: 6, Seq: 1}})
	r.want("the date", "token", "GetDifference{pts 10, qts 0, date 6, seq 1}")
	r.result(&tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10, Date: 6, Seq: 2}})
	r.want("the seq", "GetDifference{pts 10, qts 0, date 6, seq 2}")
	r.result(&tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10, Date: 6, Seq: 2}})
	r.want("nothing")
	r.wantPhase(PhaseRetrying)
	for _, back := range []tg.UpdatesState{{Pts: 9, Qts: 1, Date: 7, Seq: 2}, {Pts: 11, Qts: -1, Date: 7, Seq: 2}} {
		r.advance(r.m.Deadline().Sub(r.now))
		for r.m.Phase() != PhaseFetching {
			r.advance(r.m.Deadline().Sub(r.now))
		}
		drain(r.m)
		r.result(&tg.UpdatesDifferenceSlice{IntermediateState: back})
		r.want("a step back is none forward")
		r.wantPhase(PhaseRetrying)
	}
}

// TestAServerCannotLeadUsOnForEver counts the queries of a machine whose server
// always has more, and never anything.
func TestAServerCannotLeadUsOnForEver(t *testing.T) {
	for name, next := range map[string]func(n int32) tl.Object{
		"slices that move the date": func(n int32) tl.Object {
			return &tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10, Date: n}}
		},
		"slices that move the seq": func(n int32) tl.Object {
			return &tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10, Seq: n}}
		},
		"slices that go to and fro": func(n int32) tl.Object {
			return &tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10 + n%2, Qts: (n + 1) % 2, Date: n}}
		},
		"slices that lead nowhere": func(int32) tl.Object {
			return &tg.UpdatesDifferenceSlice{IntermediateState: tg.UpdatesState{Pts: 10}}
		},
		"too long, and always by one": func(n int32) tl.Object { return &tg.UpdatesDifferenceTooLong{Pts: 10 + n} },
	} {
		t.Run(name, func(t *testing.T) {
			r := at(t, State{Pts: 10})
			r.m.Gap(r.now)
			var lines []string
			queries := int32(0)
			for r.m.Phase() != PhaseCurrent {
				switch r.m.Phase() {
				case PhaseFetching:
					queries++
					r.result(next(queries))
				case PhaseLoading:
					queries++
					r.result(&tg.UpdatesState{Pts: 1000, Date: 9, Seq: 1})
				default:
					r.advance(r.m.Deadline().Sub(r.now))
				}
				lines = append(lines, drain(r.m)...)
				most := int32(barrenMost + unreadableMost + 1)
				if name == "slices that go to and fro" { // two of three answers make no sense, and the third begins anew
					most = unreadableMost*(barrenMost+1) + 1
				}
				if queries > most {
					t.Fatalf("still %v after %d queries", r.m.Phase(), queries)
				}
			}
			if !slices.ContainsFunc(lines, func(s string) bool {
				return strings.HasPrefix(s, "Hole") && strings.HasSuffix(s, "to pts 1000, qts 0, date 9, seq 1}")
			}) {
				t.Errorf("what lies up to the server's place is not named: %q", lines)
			}
		})
	}
}

func TestEnvelopesThatTheDifferenceDoesNotBring(t *testing.T) {
	r := at(t, State{Pts: 10, Seq: 5})
	r.push(envelopeOf(7, loginToken()))
	r.push(envelopeOf(5, loginToken()))
	r.push(envelopeOf(12, loginToken()))
	r.advance(gapWait)
	drain(r.m)
	r.result(&tg.UpdatesDifferenceEmpty{Seq: 8})
	r.want("nothing was missed up to 8, so that 7 is all there is", "token")
	r.wantPhase(PhaseGap)
	r.advance(gapWait)
	drain(r.m)
	r.result(&tg.UpdatesDifference{OtherUpdates: []tl.Raw{loginToken()}, State: tg.UpdatesState{Pts: 10, Seq: 12}})
	r.want("what a difference holds is not delivered a second time", "token")
	r.wantPhase(PhaseCurrent)

	r.push(envelopeOf(13, tl.AppendUint32(nil, 0xdeadbeef)))
	r.want("what cannot be read is asked for", "GetDifference{pts 10, qts 0, date 0, seq 12}")
}

func TestAnUnreadablePushThatTheDifferenceDoesNotBringIsNamed(t *testing.T) {
	r := at(t, State{Pts: 10, Seq: 5})
	r.push(envelopeOf(6, tl.AppendUint32(nil, 0xdeadbeef)))
	drain(r.m)
	r.result(&tg.UpdatesDifferenceEmpty{Seq: 6})
	r.want("the server counts it as seen", "Hole{after pts 10, qts 0, date 0, seq 5 to pts 10, qts 0, date 0, seq 6}")
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifferenceEmpty{Seq: 7})
	r.want("later differences are empty without a doubt")
}

func TestWhatIsDroppedForWantOfRoomIsBroughtOrNamed(t *testing.T) {
	overflow := func() *rig {
		r := at(t, State{Pts: 10, Seq: 1})
		for i := range int32(boxItemsMost) {
			r.push(envelopeOf(3+i, loginToken()))
		}
		r.want("up to the bound everything is kept")
		r.push(short(botStopped(1, 5)))
		r.want("past it the difference is asked for", "GetDifference{pts 10, qts 0, date 0, seq 1}")
		return r
	}
	r := overflow()
	r.result(&tg.UpdatesDifference{OtherUpdates: []tl.Raw{botStopped(1, 5)}, State: tg.UpdatesState{Pts: 10, Qts: 5, Seq: 258}})
	r.want("the difference holds it", "stopped1")
	r.wantPhase(PhaseCurrent)

	r = overflow()
	r.result(&tg.UpdatesDifferenceEmpty{Seq: 258})
	r.want("of the envelopes it holds nothing", "Hole{after pts 10, qts 0, date 0, seq 1 to pts 10, qts 0, date 0, seq 258}")
	for range fruitlessMost {
		r.wantPhase(PhaseGap)
		r.advance(gapWait)
		drain(r.m)
		r.result(&tg.UpdatesDifferenceEmpty{Seq: 258})
	}
	r.want("and of the other nothing either", "Hole{after pts 10, qts 0, date 0, seq 258 to pts 10, qts 5, date 0, seq 258}")
	r.wantPhase(PhaseCurrent)
}

func TestADifferenceMayHoldMoreThanItLeadsTo(t *testing.T) {
	r := at(t, State{Pts: 10, Qts: 5})
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifference{
		OtherUpdates: []tl.Raw{deleted(1, 11, 1), deleted(3, 13, 1), botStopped(1, 6), botStopped(3, 8)},
		State:        tg.UpdatesState{Pts: 11, Qts: 6},
	})
	r.want("what lies past its end is kept", "del1 stopped1")
	r.wantPhase(PhaseGap)
	r.push(envelopeOf(0, deleted(2, 12, 1), botStopped(2, 7)))
	r.push(envelopeOf(0, deleted(3, 13, 1), botStopped(3, 8)))
	r.want("until its turn comes, and comes once", "del2", "del3", "stopped2", "stopped3")
	r.wantPhase(PhaseCurrent)
}

func TestUsersAndChatsComeWithTheirUpdates(t *testing.T) {
	users, chats := []tg.AnyUser{user(3), &tg.User{ID: 4}}, []tl.Raw{chat(5)}
	wantUsers, wantChats := []tl.Raw{user(3).Append(nil), (&tg.User{ID: 4}).Append(nil)}, []tl.Raw{chat(5)}
	list := []tl.Raw{deleted(1, 11, 1), deleted(3, 13, 1), loginToken()}
	for sentence, input := range map[string]func(r *rig){
		"updates": func(r *rig) { r.push((&tg.Updates{Updates: list, Users: users, Chats: chats}).Append(nil)) },
		"updatesCombined": func(r *rig) {
			r.push((&tg.UpdatesCombined{Updates: list, Users: users, Chats: chats, SeqStart: 1, Seq: 1}).Append(nil))
		},
		"a difference": func(r *rig) {
			r.m.Gap(r.now)
			r.result(&tg.UpdatesDifference{OtherUpdates: list, Users: users, Chats: chats, State: tg.UpdatesState{Pts: 13}})
		},
		"a slice": func(r *rig) {
			r.m.Gap(r.now)
			r.result(&tg.UpdatesDifferenceSlice{OtherUpdates: list, Users: users, Chats: chats, IntermediateState: tg.UpdatesState{Pts: 13}})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := at(t, State{Pts: 10})
			input(r)
			r.push(short(deleted(2, 12, 1)))
			n := 0
			for out, ok := r.m.Next(); ok; out, ok = r.m.Next() {
				if out.Kind != OutDeliver || len(out.Updates) == 1 && name(out.Updates[0]) == "del2" {
					continue
				}
				n += len(out.Updates)
				if diff := cmp.Diff(wantUsers, out.Users); diff != "" {
					t.Errorf("users (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(wantChats, out.Chats); diff != "" {
					t.Errorf("chats (-want +got):\n%s", diff)
				}
			}
			if n != len(list) {
				t.Errorf("%d updates were delivered, want %d", n, len(list))
			}
		})
	}
}

// chat is chatEmpty.
func chat(id int64) tl.Raw { return tl.AppendInt64(tl.AppendUint32(nil, 0x29562865), id) }

func TestUsersCountAgainstTheBoundOnceForTheirEnvelope(t *testing.T) {
	r := at(t, State{Pts: 10})
	name := strings.Repeat("x", 1<<10)
	big := &tg.Updates{Users: []tg.AnyUser{&tg.User{ID: 1, FirstName: tl.Some(name)}}}
	for i := range int32(100) {
		big.Updates = append(big.Updates, deleted(i, 100+i, 1))
	}
	r.push(big.Append(nil))
	if r.m.kept.items != 100 || r.m.kept.bytes > 100*(64+24)+2<<10 {
		t.Errorf("%d items are kept and cost %d bytes", r.m.kept.items, r.m.kept.bytes)
	}
	big.Users = slices.Repeat(big.Users, 1<<10)
	r.push(big.Append(nil)) // the same updates again
	for i := range big.Updates {
		big.Updates[i] = deleted(1, int32(300+i), 1)
	}
	r.push(big.Append(nil))
	r.want("a MiB of users does not fit", "GetDifference{pts 10, qts 0, date 0, seq 0}")
	if r.m.kept != (tally{}) {
		t.Errorf("%+v is still kept", r.m.kept)
	}
}

func TestAChangedTableOfDCsIsSaid(t *testing.T) {
	config := tl.AppendUint32(nil, tg.UpdateConfigID)
	options := (&tg.UpdateDCOptions{}).Append(nil)
	r := at(t, State{Pts: 10, Seq: 1})
	r.push(short(config))
	r.want("in a short push", "a229dd06", "Config")
	r.push(envelopeOf(2, options, config, deleted(1, 11, 1)))
	r.want("once for an envelope", "del1 8e5e9873 a229dd06", "Config")
	r.push(envelopeOf(4, config))
	r.want("not before it is delivered")
	r.push(envelopeOf(3, loginToken()))
	r.want("but then", "token", "a229dd06", "Config")
	r.m.Gap(r.now)
	drain(r.m)
	r.result(&tg.UpdatesDifference{OtherUpdates: []tl.Raw{config}, State: tg.UpdatesState{Pts: 11, Seq: 4}})
	r.want("in a difference", "a229dd06", "Config")
}

// TestFieldsAreTheSchemas holds the numbers of fields against the schema.
func TestFieldsAreTheSchemas(t *testing.T) {
	text, err := os.ReadFile("../../tl/schema/api.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int)
	for _, d := range s.Definitions {
		index := 0
		for _, f := range d.Fields {
			if d.Result.String() == "Updates" || d.Result.String() == "updates.Difference" {
				got[d.Name+"."+f.Name] = index
			}
			if f.Type.Name != "true" {
				index++
			}
		}
	}
	for field, want := range map[string]int{
		"updates.updates": fieldUpdates, "updates.users": fieldUsers, "updates.chats": fieldChats,
		"updates.date": fieldDate, "updates.seq": fieldSeq,
		"updatesCombined.updates": fieldUpdates, "updatesCombined.users": fieldUsers, "updatesCombined.chats": fieldChats,
		"updatesCombined.date": fieldDate, "updatesCombined.seq_start": fieldSeq, "updatesCombined.seq": fieldSeqEnd,
		"updateShort.update": fieldShortUpdate, "updateShort.date": fieldShortDate,
		"updates.difference.new_messages":  fieldMessages,
		"updates.difference.other_updates": fieldOthers, "updates.difference.new_encrypted_messages": fieldEncrypted,
		"updates.difference.chats": fieldDiffChats, "updates.difference.users": fieldDiffUsers, "updates.difference.state": fieldState,
		"updates.differenceSlice.new_messages":  fieldMessages,
		"updates.differenceSlice.other_updates": fieldOthers, "updates.differenceSlice.new_encrypted_messages": fieldEncrypted,
		"updates.differenceSlice.chats": fieldDiffChats, "updates.differenceSlice.users": fieldDiffUsers,
		"updates.differenceSlice.intermediate_state": fieldState,
		"updates.differenceEmpty.date":               fieldEmptyDate, "updates.differenceEmpty.seq": fieldEmptySeq,
		"updates.differenceTooLong.pts": fieldTooLong,
	} {
		if index, ok := got[field]; !ok || index != want || index >= fieldsMost {
			t.Errorf("%s is field %d (in the schema: %v), not %d", field, index, ok, want)
		}
	}
}
