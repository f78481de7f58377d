package actors

import (
	"encoding/json"

	"github.com/mtfleet/mtfleet/tl"
)

// EventJSON is an event as programs of other languages read it: its update, users
// and chats are JSON objects as tl/tljson writes them, names as in the schema.
type EventJSON struct {
	Event
	Update json.RawMessage   `json:"update,omitempty"`
	Users  []json.RawMessage `json:"users,omitempty"`
	Chats  []json.RawMessage `json:"chats,omitempty"`
}

// NewEventJSON returns the event so, or with raw each value as a string, the base64
// of its bytes; so is a value that the schema does not know.
func NewEventJSON(ev Event, raw bool) EventJSON {
	c := newCodec()
	text := func(v tl.Raw) json.RawMessage {
		if !raw {
			if b, err := c.Append(nil, v); err == nil {
				return b
			}
		}
		b, _ := json.Marshal([]byte(v))
		return b
	}
	list := func(all []tl.Raw) []json.RawMessage {
		var out []json.RawMessage
		for _, v := range all {
			out = append(out, text(v))
		}
		return out
	}
	out := EventJSON{Event: ev, Users: list(ev.Users), Chats: list(ev.Chats)}
	if len(ev.Update) > 0 {
		out.Update = text(ev.Update)
	}
	out.Event.Update, out.Event.Users, out.Event.Chats = nil, nil, nil
	return out
}
