package actors

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The transcripts in testdata are the walks of ARCHITECTURE.md: a change of what
// is said between the actors is a change of a transcript, and is read as one.

func TestTranscriptPhone(t *testing.T) {
	p := newPlay(t)
	p.about(
		"A person signs in by phone. The number belongs to DC 4, so the first DC says PHONE_MIGRATE_4: its binding is",
		"closed, one is opened on DC 4, and the same call is made there. The perm key is on disk before it could be",
		"authorized; the code's step is on disk before anybody is asked; the authorization is on disk, with the place",
		"of the updates, before anybody is told.")
	p.add()
	person := p.user(4, false)
	p.write("owner", "signs in by phone")
	step, err := p.a.SignIn(context.Background(), Phone(person.Phone))
	if err != nil || step == nil || step.Kind != StepCode {
		t.Fatalf("step %+v, error %v; want to be asked for the code", step, err)
	}
	p.write("owner", "is told: "+string(step.Kind)+", by "+step.How)
	p.run(5 * time.Second)
	p.write("owner", "answers the code")
	if step, err = p.a.Answer(context.Background(), Answer{Kind: AnswerCode, Code: p.api.Code(person.Phone)}); err != nil || step != nil {
		t.Fatalf("step %+v, error %v; want to be signed in", step, err)
	}
	p.write("owner", "is told: signed in")
	p.run(10 * time.Second)
	p.end(t, "phone")
}

func TestTranscriptBot(t *testing.T) {
	p := newPlay(t)
	p.about(
		"A bot signs in and makes its first calls. Two days later its temp key is replaced with calls under way, on a DC",
		"that was found to let both keys live: the successor is made and bound while the old connection's calls go on;",
		"what comes meanwhile is held for some 40 ms; an update pushed in between is not lost. No call fails.")
	u := p.bot()
	p.echo("a", 0)
	p.run(200 * time.Millisecond)
	p.echo("b", 500*time.Millisecond)
	p.run(10 * time.Second)
	p.quiet = true
	p.until(successorMakes) // this rotation finds out what the DC makes of the old key
	p.run(time.Minute)
	p.until(successorMakes)
	p.quiet = false
	p.note("The temp key is near its end. The binding has opened a successor, which makes the next one.")
	p.echo("of 2 s", 2*time.Second)
	p.echo("of 15 s", 15*time.Second)
	p.until(held)
	p.echo("held", 0)
	p.push(u.ID)
	p.run(time.Second)
	p.echo("after", 0)
	p.run(time.Minute)
	p.end(t, "bot_rotation")
}

// successorMakes hears a connection being asked for a temp key.
func successorMakes(what any) bool {
	m, ok := what.(dcconn.MakeKey)
	return ok && m.Temp
}

// held hears that calls are held.
func held(what any) bool {
	_, ok := what.(dcconn.Drain)
	return ok
}

func TestTranscriptTempKeyForgotten(t *testing.T) {
	p := newPlay(t)
	p.allowed[dctest.RuleKey] = true
	p.about(
		"The DC has forgotten the temp key and answers -404. That says nothing of the perm key: another temp key is made",
		"and bound, and the calls go again. The account is connecting meanwhile.")
	p.begin()
	p.note("The DC has forgotten the temp key. A call finds out.")
	p.fault(dctest.Fault{Kind: dctest.FaultForgetTemp})
	p.echo("1", 0)
	p.run(50 * time.Millisecond)
	p.echo("2", 0)
	p.run(10 * time.Second)
	p.end(t, "temp_key_forgotten")
}

func TestTranscriptRevocation(t *testing.T) {
	p := newPlay(t)
	p.about(
		"A 401 is doubted before it is believed: users.getUsers is asked on a second connection. The first time it is",
		"answered, and the login is alive. Then the owner ends the session from another device: the second connection",
		"gets a 401 too, and that is the proof. The perm key is moved aside, sealed.")
	u := p.begin()
	p.note("The DC refuses one call by mistake.")
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 1})
	p.echo("1", 0)
	p.run(10 * time.Second)
	p.note("Another device ends the session.")
	if err := p.api.Revoke(p.sim.Now(), u.ID); err != nil {
		t.Fatal(err)
	}
	p.echo("2", 0)
	p.run(200 * time.Millisecond)
	p.echo("3", 0)
	p.run(time.Minute)
	p.end(t, "revocation")
}

func TestTranscriptFloodWait(t *testing.T) {
	p := newPlay(t)
	p.about(
		"The server orders to wait 60 s with one method. The wait is on disk before the caller is told; other methods go",
		"on; the process ends and another begins, which obeys what is left of it without asking the server.")
	p.begin()
	p.fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Wait: dctest.Duration(time.Minute)})
	self := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	p.call("1", self)
	p.run(time.Second)
	p.call("2", self)
	p.echo("3", 0)
	p.run(time.Second)
	p.note("The manager is closed and opened again.")
	p.stop()
	p.open()
	p.call("4", self)
	p.run(10 * time.Second)
	p.call("5", self)
	p.run(time.Minute)
	p.note("The wait is over.")
	p.call("6", self)
	p.run(10 * time.Second)
	p.end(t, "flood_wait")
}

