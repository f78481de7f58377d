package feed

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// A note is an account that writes down what its feed does.
type note struct {
	feed  *Feed
	lines []string
	asked []Question
	lives uint64
}

func (n *note) write(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *note) Ask(query tl.Object, q Question) {
	n.asked = append(n.asked, q)
	n.write("ask %s", query.TypeName())
}

func (n *note) Keep(rec persistence.Record, now bool) {
	n.write("keep %v%s", rec.Kind, map[bool]string{true: ", now"}[now])
}

func (n *note) Delivered(list []Update) {
	for _, u := range list {
		n.write("%v at %d, mark %d", u.Box, u.Pts, u.Mark)
	}
}

func (n *note) Hole(h Hole)                                       { n.write("hole in %v", h.Box) }
func (n *note) DCsChanged()                                       { n.write("DCs") }
func (n *note) Self() (int64, bool)                               { return 42, true }
func (n *note) Durable() (on, held bool)                          { return false, false }
func (n *note) Decided(any)                                       {}
func (n *note) Read(func(time.Time, []persistence.Record, error)) {}

func (n *note) Life() uint64 { n.lives++; return n.lives }
func (n *note) want(t *testing.T, sentence string, lines ...string) {
	t.Helper()
	n.feed.Pump(noon)
	if diff := cmp.Diff(lines, n.lines); diff != "" {
		t.Errorf("%s (-want +got):\n%s", sentence, diff)
	}
	n.lines = nil
}

// answer answers what was asked last.
func (n *note) answer(o tl.Object) {
	q := n.asked[len(n.asked)-1]
	n.feed.Answered(noon, q, o.Append(nil), nil)
}

// online is the feed of an account that is at pts 1 and online.
func online(t *testing.T, channels ...persistence.Channels) *note {
	n := &note{}
	n.feed = New("a", n, slog.New(slog.NewTextHandler(io.Discard, nil)))
	n.feed.Load(&persistence.Updates{Pts: 1, Date: 1, Seq: 1}, channels, nil)
	n.feed.Sync(noon)
	n.want(t, "it asks", "ask updates.getDifference")
	n.answer(&tg.UpdatesDifferenceEmpty{Date: 1, Seq: 1})
	n.want(t, "and nothing is new")
	return n
}

// inChannel is an envelope with updateDeleteChannelMessages.
func inChannel(channel int64, pts int32) tl.Raw {
	return (&tg.Updates{Updates: []tl.Raw{inChannelRaw(channel, pts)}, Date: 2}).Append(nil)
}

// inChannelRaw is the update alone.
func inChannelRaw(channel int64, pts int32) tl.Raw {
	b := tl.AppendInt64(tl.AppendUint32(nil, 0xc32d5b12), channel)
	return tl.AppendInt32(tl.AppendInt32(tl.AppendInt32(tl.AppendVectorHeader(b, 1), 1), pts), 1)
}

func TestAFirstPlaceGoesInOneCommit(t *testing.T) {
	n := online(t)
	n.feed.Push(noon, inChannel(5, 11))
	n.want(t, "at once", "channel:5 at 11, mark 1", "keep channels, now")
	n.feed.Push(noon, inChannel(5, 12))
	n.feed.Advance(noon.Add(time.Second))
	n.want(t, "and later ones by and by", "channel:5 at 12, mark 2", "keep channels")
}

func TestAPauseForgetsNoPlace(t *testing.T) {
	n := online(t, persistence.Channels{Page: 5, List: []persistence.Channel{{ID: 5, Hash: 9, Pts: 10}}})
	n.feed.Push(noon, inChannel(5, 11))
	n.want(t, "from where it was", "channel:5 at 11, mark 1")
	n.feed.Flush(noon)
	n.feed.Drop()
	n.want(t, "it is stored", "keep channels, now")
	if n.feed.Push(noon, inChannel(5, 12)) {
		t.Error("while it is paused somebody takes updates")
	}
	n.feed.Sync(noon)
	n.feed.Pump(noon)
	n.answer(&tg.UpdatesDifferenceEmpty{Date: 1, Seq: 1})
	n.feed.Push(noon, inChannel(5, 11))
	n.feed.Push(noon, inChannel(5, 12))
	n.want(t, "it goes on from there", "ask updates.getDifference", "channel:5 at 12, mark 2")
}

func TestAnAnswerOfBeforeAPauseCountsForNothing(t *testing.T) {
	n := online(t)
	n.feed.Gap(noon)
	n.feed.Pump(noon)
	old := n.asked[len(n.asked)-1]
	n.feed.Drop()
	n.feed.Sync(noon)
	n.lines = nil
	n.feed.Answered(noon, old, (&tg.UpdatesDifferenceTooLong{Pts: 90}).Append(nil), nil)
	n.want(t, "the question after it is under way", "ask updates.getDifference")
}

func TestALoginBeginsWithNothingOfAnEarlierOne(t *testing.T) {
	n := online(t, persistence.Channels{Page: 5, List: []persistence.Channel{{ID: 5, Hash: 9, Pts: 10}}})
	n.feed.Push(noon, inChannel(6, 1))
	n.feed.Pump(noon)
	n.feed.Begin(&tg.UpdatesState{Pts: 7})
	var got persistence.Commit
	n.feed.Fresh(&got)
	want := persistence.Commit{
		Put:    []persistence.Record{persistence.Updates{Pts: 7}.Record("a")},
		Delete: []persistence.Key{persistence.ChannelsKey("a", 5), persistence.ChannelsKey("a", 6)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	n.feed.Begin(nil)
	got = persistence.Commit{}
	n.feed.Fresh(&got)
	if diff := cmp.Diff([]persistence.Key{persistence.UpdatesKey("a")}, got.Delete); diff != "" || got.Put != nil {
		t.Errorf("a login without a place: -want +got:\n%s", diff)
	}
}

func TestWhatAResultSaysIsHandedOnWhenLearnReturns(t *testing.T) {
	n := online(t)
	n.feed.Learn(noon, nil, inChannel(5, 11))
	if !slices.Contains(n.lines, "channel:5 at 11, mark 1") {
		t.Errorf("heard %q", n.lines)
	}
}
