package standing

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func testConfig() Config {
	return Config{HasDC: func(id dc.ID) bool { return id <= 5 }, DefaultDC: 2}
}

// localError is an error of ours, as mtproto.QueryError is one.
type localError struct{ notSent, givenBack bool }

func (e *localError) Error() string {
	if e.givenBack {
		return "the connection was replaced"
	}
	return "the connection was lost"
}
func (e *localError) NotSent() bool   { return e.notSent }
func (e *localError) GivenBack() bool { return e.givenBack }

// A disk is what the store has of an account.
type disk struct{ Snapshot }

// commit does to the disk what an output asks for.
func (d *disk) commit(m *Machine, out Output) {
	switch {
	case out.Kind == OutErase && out.All: // waits about a subject are the store's
		waits := slices.DeleteFunc(d.Waits, func(w Wait) bool { return w.Scope != ScopeSubject })
		d.Snapshot = Snapshot{Waits: waits}
		return
	case out.Kind == OutErase:
		waits := d.Waits
		d.Snapshot = out.Snapshot
		d.Waits = waits
		return
	}
	if out.Changes.Account {
		waits := d.Waits
		d.Snapshot = m.Snapshot()
		d.Waits = waits
	}
	for _, w := range slices.Concat(out.Changes.Put, out.Changes.Delete) {
		d.Waits = slices.DeleteFunc(d.Waits, func(o Wait) bool { return o.same(&w) })
	}
	d.Waits = append(d.Waits, out.Changes.Put...)
}

// A play is a machine, its clock, its disk, and the calls under way.
type play struct {
	now   time.Time
	m     *Machine
	disk  disk
	calls map[CallID]*Call
	last  CallID // of OutCall: 101, 102, ...
	buf   strings.Builder
}

func newPlay() *play {
	return &play{now: epoch, disk: disk{Snapshot{HomeDC: 2}}, calls: map[CallID]*Call{}, last: 100}
}

// shortly leaves out of the server's errors what every one of them says.
var shortly = strings.NewReplacer("tgerr: server answered ", "", "the server answered ", "", "server answered ", "")

func (p *play) drain() {
	for out, ok := p.m.Next(); ok; out, ok = p.m.Next() {
		switch out.Kind {
		case OutSave, OutErase:
			p.disk.commit(p.m, out)
		case OutSend:
			c := out.Call
			p.calls[c.ID] = &c
		case OutCall:
			p.last++
			c := out.Call
			c.ID = p.last
			p.calls[c.ID] = &c
			fmt.Fprintf(&p.buf, "  %v is %d\n", out, c.ID)
			continue
		case OutStatus:
			fmt.Fprintf(&p.buf, "  Status{%s}\n", p.status())
			continue
		}
		fmt.Fprintf(&p.buf, "  %s\n", shortly.Replace(out.String()))
	}
}

func (p *play) status() string {
	s := p.m.Status()
	line := s.State.String()
	if s.Why != "" {
		line += ": " + s.Why
	}
	if !s.Until.IsZero() {
		line += " | until +" + s.Until.Sub(p.now).String()
	}
	if s.Advice != "" && s.Advice != adviceOf[s.State] {
		line += " | " + s.Advice
	}
	return line
}

// words takes "name=value" and flags out of a line.
type words []string

func (w words) has(name string) bool { return slices.Contains(w, name) }

func (w words) value(name string) string {
	for _, s := range w {
		if v, ok := strings.CutPrefix(s, name+"="); ok {
			return v
		}
	}
	return ""
}

