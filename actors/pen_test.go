package actors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/updates"
	"github.com/mtfleet/mtfleet/persistence"
)

// pen writes down what is said in a play: seconds since the beginning, who, and
// what. Keys and connections have names, in the order they were first heard of.
type pen struct {
	sim    *runtime.Sim
	start  time.Time
	quiet  bool // nothing is written down
	text   strings.Builder
	keys   map[crypt.KeyID]string
	conns  map[any]string
	listen func(what any) // told what the manager's parts say; nil for nobody
	method func(body []byte) string
}

func newPen(sim *runtime.Sim) pen {
	return pen{sim: sim, start: sim.Now(), quiet: true, keys: map[crypt.KeyID]string{}, conns: map[any]string{}}
}

func (p *pen) write(who, what string) {
	if !p.quiet {
		fmt.Fprintf(&p.text, "%10.3f  %-9s %s\n", p.since(p.sim.Now()), who, p.hide(what))
	}
}

func (p *pen) since(t time.Time) float64 { return t.Sub(p.start).Seconds() }

// about begins the transcript: what it shows.
func (p *pen) about(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(&p.text, "# %s\n", line)
	}
	p.text.WriteString("\n")
	p.quiet = false
}

// note writes a heading.
func (p *pen) note(text string) {
	if !strings.HasSuffix(p.text.String(), "\n\n") {
		p.text.WriteString("\n")
	}
	fmt.Fprintf(&p.text, "# %s\n\n", text)
}

var (
	keyIDs  = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	times   = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	callIDs = regexp.MustCompile(`call \d+, `) // they differ with what ran before
)

// hide takes out what is not for transcripts.
func (p *pen) hide(text string) string {
	text = callIDs.ReplaceAllString(text, "")
	text = times.ReplaceAllStringFunc(text, func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return fmt.Sprintf("%.0f s", p.since(at))
	})
	return keyIDs.ReplaceAllStringFunc(text, func(s string) string {
		for id, name := range p.keys {
			if id.String() == s {
				return name
			}
		}
		return "another"
	})
}

func (p *pen) key(id crypt.KeyID) string {
	if name := p.keys[id]; name != "" {
		return name
	}
	return "an unknown key"
}

func (p *pen) conn(conn any) string {
	if p.conns[conn] == "" {
		p.conns[conn] = fmt.Sprint("conn", len(p.conns)+1)
	}
	return p.conns[conn]
}

func (p *pen) how(err error) string {
	if err == nil {
		return "answered"
	}
	return "ended: " + Words(err)
}

// trace is what the manager's accounts tell.
func (p *pen) trace() *account.Trace {
	told := func(what any) {
		if p.listen != nil {
			p.listen(what)
		}
	}
	return &account.Trace{
		Decided: func(_ persistence.AccountID, out any) { told(out); p.decided(out) },
		Trace: bindings.Trace{
			Opened: func(_ persistence.AccountID, at dc.ID, home bool) {
				kind := "a guest"
				if home {
					kind = "home"
				}
				if at < 0 {
					kind = "for media"
				}
				p.write("account", fmt.Sprintf("opens %s, %s", bindingName(at), kind))
			},
			Closed: func(_ persistence.AccountID, at dc.ID) { p.write("account", "closes "+bindingName(at)) },
			Told: func(_ persistence.AccountID, at dc.ID, m binding.Message, under crypt.KeyID) {
				told(m)
				p.write("account", p.told(at, m, under))
			},
			Heard: func(_ persistence.AccountID, from dc.ID, ev binding.Event) {
				if told(ev); isSession(ev) {
					return // worth keeping, and no more
				}
				p.write(bindingName(from), p.bindingEvent(ev))
			},
		},
		Connection: func(conn, what any) { told(what); p.overhear(conn, what) },
	}
}

// decided writes down what an engine of the account said.
func (p *pen) decided(out any) {
	switch out := out.(type) {
	case standing.Output:
		text := out.String()
		switch out.Kind {
		case standing.OutReply:
			if text = "Reply{done}"; out.Err != nil {
				text = "Reply{" + Words(out.Err) + "}"
			}
		case standing.OutOpen, standing.OutMove, standing.OutMoved, standing.OutUnauthorized:
			text = fmt.Sprintf("%v{%v}", out.Kind, out.DC)
		case standing.OutEnd:
			text = fmt.Sprintf("End{%s: %s}", out.Call.Method, Words(out.Err))
		case standing.OutUnbound:
			text = fmt.Sprintf("%v{%s}", out.Kind, p.key(crypt.KeyID(out.Where.Key)))
		}
		p.write("standing", text)
	case login.Output:
		text := out.String()
		if out.Kind == login.OutSave {
			text = "Save" // its snapshot is a transcript of its own
		}
		p.write("login", text)
	case updates.Output:
		text := out.Kind.String()
		switch out.Kind {
		case updates.OutSave:
			text += fmt.Sprintf("{pts %d}", out.State.Pts)
			for _, page := range out.Pages {
				for _, c := range page.Channels {
					text += fmt.Sprintf(", channel %d pts %d", c.ID, c.Pts)
				}
			}
		case updates.OutGetChannelDifference:
			text += fmt.Sprintf("{%v, from pts %d}", out.Box, out.State.Pts)
		case updates.OutGetDifference:
			text += fmt.Sprintf("{from pts %d}", out.State.Pts)
		case updates.OutDeliver:
			text += fmt.Sprintf("{%d}", len(out.Updates))
		}
		p.write("updates", text)
	}
}

