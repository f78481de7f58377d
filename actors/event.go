package actors

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	// EventState: the account's status changed; Event.Status is the new one.
	EventState EventKind = iota
	// EventUpdate: one update of the server, in order and once per process.
	// After a kill the last few seconds may come again (see Event.Box and
	// Event.Pts).
	EventUpdate
	// EventMissed: the reader of this stream was too slow, or began at what is
	// not kept any more; Event.Missed events are gone before this one.
	EventMissed
	// EventHole: updates of Event.Box after Event.From and up to Event.To will not
	// come, be it that the server no longer has them or that this version cannot
	// read them. What they changed must be read anew.
	EventHole
	// EventNotice: the server told something about the account's safety, as
	// Event.Notice: somebody signed in to it, or this key was dropped. The
	// update it came in is an EventUpdate before it.
	EventNotice
	// EventRestarted: the cursor that was given is of another run of the Manager.
	// What came between it and this run is not known here; what is kept of this
	// run follows.
	EventRestarted
)

var eventNames = [...]string{
	EventState: "state", EventUpdate: "update", EventMissed: "missed", EventHole: "hole", EventNotice: "notice", EventRestarted: "restarted",
}

// String returns the kind's name as JSON holds it.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// MarshalText writes the name, so that JSON holds words and not numbers.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a name written by MarshalText.
func (k *EventKind) UnmarshalText(b []byte) error {
	for i, name := range eventNames {
		if name == string(b) {
			*k = EventKind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown event kind %q", b)
}

// Event is one thing that happened to an account.
type Event struct {
	// Cursor is where the event is in the Manager's journal. What a reader is told
	// of the journal itself has the cursor to go on after.
	Cursor Cursor `json:"cursor,omitzero"`
	// Account is empty for what concerns several: EventMissed, EventRestarted.
	Account string `json:"account,omitempty"`
	// Seq numbers the events of one account from 1, without holes, for the
	// life of the process. A hole in what a reader got is what EventMissed says.
	Seq  uint64    `json:"seq,omitempty"`
	At   time.Time `json:"at,omitzero"`
	Kind EventKind `json:"kind"`

	// Status is set for EventState.
	Status *Status `json:"status,omitempty"`
	// Update is set for EventUpdate: a boxed Update as the server sent it, or the
	// one that a short form of it stands for.
	Update tl.Raw `json:"update,omitempty"`
	// Users and Chats are what the server sent along with the update, each a
	// boxed User or Chat. It sends one list for all updates of an envelope (a
	// push, or a part of the difference): their events share it, so it is read
	// only, and may hold more than this update speaks of.
	Users []tl.Raw `json:"users,omitempty"`
	Chats []tl.Raw `json:"chats,omitempty"`
	// Box is the sequence that the update counts in, or that the hole is in:
	// "common" (messages of users and basic chats), "qts" (secret chats, and some
	// of what happens to bots) or "channel:ID". An update that counts by nothing,
	// as typing and presence do, has none: it comes once or never.
	Box Box `json:"box,omitzero"`
	// Pts is where Box stands after the update: its pts, or its qts. It is 0 for
	// a message out of a difference, of which the server does not say it. It is
	// saved every few seconds: after a kill a reader that must not act twice
	// skips updates whose place it has seen.
	Pts int32 `json:"pts,omitempty"`
	// Date is when the server sent the update, zero if it does not say.
	Date time.Time `json:"date,omitzero"`
	// Notice is set for EventNotice.
	Notice *Notice `json:"notice,omitempty"`
	// From and To are set for EventHole. From is zero if the account was signed
	// in and where its updates stood was never known. In a channel the pts count,
	// and either is zero where it is not known.
	From Place `json:"from,omitzero"`
	To   Place `json:"to,omitzero"`
	// Missed is set for EventMissed. Where a stream began after a cursor and what
	// followed it is gone, it is at most so many for a reader with a filter.
	Missed uint64 `json:"missed,omitempty"`
}

// Place is where an account stands in the sequence of its updates. A number
// that is the same at both ends of a hole misses nothing.
type Place struct {
	Pts  int32 `json:"pts,omitempty"`
	Qts  int32 `json:"qts,omitempty"`
	Seq  int32 `json:"seq,omitempty"`
	Date int32 `json:"date,omitempty"` // server time, unix seconds
}

// A BoxKind is a kind of sequence.
type BoxKind uint8

const (
	// BoxNone is no sequence: the update counts by nothing, as typing and
	// presence do. It comes as the server sends it, once or never.
	BoxNone BoxKind = iota
	// BoxCommon counts by the account's pts: messages of users and basic chats.
	BoxCommon
	// BoxQts counts by qts: secret chats, and some of what happens to bots.
	BoxQts
	// BoxChannel counts by the pts of one channel.
	BoxChannel
)

// A Box is one sequence of updates of an account. Its text, also in JSON, is
// "common", "qts", "channel:123", or empty for none.
type Box struct {
	Kind    BoxKind
	Channel int64 // of BoxChannel: its id
}

func boxOf(b account.Box) Box { return Box{BoxKind(b.Kind), b.Channel} }

func (b Box) inner() (in account.Box) {
	in.Kind, in.Channel = account.BoxKind(b.Kind), b.Channel
	return in
}

// String is the text.
func (b Box) String() string { return b.inner().String() }

// MarshalText is String, for JSON.
func (b Box) MarshalText() ([]byte, error) { return b.inner().MarshalText() }

// UnmarshalText reads what MarshalText wrote.
func (b *Box) UnmarshalText(text []byte) error {
	in := b.inner()
	err := in.UnmarshalText(text)
	*b = boxOf(in)
	return err
}

// IsZero reports whether there is no box.
func (b Box) IsZero() bool { return b == Box{} }

// deliveredOf makes events of updates, and of what they say about the account's
// safety.
func deliveredOf(id persistence.AccountID, now time.Time, life uint64, list []account.Update) []*told {
	events := make([]*told, 0, len(list))
	for _, u := range list {
		mark := account.Mark{Life: life, N: u.Mark}
		ev := Event{
			Account: string(id), At: now, Kind: EventUpdate,
			Update: u.Raw, Users: u.Users, Chats: u.Chats, Box: boxOf(u.Box), Pts: u.Pts,
		}
		if u.Date > 0 {
			ev.Date = time.Unix(int64(u.Date), 0).UTC()
		}
		if events = append(events, &told{Event: ev, mark: mark}); u.Notice != nil {
			events = append(events, &told{mark: mark, Event: Event{Account: string(id), At: now, Kind: EventNotice, Notice: noticeOf(u.Notice)}})
		}
	}
	return events
}

// holeOf makes an event of what will not come.
func holeOf(id persistence.AccountID, now time.Time, life uint64, h account.Hole) *told {
	return &told{mark: account.Mark{Life: life, N: h.Mark}, Event: Event{
		Account: string(id), At: now, Kind: EventHole, Box: boxOf(h.Box),
		From: Place{Pts: h.From.Pts, Qts: h.From.Qts, Seq: h.From.Seq, Date: h.From.Date},
		To:   Place{Pts: h.To.Pts, Qts: h.To.Qts, Seq: h.To.Seq, Date: h.To.Date},
	}}
}
