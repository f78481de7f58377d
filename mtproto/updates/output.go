package updates

import (
	"fmt"
	"strings"

	"github.com/mtfleet/mtfleet/tl"
)

// An OutputKind says what an [Output] asks for.
type OutputKind uint8

const (
	// OutDeliver carries Updates, to be handed on in this order, with the Users
	// and Chats that came along.
	OutDeliver OutputKind = iota + 1
	// OutGetState asks to run Query, updates.getState. Answer with Call:
	// Result or Failed.
	OutGetState
	// OutGetDifference asks to run Query, updates.getDifference from State.
	// Answer with Call: Result or Failed.
	OutGetDifference
	// OutGetChannelDifference asks to run Query, updates.getChannelDifference of
	// the channel of Box from State.Pts. Answer with Call: Result or Failed. There
	// is one of a channel under way at a time, and a few of an account.
	OutGetChannelDifference
	// OutSave carries the State to store, if it is Known, and those Pages of
	// channels that have changed, some time soon or, with Now, at once.
	// It need not be on disk before the next output: losing it repeats updates
	// and loses none, but for the first states, see Now.
	OutSave
	// OutHole says that updates of Box after From and up to To will not be
	// delivered: the server no longer has them, or they cannot be read, or it
	// pushed them and does not know them. In the common box any of the four
	// numbers may differ, and a renumbered sequence may have gone back. From is
	// zero when the first state of all is told so: nobody knows where what is
	// missing begins. Of a channel the pts count, and either is 0 where it is not
	// known.
	OutHole
	// OutConfig says that updateConfig or updateDcOptions was among the updates
	// just delivered: the table of DCs has changed and is to be asked for.
	OutConfig
)

var outputNames = [...]string{
	OutDeliver:              "Deliver",
	OutGetState:             "GetState",
	OutGetDifference:        "GetDifference",
	OutGetChannelDifference: "GetChannelDifference",
	OutSave:                 "Save",
	OutHole:                 "Hole",
	OutConfig:               "Config",
}

// String is the kind in a word or two.
func (k OutputKind) String() string {
	if int(k) < len(outputNames) && outputNames[k] != "" {
		return outputNames[k]
	}
	return fmt.Sprintf("output %d", uint8(k))
}

// A CallID tells answers apart: one that belongs to an older call is ignored.
type CallID uint32

// An Output is one thing the driver should do. Which fields are set is said
// at each kind.
type Output struct {
	Kind OutputKind

	// Mark numbers deliveries and holes in their order, rising by one. It is what
	// a durable consumer acknowledges, see Durable.
	Mark uint64 // OutDeliver, OutHole
	// Date is the server's, of the envelope; 0 for what a difference brings.
	Date int32 // OutDeliver, unix seconds
	// Updates are Update values, boxed, each whole. Short forms of messages come
	// as the updateNewMessage they stand for, and a message out of a difference
	// as updateNewMessage or updateNewChannelMessage with pts and pts_count 0.
	// PlaceOf says in which box each counts.
	Updates []tl.Raw // OutDeliver
	// Users and Chats are boxed values as the server sent them, those of the
	// envelope that Updates came in. Deliveries out of one envelope share them:
	// they are read only.
	Users []tl.Raw // OutDeliver
	Chats []tl.Raw // OutDeliver

	Call     CallID    // OutGetState, OutGetDifference, OutGetChannelDifference
	Query    tl.Object // the same
	Box      Box       // OutGetChannelDifference, OutHole
	State    State     // OutGetDifference, OutGetChannelDifference, OutSave
	Known    bool      // OutSave
	Pages    []Page    // OutSave: each replaces what is stored of its number
	From, To State     // OutHole

	// Now asks to write at once and not to gather it with other changes. It is
	// set for the first state of all and the first of a channel, without which a
	// process that is killed would not know what it missed, and for what Flush
	// saves.
	Now bool // OutSave
}

// Durable reports whether the output must be on disk before the next is
// taken. None of this machine's is.
func (o Output) Durable() bool { return false }

// String tells the output without the content of updates.
func (o Output) String() string {
	switch o.Kind {
	case OutDeliver:
		return fmt.Sprintf("Deliver{%d updates}", len(o.Updates))
	case OutSave:
		var what []string
		if o.Known {
			what = append(what, o.State.String())
		}
		for _, p := range o.Pages {
			what = append(what, fmt.Sprintf("page %d:", p.Number))
			for _, c := range p.Channels {
				what = append(what, fmt.Sprintf("channel %d pts %d", c.ID, c.Pts))
			}
		}
		text := "Save{" + strings.Join(what, ", ") + "}"
		if o.Now {
			text += " now"
		}
		return text
	case OutGetDifference:
		return fmt.Sprintf("%v{%v}", o.Kind, o.State)
	case OutGetChannelDifference:
		return fmt.Sprintf("%v{%v, pts %d}", o.Kind, o.Box, o.State.Pts)
	case OutHole:
		if o.Box.Kind == BoxChannel {
			return fmt.Sprintf("Hole{%v after pts %d to pts %d}", o.Box, o.From.Pts, o.To.Pts)
		}
		return fmt.Sprintf("Hole{after %v to %v}", o.From, o.To)
	}
	return o.Kind.String()
}

// GoString is String.
func (o Output) GoString() string { return o.String() }
