package binding

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// This file is the pen that writes down what a play says.

// write writes a line down.
func (p *play) write(who, what string) {
	if !p.quiet {
		fmt.Fprintf(&p.text, "%12.3f  %-9s %s\n", p.sim.Now().Sub(p.start).Seconds(), who, p.hide(what))
	}
}

func (p *play) say(format string, args ...any) { p.write("account", fmt.Sprintf(format, args...)) }

// note writes a heading.
func (p *play) note(text string) { fmt.Fprintf(&p.text, "\n# %s\n\n", text) }

// keyIDs are not for transcripts.
var keyIDs = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

func (p *play) hide(text string) string {
	return keyIDs.ReplaceAllStringFunc(text, func(id string) string {
		for key, name := range p.names {
			if key.String() == id {
				return name
			}
		}
		return "another"
	})
}

// key names a key.
func (p *play) key(id crypt.KeyID) string {
	if id == 0 {
		return "no key"
	}
	if name := p.names[id]; name != "" {
		return name
	}
	return "an unknown key"
}

func (p *play) name(id crypt.KeyID, kind string) {
	n := 1
	for _, other := range p.names {
		if strings.HasPrefix(other, kind) {
			n++
		}
	}
	p.names[id] = fmt.Sprint(kind, n)
}

// String names the binding.
func (r *role) String() string { return fmt.Sprint("binding ", int(r.at)) }

// conn names a connection.
func (p *play) conn(ch *child) string {
	if p.conns[ch] == "" {
		p.conns[ch] = fmt.Sprint("conn", len(p.conns)+1)
	}
	return p.conns[ch]
}

// overhear writes down what bindings and their connections say.
func (p *play) overhear(ch *child, what any) {
	name := p.conn(ch)
	switch m := what.(type) {
	case dcconn.Event:
		if m.Kind == dcconn.EventKeyMade {
			kind := "P"
			if m.Temp {
				kind = "T"
			}
			p.name(m.Made.Key.ID(), kind)
			p.write(name, "key made: "+p.key(m.Made.Key.ID()))
			return
		}
		if text := p.connEvent(m); text != "" {
			p.write(name, text)
		}
	case Others:
		p.write("governor", fmt.Sprintf("others get -404 under their perm keys too: %v", m.Too))
	case Stop:
		p.write("binding", "to "+name+": stop")
	case dcconn.Message:
		p.write("binding", "to "+name+": "+p.connMessage(m))
	}
}

func (p *play) connEvent(ev dcconn.Event) string {
	switch ev.Kind {
	case dcconn.EventSave, dcconn.EventClock:
		return ""
	case dcconn.EventDrained:
		return fmt.Sprintf("drained, %d pending", ev.Pending)
	case dcconn.EventProbed:
		return fmt.Sprintf("probed: answered %v", ev.Answered)
	case dcconn.EventPolled:
		return fmt.Sprintf("polled: %d pending, quiet for %v", ev.Pending, ev.Quiet)
	}
	return ev.String()
}

func (p *play) connMessage(m dcconn.Message) string {
	switch m := m.(type) {
	case dcconn.MakeKey:
		if m.Temp {
			return "make a temp key"
		}
		return "make a perm key"
	case dcconn.Run:
		text := "run under " + p.key(m.Key.ID())
		if m.Bind != nil {
			text += ", bind it to " + p.key(m.Bind.Perm.ID())
		}
		return text
	case dcconn.Call:
		return "call " + p.api.Method(m.Body)
	case dcconn.Drain:
		return fmt.Sprintf("drain for %v, keep %v", m.Limit, m.Keep)
	case dcconn.Listen:
		return fmt.Sprintf("listen for %v", m.Limit)
	case dcconn.Probe:
		return fmt.Sprintf("probe for %v", m.Limit)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "dcconn."))
}

func (p *play) event(r *role, ev Event) string {
	text := "hears " + r.String() + ": "
	switch ev := ev.(type) {
	case EventRoute:
		text += "Route under " + p.key(ev.Route.Where().Key)
		if ev.Again {
			text += " again"
		}
	case EventLost:
		text += "Lost: " + ev.Why
	case EventUnreachable:
		text += "Unreachable: " + ev.Why
	case EventCall:
		text += "Call " + ev.Query.TypeName()
	case EventGuest:
		text += fmt.Sprintf("Guest authorized %v", ev.Authorized)
	case EventSession:
		text += "Session"
	case EventClock:
		text += fmt.Sprintf("Clock %v", ev.Offset.Round(time.Second))
	default:
		name := strings.TrimPrefix(fmt.Sprintf("%T", ev), "binding.Event")
		if detail := strings.Trim(fmt.Sprintf("%v", ev), "{}"); detail != "" {
			name += ": " + detail
		}
		text += name
	}
	return text
}

func (p *play) how(err error) string {
	var query *QueryError
	switch {
	case err == nil:
		return "answered"
	case errors.As(err, &query) && errors.Is(err, dcconn.ErrClosed) && errors.Is(err, ErrNotSent):
		return "given back"
	case errors.As(err, &query) && errors.Is(err, ErrMayHaveRun):
		return "unknown: it may have run"
	}
	return "ended: " + err.Error()
}

// end holds the transcript against the one in testdata.
func (p *play) end(name string) {
	p.t.Helper()
	path := filepath.Join("testdata", name+".txt")
	got := strings.TrimPrefix(p.text.String(), "\n")
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			p.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		p.t.Errorf("the transcript has changed (-%s +now); see -rewrite:\n%s", path, diff)
	}
}
