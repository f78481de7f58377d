package pfs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

// A stage play: a machine, its disk, its clock, and names for keys.
type play struct {
	t    testing.TB
	now  time.Time
	cfg  Config
	m    *Machine
	disk Snapshot
	keys map[string]*crypt.AuthKey
	buf  strings.Builder
}

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func newPlay(t testing.TB) *play {
	return &play{t: t, now: epoch, cfg: Config{PFS: true}, keys: make(map[string]*crypt.AuthKey)}
}

// key returns the key of a name, made from it.
func (p *play) key(name string) *crypt.AuthKey {
	if k := p.keys[name]; k != nil {
		return k
	}
	value := make([]byte, 256)
	copy(value, name)
	k, err := crypt.NewAuthKey(value)
	if err != nil {
		p.t.Fatal(err)
	}
	p.keys[name] = k
	return k
}

// commit does to the disk what an OutSave asks for.
func (p *play) commit(c Changes) {
	if c.DeletePerm {
		p.disk.Perm = nil
	}
	if c.PutPerm != nil {
		p.disk.Perm = c.PutPerm
	}
	temps := make(map[crypt.KeyID]TempKey)
	for _, t := range p.disk.Temps {
		temps[t.ID()] = t
	}
	for _, t := range c.PutTemps {
		temps[t.ID()] = t
	}
	for _, id := range c.DeleteTemps {
		delete(temps, id)
	}
	p.disk.Temps = nil
	for _, t := range temps {
		p.disk.Temps = append(p.disk.Temps, t)
	}
	sort.Slice(p.disk.Temps, func(i, j int) bool { return p.disk.Temps[i].ID() < p.disk.Temps[j].ID() })
}

// drain performs the outputs: prints them and keeps the disk.
func (p *play) drain() {
	for out, ok := p.m.Next(); ok; out, ok = p.m.Next() {
		if out.Durable() {
			p.commit(out.Changes)
		}
		fmt.Fprintf(&p.buf, "  %s\n", p.named(out.String()))
	}
}