// bindingName names a binding by the number of its DC, which has a minus for media.
func bindingName(at dc.ID) string {
	if at < 0 {
		return fmt.Sprint("media ", int(-at))
	}
	return fmt.Sprint("binding ", int(at))
}

func (p *pen) told(at dc.ID, m binding.Message, under crypt.KeyID) string {
	to := "to " + bindingName(at) + ": "
	switch m := m.(type) {
	case binding.Call:
		if under != 0 {
			return fmt.Sprintf("by the route to DC %d under %s: %s", int(max(at, -at)), p.key(under), m.Method)
		}
		return to + m.Method
	case binding.Confirm:
		return to + "Confirm by " + m.Call.Method
	case binding.Unbound:
		return to + "Unbound " + p.key(m.Key)
	case binding.Unauthorized:
		return to + "Unauthorized: " + Words(m.Err)
	case binding.Recall:
		if m.Method == "" {
			return to + "Recall every method"
		}
		return to + "Recall " + m.Method
	case binding.Answered:
		return to + "Answered: " + p.how(m.Err)
	}
	return to + strings.TrimPrefix(fmt.Sprintf("%T", m), "binding.")
}

func isSession(ev binding.Event) bool {
	_, is := ev.(binding.EventSession)
	return is
}

func (p *pen) bindingEvent(ev binding.Event) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", ev), "binding.Event")
	switch ev := ev.(type) {
	case binding.EventRoute:
		if name += " under " + p.key(ev.Route.Where().Key); ev.Again {
			name += " again"
		}
	case binding.EventLost:
		name += ": " + ev.Why
	case binding.EventUnreachable:
		name += ": " + ev.Why
	case binding.EventCall:
		name += " " + ev.Query.TypeName()
	case binding.EventGuest:
		name += fmt.Sprintf(": authorized %v", ev.Authorized)
	case binding.EventClock:
		name += fmt.Sprintf(" %v off", ev.Offset.Round(time.Second))
	case binding.EventRefused:
		name += ": " + Words(ev.Err)
	case binding.EventKeyGone:
		name += ": " + Words(ev.Err)
	}
	return name
}

// overhear writes down what a binding and one of its connections say.
func (p *pen) overhear(conn, what any) {
	name := p.conn(conn)
	switch m := what.(type) {
	case dcconn.Event:
		p.connEvent(name, m)
	case binding.Stop:
		p.write("binding", "to "+name+": stop")
	case dcconn.Message:
		text := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "dcconn."))
		switch m := m.(type) {
		case dcconn.MakeKey:
			if text = "make a perm key"; m.Temp {
				text = "make a temp key"
			}
		case dcconn.Run:
			if text = "run under " + p.key(m.Key.ID()); m.Bind != nil {
				text += ", bind it to " + p.key(m.Bind.Perm.ID())
			}
		case dcconn.Call:
			text = p.method(m.Body)
		case dcconn.Drain:
			text = fmt.Sprintf("drain for %v, keep %v", m.Limit, m.Keep)
		case dcconn.Listen:
			text = fmt.Sprintf("listen for %v", m.Limit)
		case dcconn.Probe:
			text = fmt.Sprintf("probe for %v", m.Limit)
		}
		p.write("binding", "to "+name+": "+text)
	}
}

func (p *pen) connEvent(name string, ev dcconn.Event) {
	text := ev.String()
	switch ev.Kind {
	case dcconn.EventSave, dcconn.EventClock, dcconn.EventUpdates, dcconn.EventGap:
		return // the binding passes on what matters
	case dcconn.EventKeyMade:
		id, kind := ev.Made.Key.ID(), "P"
		if ev.Temp {
			kind = "T"
		}
		n := 1
		for _, other := range p.keys {
			if strings.HasPrefix(other, kind) {
				n++
			}
		}
		p.keys[id] = fmt.Sprint(kind, n)
		text += " " + p.keys[id]
	case dcconn.EventDrained:
		text += fmt.Sprintf(", %d pending", ev.Pending)
	case dcconn.EventProbed:
		text += fmt.Sprintf(": answered %v", ev.Answered)
	case dcconn.EventPolled:
		text += fmt.Sprintf(": %d pending", ev.Pending)
	}
	p.write(name, text)
}

