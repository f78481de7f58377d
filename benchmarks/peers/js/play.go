package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

// orders is what one script is told, and one row of the table.
type orders struct {
	Client     string           `json:"-"`     // the script's name
	Login      string           `json:"login"` // bot, phone, 2fa, qr, or qr+2fa
	PFS        bool             `json:"pfs"`
	Transport  string           `json:"transport,omitempty"`
	Package    string           `json:"package,omitempty"` // another release of the client
	First      int              `json:"first"`             // the DC it tries first
	User       int64            `json:"user"`
	Password   string           `json:"password,omitempty"`
	HandOut    bool             `json:"hand_out,omitempty"` // its session is taken elsewhere; it ends without a logout
	Session    string           `json:"session,omitempty"`  // it goes on with this one
	Verbose    bool             `json:"verbose"`
	Descriptor serve.Descriptor `json:"descriptor"`
}

// password is the two-step password of who has one.
const password = "correct horse"

// home is where the user lives; who begins elsewhere is sent there.
const home = 2

func plays() []orders {
	return []orders{
		{Client: "mtcute", Login: "bot", First: home},
		{Client: "mtcute", Login: "phone", First: home},
		{Client: "mtcute", Login: "bot", PFS: true, First: home},
		{Client: "mtcute", Login: "phone", PFS: true, First: 1},
		{Client: "mtcute", Login: "2fa", First: 1},
		{Client: "mtcute", Login: "2fa", PFS: true, First: home},
		{Client: "mtcute", Login: "qr", First: home},
		{Client: "mtcute", Login: "qr", PFS: true, First: 1},
		{Client: "mtcute", Login: "qr+2fa", First: 1},
		{Client: "gramjs", Login: "bot", First: home},
		{Client: "gramjs", Login: "phone", First: 1, Transport: "obfuscated"},
		{Client: "gramjs", Login: "2fa", First: home},
		{Client: "gramjs", Login: "qr", First: home},
		{Client: "gramjs", Login: "qr", First: 1},
		{Client: "gramjs", Login: "qr+2fa", First: home},
		{Client: "gramjs", Login: "phone", First: home, Package: "gramjs-181", Transport: "abridged"},
		{Client: "gramjs", Login: "phone", First: home, Package: "gramjs-145"},
		{Client: "gramjs", Login: "phone", First: 1, Transport: "wss"},
		{Client: "gramjs", Login: "bot", First: home, Transport: "ws"},
		{Client: "mtcute", Login: "bot", First: home, HandOut: true},
		{Client: "mtcute", Login: "phone", PFS: true, First: home, HandOut: true},
		{Client: "gramjs", Login: "bot", First: home, HandOut: true},
		{Client: "gramjs", Login: "phone", First: home, HandOut: true},
		{Client: "mtprotocore", Login: "bot", First: home},
		{Client: "mtprotocore", Login: "phone", First: 1},
	}
}

func (o orders) keys() string {
	if o.PFS {
		return "temp"
	}
	return "perm"
}

func (o orders) String() string { return o.Client + " " + o.way() + " " + o.keys() }

// way is how it signs in, and where its session goes then.
func (o orders) way() string {
	switch {
	case o.HandOut:
		return o.Login + ", there and back"
	case o.web():
		return o.Login + ", by " + o.Transport
	}
	return o.Login
}

// web tells whether it connects by WebSocket.
func (o orders) web() bool { return o.Transport == "ws" || o.Transport == "wss" }

// outcome is what became of one script, by its own word and by the ledger.
type outcome struct {
	failure              string
	layer                []int
	refused, noted, info int
}

func (r outcome) layers() string { return strings.Trim(fmt.Sprint(r.layer), "[]") }

// steps are what every script reports, in order.
var steps = []string{"signed in", "call", "content", "update", "reconnected", "logged out", "done"}