// named puts the names of keys in place of their ids.
func (p *play) named(s string) string {
	for name, k := range p.keys {
		s = strings.ReplaceAll(s, k.ID().String(), name)
	}
	return s
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// run does one command.
func (p *play) run(line string) error {
	word := strings.Fields(line)
	arg := func(i int) string {
		if i < len(word) {
			return word[i]
		}
		return ""
	}
	if p.m == nil {
		return p.setUp(word, arg)
	}
	switch word[0] {
	case "start":
		p.m.Start(p.now)
	case "permitted":
		p.m.Permitted(p.now, p.kind(arg(1)))
	case "made":
		k := NewKey{Key: p.key(arg(2)), Salt: 7, Fingerprint: 99, TimeOffset: p.disk.TimeOffset}
		if kind := p.kind(arg(1)); kind == Perm {
			p.m.Made(p.now, kind, k)
		} else {
			k.ExpiresAt = p.now.Add(k.TimeOffset).Add(duration(arg(3)))
			p.m.Made(p.now, kind, k)
		}
	case "make-failed":
		p.m.MakeFailed(p.now, p.kind(arg(1)), errors.New("the handshake broke"))
	case "held":
		p.m.Held(p.now)
	case "bound":
		p.m.Bound(p.now, p.key(arg(1)).ID())
	case "bind-failed":
		p.m.BindFailed(p.now, p.key(arg(1)).ID(), bindError(arg(2)))
	case "unknown":
		p.m.Unknown(p.now, p.key(arg(1)).ID())
	case "unbound":
		p.m.Unbound(p.now, p.key(arg(1)).ID())
	case "retired":
		p.m.Retired(p.now, p.key(arg(1)).ID())
	case "dropped":
		p.m.Dropped(p.now)
	case "not-dropped":
		p.m.NotDropped(p.now)
	case "drop-refused":
		code, text := 401, arg(1)
		if strings.HasPrefix(text, "METHOD") {
			code = 400
		}
		p.m.DropEnded(p.now, tgerr.New(code, text))
	case "drop-wait":
		p.m.DropLater(p.now, p.now.Add(duration(arg(1))))
	case "sweep":
		p.m.Sweep(p.now)
	case "connected":
		p.m.Connected(p.now)
	case "rotate":
		p.m.Rotate(p.now)
	case "wait-cleared":
		p.m.WaitCleared(p.now, p.waits(word[1:]))
	case "ordered":
		p.m.Ordered(p.now, p.waits(word[1:]))
	case "learned":
		p.m.Learned(p.now, reading(arg(1)))
	case "probed":
		p.m.Probed(p.now, p.key(arg(1)).ID(), arg(2) == "answered")
	case "proof":
		switch arg(1) {
		case "answered":
			p.m.ProofAnswered(p.now)
		case "unknown":
			p.m.ProofUnknown(p.now, arg(2) == "others-too")
		case "failed":
			p.m.ProofFailed(p.now, errors.New("no connection"))
		default:
			return fmt.Errorf("no such proof: %q", line)
		}
	case "clock":
		p.m.Clock(p.now, p.disk.TimeOffset, arg(1) == "synced")
	case "forget":
		p.m.Forget(p.now)
	case "advance":
		p.now = p.now.Add(duration(arg(1)))
		p.m.Advance(p.now)
	case "advance-to-deadline":
		d := p.m.Deadline()
		if d.IsZero() {
			return errors.New("there is no deadline")
		}
		fmt.Fprintf(&p.buf, "  +%v\n", d.Sub(p.now))
		p.now = d
		p.m.Advance(p.now)
	case "crash":
		p.m = New(p.cfg, p.disk)
		p.m.Start(p.now)
	default:
		return fmt.Errorf("no such command: %q", line)
	}
	p.drain()
	fmt.Fprintf(&p.buf, "  (%s%s)\n", p.m.Stage(), p.serving())
	return nil
}

// setUp does the commands that come before the machine exists.
func (p *play) setUp(word []string, arg func(int) string) error {
	switch word[0] {
	case "no-pfs":
		p.cfg.PFS = false
	case "trial":
		p.cfg.Trial = true
	case "imported": // name
		p.disk.Perm = &PermKey{Key: p.key(arg(1)), Imported: true}
	case "temp-in-memory":
		p.cfg.TempInMemory = true
	case "life":
		p.cfg.TempLife = duration(arg(1))
	case "reading":
		p.cfg.Reading = reading(arg(1))
	case "bind-after":
		p.cfg.BindAfter = p.now.Add(duration(arg(1)))
	case "made-elsewhere":
		p.disk.Perm.Fingerprint = 0x5eed
		p.cfg.Known = func(fingerprint int64) bool { return fingerprint != 0x5eed }
	case "have-perm": // name, age, age of the last bind
		perm := &PermKey{Key: p.key(arg(1)), Created: p.now.Add(-duration(arg(2)))}
		if arg(3) != "" {
			perm.LastBound = p.now.Add(-duration(arg(3)))
		}
		p.disk.Perm = perm
	case "have-temp": // name, perm, rest of life, bound
		p.disk.Temps = append(p.disk.Temps, TempKey{
			Key: p.key(arg(1)), PermID: p.key(arg(2)).ID(), ExpiresAt: p.now.Add(duration(arg(3))), Bound: arg(4) == "bound",
		})
	case "start":
		p.m = New(p.cfg, p.disk)
		return p.run("start")
	default:
		return fmt.Errorf("no such command before start: %q", word)
	}
	return nil
}

// waits are those of "bind 90s drop 2h".
func (p *play) waits(word []string) (w Waits) {
	for i := 0; i+1 < len(word); i += 2 {
		until := p.now.Add(duration(word[i+1]))
		if word[i] == "bind" {
			w.Bind = until
		} else {
			w.Drop = until
		}
	}
	return w
}

func (p *play) serving() string {
	id, ok := p.m.Serving()
	if !ok {
		return ", nothing serves"
	}
	return p.named(", " + id.String() + " serves")
}

func (p *play) kind(s string) KeyKind {
	if s == "perm" {
		return Perm
	}
	return Temp
}

func reading(s string) Reading {
	return map[string]Reading{"both": ReadingBoth, "cut": ReadingCut}[s]
}

func bindError(s string) error {
	switch s {
	case "lost":
		return errors.New("the connection was lost")
	case "Timeout":
		return tgerr.New(-503, s)
	case "FLOOD_WAIT_90":
		return tgerr.New(420, s)
	}
	return tgerr.New(400, s)
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
			p := newPlay(t)
			for i, line := range strings.Split(string(want), "\n") {
				switch {
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
