package digest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/standing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata; read the diff before committing it")

var epoch = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// play runs a script. Its commands, each after "> ":
//
//	SECONDS [NAME|NAME1..NAMEn] STATE [dc=N] [step=S] [spread=SECONDS] [why...]
//	SECONDS NAME1..NAMEn removed
//	SECONDS                          nothing but the passing of time
//	SECONDS flush
//	SECONDS silent DC SECONDS        since then
//	SECONDS answers DC
//
// Below a command stand the lines that were told by then. Debug lines are
// counted.
type play struct {
	d     *Digest
	out   []string
	debug int
}

func (p *play) drain() {
	for l, ok := p.d.Next(); ok; l, ok = p.d.Next() {
		if l.Level == Debug {
			p.debug++
			continue
		}
		level := map[Level]string{Info: "info", Warn: "warn"}[l.Level]
		at := fmt.Sprintf("  %7.1f %s  ", p.d.now.Sub(epoch).Seconds(), level)
		if l.Account == "" {
			at += fmt.Sprintf("[%d of %d, %d away] ", l.Count, l.Of, l.Away)
		}
		p.out = append(p.out, at+l.Text)
	}
}

// to lets time pass, and does what is due on the way.
func (p *play) to(at time.Time) {
	for {
		next := p.d.Deadline()
		if next.IsZero() || next.After(at) {
			break
		}
		p.d.Advance(next)
		if again := p.d.Deadline(); again.Equal(next) {
			panic("a deadline does not pass")
		}
		p.drain()
	}
}

func names(s string) (list []string) {
	from, to, many := strings.Cut(s, "..")
	if !many {
		return []string{s}
	}
	i := strings.IndexAny(from, "0123456789")
	j := strings.IndexAny(to, "0123456789")
	first, _ := strconv.Atoi(from[i:])
	last, _ := strconv.Atoi(to[j:])
	for n := first; n <= last; n++ {
		list = append(list, fmt.Sprintf("%s%d", from[:i], n))
	}
	return list
}

func (p *play) command(line string) error {
	words := strings.Fields(line)
	seconds, err := strconv.ParseFloat(words[0], 64)
	if err != nil {
		return err
	}
	at := epoch.Add(time.Duration(seconds * float64(time.Second)))
	if len(words) > 2 && (words[1] == "silent" || words[1] == "answers") {
		return p.dc(at, words[1:])
	}
	if len(words) < 3 {
		p.to(at)
		if len(words) == 2 && words[1] == "flush" {
			p.d.Flush(at)
			p.drain()
		}
		return nil
	}
	a := Account{DC: 2, SignedIn: true}
	var spread time.Duration
	var why []string
	for _, w := range words[3:] {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case ok && name == "dc":
			a.DC, err = strconv.Atoi(value)
		case ok && name == "step":
			a.Step = value
		case ok && name == "spread":
			var f float64
			f, err = strconv.ParseFloat(value, 64)
			spread = time.Duration(f * float64(time.Second))
		default:
			why = append(why, w)
		}
		if err != nil {
			return err
		}
	}
	a.Why = strings.Join(why, " ")
	if words[2] != "removed" {
		if err := a.State.UnmarshalText([]byte(words[2])); err != nil {
			return err
		}
	}
	switch a.State {
	case standing.New, standing.SigningIn, standing.SignedOut, standing.Revoked:
		a.SignedIn = false
	case standing.Waiting:
		a.Until = epoch.Add(time.Hour)
	}
	all := names(words[1])
	for i, id := range all {
		now := at.Add(spread * time.Duration(i) / time.Duration(len(all)))
		p.to(now)
		if words[2] == "removed" {
			p.d.Forget(now, id)
		} else {
			p.d.Status(now, id, a)
		}
		p.drain()
	}
	return nil
}

