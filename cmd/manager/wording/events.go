package wording

import (
	"encoding/json"
	"fmt"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// Event is an event for people.
func Event(ev *control.Event) string {
	switch {
	case ev.Kind == actors.EventState && ev.Status != nil:
		acc := control.Account{State: ev.Status.State.String(), Status: *ev.Status}
		s := "is " + State(acc)
		if ev.Status.Why != "" {
			s += ": " + ev.Status.Why
		}
		return s
	case ev.Kind == actors.EventUpdate:
		return updateText(ev)
	case ev.Kind == actors.EventMissed:
		return fmt.Sprintf("%d events are gone", ev.Missed)
	case ev.Kind == actors.EventHole:
		return fmt.Sprintf("some updates cannot be had: read anew what matters (after %+v, up to %+v)", ev.From, ev.To)
	case ev.Kind == actors.EventNotice && ev.Notice != nil:
		return ev.Notice.String()
	case ev.Kind == actors.EventRestarted:
		return "the cursor is of an earlier manager; this is what the one that runs has kept"
	}
	return ev.Kind.String()
}

// updateText names an update and quotes the message in it.
func updateText(ev *control.Event) string {
	name := UpdateName(ev)
	var u struct{ Message json.RawMessage }
	var m struct{ Message string }
	if json.Unmarshal(ev.Update, &u) == nil && json.Unmarshal(u.Message, &m) == nil && m.Message != "" {
		return name + " " + Clip(fmt.Sprintf("%q", m.Message))
	}
	return name
}

// UpdateName is what an update is, without what it says.
func UpdateName(ev *control.Event) string {
	var u struct {
		Name string `json:"_"`
	}
	if json.Unmarshal(ev.Update, &u) != nil || u.Name == "" {
		return fmt.Sprintf("an update of %d bytes", len(ev.Update))
	}
	return u.Name
}