// heardEvent writes down what who listens to the manager hears.
func (p *pen) heardEvent(ev Event) {
	switch ev.Kind {
	case EventState:
		st := ev.Status
		text := "alice is " + st.State.String()
		if st.Bound {
			text += ", bound"
		}
		if st.Why != "" {
			text += ": " + st.Why
		}
		if !st.Until.IsZero() {
			text += fmt.Sprintf(" (until %.3f)", p.since(st.Until))
		}
		p.write("event", text)
	case EventUpdate:
		text := fmt.Sprintf("update, pts %d", ev.Pts)
		if ev.Box.Kind == BoxChannel {
			text = fmt.Sprintf("update, %v pts %d", ev.Box, ev.Pts)
		}
		p.write("event", text)
	default:
		p.write("event", ev.Kind.String())
	}
}

// end holds the transcript against the one in testdata.
func (p *pen) end(t *testing.T, name string) {
	t.Helper()
	path, got := filepath.Join("testdata", name+".txt"), p.text.String()
	if *rewrite {
		if err := errors.Join(os.MkdirAll("testdata", 0o777), os.WriteFile(path, []byte(got), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the transcript has changed (-%s +now); see -rewrite:\n%s", path, diff)
	}
}

// heardAPI writes down which queries reach the API of the test DCs.
type heardAPI struct {
	*api.Backend
	p *pen
}

func (h *heardAPI) Handle(req *api.Request) api.Reply {
	reply := h.Backend.Handle(req)
	h.ran(req, h.Method(req.Body), reply.Err)
	return reply
}

func (h *heardAPI) Admit(req *api.Request, name string) (time.Duration, *api.Error) {
	d, err := h.Backend.Admit(req, name)
	h.ran(req, name, err)
	return d, err
}

func (h *heardAPI) ran(req *api.Request, method string, err *api.Error) {
	under := req.Temp
	if under == 0 {
		under = req.Perm
	}
	text := method + " under " + h.p.key(crypt.KeyID(under))
	if err != nil {
		text += ": " + err.Text
	}
	h.p.write(fmt.Sprint("DC ", req.DC), text)
}

// heardStore writes down what is committed.
type heardStore struct {
	*persistence.Memory
	p *pen
}

func (s *heardStore) Commit(c persistence.Commit) error {
	var what []string
	for _, r := range c.Put {
		if r.Key == timeline.RecordKey(r.Account) && len(c.Put)+len(c.Delete) > 1 {
			continue // it rides along, and decides nothing
		}
		what = append(what, "put "+s.p.record(r.Key)+contents(r))
	}
	for _, k := range c.Delete {
		what = append(what, "delete "+s.p.record(k))
	}
	s.p.write("store", strings.Join(what, ", "))
	return s.Memory.Commit(c)
}

// record names a record.
func (p *pen) record(k persistence.Key) string {
	switch k.Kind {
	case persistence.KindPermKey, persistence.KindSession, persistence.KindGuest:
		at, revoked := strings.CutSuffix(k.Sub, ".revoked")
		if revoked {
			return "revoked " + k.Kind.String() + " of DC " + at
		}
		return k.Kind.String() + " of DC " + at
	case persistence.KindTempKey:
		at, id, _ := strings.Cut(k.Sub, ".")
		n, _ := strconv.ParseUint(id, 16, 64)
		return "temp key " + p.key(crypt.KeyID(n)) + " of DC " + at
	case persistence.KindWait:
		return "wait"
	case persistence.KindMeta:
		return k.Sub
	}
	return k.Kind.String()
}

// contents says in a word what a record holds, where a reader wants to know.
func contents(r persistence.Record) string {
	if r.Kind == persistence.KindAccount {
		if a, err := persistence.DecodeAccount(r); err == nil && a.State != "" {
			return " (" + a.State + ")"
		}
	}
	if r.Kind == persistence.KindWait {
		if w, err := persistence.DecodeWait(r); err == nil {
			return fmt.Sprintf(" (%v for %s)", w.Length, w.Method)
		}
	}
	if r.Kind == persistence.KindUpdates {
		if u, err := persistence.DecodeUpdates(r); err == nil {
			return fmt.Sprintf(" (pts %d)", u.Pts)
		}
	}
	return ""
}