func (w words) dc() dc.ID {
	n, _ := strconv.Atoi(w.value("dc"))
	return dc.ID(n)
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func purposeOf(s string) Purpose {
	i := slices.Index(purposeNames[:], s)
	if i < 0 {
		panic("no such purpose: " + s)
	}
	return Purpose(i)
}

// errorOf reads "420 FLOOD_WAIT_30", "lost", "not-sent", "given-back".
func errorOf(w words) error {
	switch w[0] {
	case "result":
		return nil
	case "lost":
		return &localError{}
	case "not-sent":
		return &localError{notSent: true}
	case "given-back":
		return &localError{givenBack: true, notSent: !w.has("sent")}
	}
	code, err := strconv.Atoi(w[0])
	if err != nil {
		return errors.New(strings.Join(w, " "))
	}
	return tgerr.New(code, w[1])
}

func (p *play) where(w words) Where {
	at := Where{DC: p.m.Home(), Home: true, Key: 0xa1, Temp: !w.has("perm-key")}
	if id := w.dc(); id != 0 && id != at.DC {
		at = Where{DC: id, Key: 0xb2, Temp: true}
	}
	return at
}

// setUp does the commands that come before the machine exists.
func (p *play) setUp(w words) error {
	switch w[0] {
	case "stored":
		return p.disk.State.UnmarshalText([]byte(w[1]))
	case "back":
		return p.disk.Back.UnmarshalText([]byte(w[1]))
	case "stored-wait": // method, start, length
		wait := Wait{Method: w[1], Start: p.now.Add(duration(w[2])), Length: duration(w[3]), Server: w.has("server"), Why: "the server said so"}
		if w[1] == "account" {
			wait.Scope, wait.Method = ScopeAccount, ""
		}
		p.disk.Waits = append(p.disk.Waits, wait)
		return nil
	case "start", "start-login", "start-second", "unreadable":
		p.m = Restore(testConfig(), p.disk.Snapshot)
		return p.run(strings.Join(w, " "))
	}
	return fmt.Errorf("no such command before start: %q", w)
}

// run does one command.
func (p *play) run(line string) error {
	w := words(strings.Fields(line))
	rest := strings.TrimSpace(strings.TrimPrefix(line, w[0]))
	if p.m == nil {
		return p.setUp(w)
	}
	if err := p.input(w, rest); err != nil {
		return err
	}
	p.drain()
	return nil
}

func (p *play) input(w words, rest string) error {
	m, now := p.m, p.now
	number := func() uint64 { n, _ := strconv.ParseUint(w[1], 10, 64); return n }
	call := func() *Call { return p.calls[CallID(number())] }
	switch w[0] {
	case "start":
		m.Start(now)
	case "start-login":
		m.StartLogin(now)
	case "unreadable":
		m.Unreadable(now, errors.New("the account's record is of a newer version"))
	case "crash":
		p.m = Restore(testConfig(), p.disk.Snapshot)
		p.m.Start(now)
	case "start-second":
		m.StartSecond(now, w[1])
	case "crash-second":
		p.m = Restore(testConfig(), p.disk.Snapshot)
		p.m.StartSecond(now, w[1])
	case "advance":
		p.now = p.now.Add(duration(w[1]))
		m.Advance(p.now)
	case "advance-to-deadline":
		d := m.Deadline()
		if d.IsZero() {
			return errors.New("there is no deadline")
		}
		fmt.Fprintf(&p.buf, "  +%v\n", d.Sub(now))
		p.now = d
		m.Advance(p.now)
	case "sleep": // the machine is not told
		p.now = p.now.Add(duration(w[1]))

	case "admit": // id, purpose, method
		c := &Call{
			ID: CallID(number()), Purpose: purposeOf(w[2]), Method: w[3], DC: w.dc(),
			Repeatable: w.has("repeatable"), Subject: w.value("subject"),
		}
		p.calls[c.ID] = c
		p.admit(c)
	case "admit-again":
		p.admit(call())
	case "answered":
		fmt.Fprintf(&p.buf, "  proves: %v\n", m.Proves(call()))
		m.Answered(now, call(), p.where(w[2:]))
	case "ended":
		m.Ended(now, call(), p.where(w[2:]), errorOf(w[2:]))
	case "canceled":
		m.Canceled(now, CallID(number()))

	case "routed":
		m.Routed(now)
	case "config-changed":
		m.ConfigChanged(now)
	case "app-config": // id, and what it says
		m.Returned(now, call(), p.where(w[3:]), appConfig(w[2]), nil)
	case "suspect":
		m.Suspect(now, rest)
	case "route-lost":
		m.RouteLost(now, rest)
	case "unreachable":
		m.Unreachable(now, rest)
	case "clock":
		m.Clock(now, duration(w[1]))
	case "key-gone":
		at := p.where(w)
		m.KeyGone(now, at.DC, at.Home, errors.New("the server does not know the perm key"))
	case "foreign":
		m.Foreign(now, errors.New("the perm key was made under an RSA key that is not in the table"))
	case "moved":
		m.Moved(now, w.dc())
	case "move-failed":
		m.MoveFailed(now, errors.New("the import was refused"))

	case "begin-sign-in":
		if err := m.BeginSignIn(now, w.has("bot")); err != nil {
			fmt.Fprintf(&p.buf, "  ! %v\n", err)
		}
	case "granted":
		m.SignInGranted(now)
	case "step":
		m.SignInStep(now, "", rest, time.Time{})
	case "sign-in-home":
		m.SignInHome(now, w.dc())
	case "signed-in":
		m.SignedInAs(now, 7, false, m.Home())
	case "sign-in-failed":
		m.SignInFailed(now, errors.New(rest))
	case "subject-wait": // method, subject, start, length
		m.RestoreWaits(now, []Wait{{
			Scope: ScopeSubject, Method: w[1], Subject: w[2], Start: now.Add(duration(w[3])), Length: duration(w[4]), Server: true,
		}})

	case "import-failed":
		m.ImportFailed(now)
	case "export":
		m.Export(now, Request(number()), strings.Join(w[2:], " "))
	case "take-back":
		m.TakeBack(now, Request(number()), w.value("beside"))
	case "rotate":
		m.Rotate(now, Request(number()))
	case "rotated":
		m.Rotated(now, uint32(number()), p.rotateError(strings.Join(w[2:], " ")))
	case "pause":
		m.Pause(now, Request(number()))
	case "resume":
		m.Resume(now, Request(number()), w.value("beside"))
	case "log-out":
		m.LogOut(now, Request(number()))
	case "restore-key":
		m.RestoreKey(now, Request(number()), w.value("beside"))
	case "remove":
		m.Remove(now, Request(number()), w.has("force"))
	case "clear-waits":
		m.ClearWaits(now, Request(number()), strings.Join(w[2:], ""))
	case "erased":
		m.Erased(now)
	case "quarantine":
		m.Quarantine(now, rest, "")
	default:
		return fmt.Errorf("no such command: %q", w)
	}
	return nil
}

// appConfig is an answer to help.getAppConfig: of somebody "frozen" or "free", or "broken".
func appConfig(of string) []byte {
	entries := map[string]float64{"authorization_autoconfirm_period": 604800}
	if of == "frozen" {
		entries["freeze_since_date"] = 1788264000
	}
	config := tl.AppendVectorHeader(tl.AppendUint32(nil, jsonObjectID), len(entries))
	for key, n := range entries {
		config = tl.AppendString(tl.AppendUint32(config, jsonObjectValueID), key)
		config = tl.AppendDouble(tl.AppendUint32(config, jsonNumberID), n)
	}
	body := (&tg.HelpAppConfig{Hash: 1, Config: config}).Append(nil)
	if of == "broken" {
		return body[:len(body)-4]
	}
	return body
}

// rotateError is how a rotation ends: nil for "", with a wait of a minute for
// "wait".
func (p *play) rotateError(s string) error {
	switch s {
	case "":
		return nil
	case "wait":
		return &WaitError{Method: "auth.bindTempAuthKey", Until: p.now.Add(time.Minute)}
	}
	return errors.New(s)
}

func (p *play) admit(c *Call) {
	switch err := p.m.Admit(p.now, c); err {
	case nil:
		fmt.Fprintln(&p.buf, "  sent")
	default:
		fmt.Fprintf(&p.buf, "  ! %v\n", err)
	}
}

// TestTranscripts plays the files in testdata. A line that begins with ">" is
// a command, what stands below it is what came out, "#" begins a comment.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newPlay()
			for i, line := range strings.Split(string(want), "\n") {
				switch {
				case line == "> ---": // another account
					fmt.Fprintln(&p.buf, line)
					old := p.buf.String()
					p = newPlay()
					p.buf.WriteString(old)
				case strings.HasPrefix(line, "> "):
					fmt.Fprintln(&p.buf, line)
					if err := p.run(line[2:]); err != nil {
						t.Fatalf("line %d: %v", i+1, err)
					}
				case strings.HasPrefix(line, "#") || line == "" && i > 0 && !strings.HasSuffix(p.buf.String(), "\n\n"):
					fmt.Fprintln(&p.buf, line)
				}
			}
			got := strings.TrimRight(p.buf.String(), "\n") + "\n"
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}