func TestTranscriptOtherDC(t *testing.T) {
	p := newPlay(t)
	p.about(
		"A call for DC 4 opens a guest there. Home exports the authorization, the guest imports it, and the call, which",
		"was held for that, goes. After five idle minutes the guest is closed; its keys stay on disk, and the next call",
		"needs neither keys nor export.")
	p.begin()
	p.echo("1", 0, OnDC(4))
	p.run(10 * time.Second)
	p.quiet = true
	p.run(6 * time.Minute)
	p.quiet = false
	p.note("Six minutes later the guest is closed. Another call opens it again.")
	p.echo("2", 0, OnDC(4))
	p.run(5 * time.Second)
	p.end(t, "other_dc")
}

func TestTranscriptMedia(t *testing.T) {
	p := newPlayOn(t, dctest.Config{Media: true})
	p.allowed[dctest.RuleKey] = true
	p.about(
		"A call for media. Nobody knows yet whether a bind cuts off the key that was bound before, so the first goes by the",
		"main connection, and a rotation of the main key finds it out: both live. So does the next, which opens the binding for media,",
		"which borrows the perm key, makes a temp key of its own at the DC's address for media and binds it. Nothing of",
		"it is stored.")
	p.begin()
	p.echo("1", 0, Media())
	p.run(5 * time.Second)
	p.note("Both keys live. What an earlier process may have left of keys for media is dropped first; the second call goes by the main one too.")
	p.echo("2", 0, Media())
	p.run(100 * time.Millisecond)
	p.echo("main", 0)
	p.run(5 * time.Second)
	p.note("The owner has the keys replaced: each slot rotates by itself, and an order names the live keys of both.")
	if err := p.wish("rotates", p.a.Rotate); err != nil {
		t.Fatal(err)
	}
	p.echo("3", 0, Media())
	p.run(5 * time.Second)
	p.note("The DC forgets the key for media. The call was not answered and may run twice; it goes by the main connection.")
	p.fault(dctest.Fault{Kind: dctest.FaultForgetTemp, Media: true})
	p.echo("4", 0, Media())
	p.run(5 * time.Second)
	p.end(t, "media")
}

func TestTranscriptLogOut(t *testing.T) {
	p := newPlay(t)
	p.about(
		"The owner logs out with a call under way. What the owner wants is on disk first, so that a restart goes on with it;",
		"auth.logOut ends the authorization; then the keys are deleted, and the owner is told. Nothing is left but the",
		"account's own record. The call, which might have gone again, may have run.")
	p.begin()
	p.echo("of 3 s", 3*time.Second)
	p.run(100 * time.Millisecond)
	if err := p.wish("logs out", p.a.LogOut); err != nil {
		t.Fatal(err)
	}
	p.echo("after", 0)
	p.run(10 * time.Second)
	if err := p.ends["of 3 s"]; !errors.Is(err, ErrMayHaveRun) || errors.Is(err, ErrNotSent) {
		t.Errorf("the call under way ended with %v", err)
	}
	if err := p.ends["after"]; !errors.Is(err, ErrNotSent) || errors.Is(err, ErrMayHaveRun) {
		t.Errorf("the call after ended with %v", err)
	}
	p.end(t, "log_out")
}

// push has the home DC push one update to a user.
func (p *play) push(user int64) {
	p.t.Helper()
	if _, err := p.net.core.PushUpdate(p.sim.Now(), user); err != nil {
		p.t.Fatal(err)
	}
	p.net.drain()
}

// TestArchitectureQuotesTranscripts: what ARCHITECTURE.md shows of a walk is in
// a transcript, some milliseconds sooner or later.
func TestArchitectureQuotesTranscripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("transcripts %v, error %v", files, err)
	}
	said := map[string]bool{}
	for _, file := range append(files, filepath.Join("..", "ARCHITECTURE.md")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		page, quoted := strings.HasSuffix(file, ".md"), false
		for line := range strings.Lines(string(text)) {
			switch {
			case !page:
				said[stamped.ReplaceAllString(line, "")] = true
			case strings.HasPrefix(line, "```"):
				quoted = !quoted
			case quoted && stamped.MatchString(line) && !said[stamped.ReplaceAllString(line, "")]:
				t.Errorf("no transcript says: %s", line)
			}
		}
	}
}

// stamped matches a line of a transcript.
var stamped = regexp.MustCompile(`^ *\d+\.\d{3}  `)
