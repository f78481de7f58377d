package gotd

import (
	"fmt"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/tl"
)

// DecodeError says that gotd cannot read an update, a user or a chat that the
// server sent: most often one of a newer layer than gotd's.
type DecodeError struct {
	What string // "update", "user" or "chat"
	ID   uint32 // its constructor
	Err  error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("gotd cannot read the %s %08x: %v", e.What, e.ID, e.Err)
}

// Unwrap returns gotd's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// Updates is an event of the kind actors.EventUpdate as gotd knows updates: for
// who reads events himself. It fails with a *[DecodeError].
func Updates(ev actors.Event) (*tg.Updates, error) {
	var r reader
	return r.read(ev)
}

// reader turns events into gotd's values. The events of an envelope share their users and
// chats, which it decodes once.
type reader struct {
	rawUsers, rawChats []tl.Raw // what users and chats were read from
	users              []tg.UserClass
	chats              []tg.ChatClass

	people people
}

func (r *reader) read(ev actors.Event) (*tg.Updates, error) {
	update, err := decode("update", ev.Update, tg.DecodeUpdate)
	if err != nil {
		return nil, err
	}
	if !same(r.rawUsers, ev.Users) {
		if r.users, err = decodeAll("user", ev.Users, tg.DecodeUser); err != nil {
			r.rawUsers = nil
			return nil, err
		}
		r.rawUsers = ev.Users
		r.people.remember(ev.Account, r.users)
	}
	if !same(r.rawChats, ev.Chats) {
		if r.chats, err = decodeAll("chat", ev.Chats, tg.DecodeChat); err != nil {
			r.rawChats = nil
			return nil, err
		}
		r.rawChats = ev.Chats
	}
	date := ev.Date
	if date.IsZero() {
		date = ev.At
	}
	u := &tg.Updates{Updates: []tg.UpdateClass{update}, Users: r.users, Chats: r.chats, Date: int(date.Unix())}
	r.people.complete(ev.Account, u)
	return u, nil
}

// same reports whether two lists are one and the same.
func same(a, b []tl.Raw) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func decodeAll[T any](what string, list []tl.Raw, one func(*bin.Buffer) (T, error)) ([]T, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]T, len(list))
	for i, raw := range list {
		var err error
		if out[i], err = decode(what, raw, one); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decode[T any](what string, raw tl.Raw, one func(*bin.Buffer) (T, error)) (T, error) {
	v, err := one(&bin.Buffer{Buf: raw})
	if err != nil {
		return v, &DecodeError{What: what, ID: raw.ID(), Err: err}
	}
	return v, nil
}