// dc says of a DC that it is silent, or answers.
func (p *play) dc(at time.Time, words []string) error {
	p.to(at)
	number, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	if words[0] == "answers" {
		p.d.Answers(at, number)
	} else {
		since, err := strconv.ParseFloat(words[2], 64)
		if err != nil {
			return err
		}
		p.d.Silent(at, number, epoch.Add(time.Duration(since*float64(time.Second))))
	}
	p.drain()
	return nil
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &play{d: New()}
			want := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
			var got []string
			for _, line := range want {
				cmd, ok := strings.CutPrefix(line, "> ")
				if !ok {
					if !strings.HasPrefix(line, "  ") {
						got = append(got, line)
					}
					continue
				}
				got = append(got, line)
				if err := p.command(cmd); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if p.debug > 0 {
					got = append(got, fmt.Sprintf("          and %d debug lines", p.debug))
				}
				got = append(got, p.out...)
				p.out, p.debug = nil, 0
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutagesAreOfThoseWhoAreAway(t *testing.T) {
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	var all []Account
	add := func(n int, a Account) {
		for range n {
			all = append(all, a)
		}
	}
	add(6, Account{State: standing.Connecting, SignedIn: true, DC: 4, Since: at(9), Why: "DC 4 cannot be reached"})
	add(1, Account{State: standing.Connecting, SignedIn: true, DC: 2, Since: at(-9999), Why: "something old"})
	add(300, Account{State: standing.Connecting, SignedIn: true, DC: 2, Since: at(10), Why: lostWords + "no pong for 5.0s"})
	add(49, Account{State: standing.Connecting, SignedIn: true, DC: 2, Since: at(12), Why: "connection reset by peer"})
	add(100, Account{State: standing.Online, SignedIn: true, DC: 2})
	add(5, Account{State: standing.Connecting, SignedIn: true, DC: 1, Why: "few"})
	add(9, Account{State: standing.Paused, SignedIn: true, DC: 3})
	add(20, Account{State: standing.Connecting, DC: 3}) // of a sign-in
	want := []Outage{
		{DC: 2, Accounts: 350, Of: 470, Since: at(10), Why: "no pong for 5.0s"},
		{DC: 4, Accounts: 6, Of: 470, Since: at(9), Why: "DC 4 cannot be reached"},
	}
	if diff := cmp.Diff(want, Outages(all)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Outages(all[:6]); len(got) != 1 || got[0].DC != 4 {
		t.Errorf("all of them: %+v", got)
	}
}

// However many accounts change, and however long it lasts, what is kept beside
// the accounts themselves does not grow.
func TestWhatIsKeptIsBounded(t *testing.T) {
	d, now := New(), epoch
	for round := range 50 {
		for i := range 2000 {
			s := standing.Online
			if round%2 == 0 {
				s = standing.Connecting
			}
			now = now.Add(10 * time.Millisecond)
			if next := d.Deadline(); reached(now, next) {
				d.Advance(now)
			}
			why := fmt.Sprintf("%c%c", 'a'+i%26, 'a'+i/26%26)
			d.Status(now, fmt.Sprint(i), Account{State: s, SignedIn: true, DC: i % 3, Why: why})
			for _, ok := d.Next(); ok; _, ok = d.Next() {
			}
		}
	}
	if len(d.entries) != 2000 || len(d.dcs) != 3 || d.out != nil {
		t.Errorf("%d entries, %d DCs, %d lines", len(d.entries), len(d.dcs), len(d.out))
	}
	for _, w := range d.dcs {
		if len(w.held) > 2*alone || len(w.starts.lines) > alone || len(w.why.n) > reasonsMost {
			t.Errorf("DC %d holds %d losses, %d starts, %d reasons", w.dc, len(w.held), len(w.starts.lines), len(w.why.n))
		}
	}
	for i := range 2000 {
		d.Forget(now, fmt.Sprint(i))
	}
	d.Flush(now)
	if len(d.entries) != 0 || d.signedIn != 0 || !d.Deadline().IsZero() {
		t.Errorf("%d entries, %d signed in, deadline %v", len(d.entries), d.signedIn, d.Deadline())
	}
	for _, w := range d.dcs {
		if w.away != 0 || w.early != 0 {
			t.Errorf("DC %d: %d away, %d early", w.dc, w.away, w.early)
		}
	}
}