func play(ctx context.Context, o orders, node, dir string, limit time.Duration, verbose bool) outcome {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := serve.Start(serve.Config{Persons: 3, Bots: 3, WebSockets: o.web()})
	if err != nil {
		return outcome{failure: err.Error()}
	}
	defer s.Close()
	l, err := control.Listen("127.0.0.1:0")
	if err != nil {
		return outcome{failure: err.Error()}
	}
	controlled := control.Serve(s, l)
	defer controlled.Close()
	o.Descriptor, o.Verbose = s.Descriptor(), verbose
	o.Descriptor.Control = "http://" + l.Addr().String()
	if o.User, err = who(o); err != nil {
		return outcome{failure: err.Error()}
	}
	if strings.HasSuffix(o.Login, "2fa") {
		if failed := s.API(func(b *api.Backend, _ time.Time) { err = b.SetPassword(o.User, password) }); err != nil || failed != nil {
			return outcome{failure: errors.Join(err, failed).Error()}
		}
		o.Password = password
	}
	r := outcome{}
	if o.HandOut {
		err = o.thereAndBack(ctx, s, node, dir)
	} else {
		_, err = o.run(ctx, node, dir, steps)
	}
	if err != nil {
		r.failure = err.Error()
	}
	r.judge(s, verbose)
	return r
}

// who picks somebody at home.
func who(o orders) (int64, error) {
	for _, p := range o.Descriptor.Phones {
		if o.Login != "bot" && p.DC == home {
			return p.UserID, nil
		}
	}
	for _, b := range o.Descriptor.Bots {
		if o.Login == "bot" && b.DC == home {
			return b.UserID, nil
		}
	}
	return 0, errors.New("nobody lives on the home DC")
}

// run starts the script and listens to it. It returns the session that it hands
// out.
func (o orders) run(ctx context.Context, node, dir string, want []string) (session string, err error) {
	args, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, node, o.Client+".mjs", string(args))
	c.Dir = dir
	if ca := o.Descriptor.WebSocketCA; ca != "" { // Node reads whom to trust when it starts
		file := filepath.Join(dir, fmt.Sprintf(".ca-%d.pem", os.Getpid()))
		if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
			return "", err
		}
		defer os.Remove(file)
		c.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+filepath.Base(file))
	}
	var log bytes.Buffer
	c.Stderr = &log
	if o.Verbose {
		c.Stderr = os.Stderr
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	done, session, told := o.listen(out)
	err = c.Wait()
	switch {
	case told != "":
		err = errors.New(told)
	case ctx.Err() != nil:
		err = fmt.Errorf("it took too long; it got as far as %q", last(done))
	case err != nil:
		err = fmt.Errorf("after %q: %v: %s", last(done), err, firstLine(log.String()))
	case !slices.Equal(done, want):
		err = fmt.Errorf("it did %q, not %q", done, want)
	}
	return session, err
}

// listen reads what the script says.
func (o orders) listen(out io.Reader) (done []string, session, failure string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said struct{ Step, Failed, Session string }
		switch {
		case json.Unmarshal(lines.Bytes(), &said) != nil: // a client that logs to standard output
			if o.Verbose {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
		case said.Failed != "":
			failure = said.Failed
		case said.Step != "":
			done = append(done, said.Step)
		case said.Session != "":
			session = said.Session
		}
	}
	return done, session, failure
}

// judge counts what the DCs wrote down.
func (r *outcome) judge(s *serve.Cluster, verbose bool) {
	list, total := s.Violations()
	n := s.Counts()
	r.refused, r.noted = n.Refused, n.Noted
	r.info = total - n.Refused - n.Noted
	r.layer = s.Ledger().Layers
	for _, v := range list {
		if verbose || v.Severity == dctest.SeverityRefused {
			fmt.Fprintf(os.Stderr, "  %v\n", v)
		}
	}
}

func last(list []string) string {
	if len(list) == 0 {
		return "start"
	}
	return list[len(list)-1]
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
