package actors

import (
	"context"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/mtproto/peers"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// people is a Vector of n users, of the ids from first on.
func people(first, n int) tl.Raw {
	b := tl.AppendVectorHeader(nil, n)
	for id := range n {
		u := &tg.User{ID: int64(first + id), AccessHash: tl.Some(int64(1))}
		b = u.Append(b)
	}
	return b
}

// asked is a call of the account that was answered with who it is.
func (p *play) asked() *account.Call {
	p.t.Helper()
	query, err := encode(&tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}, ByMethod)
	if err != nil || !p.a.admission.try(len(query.body)) {
		p.t.Fatal("it is not let in: ", err)
	}
	answer := make(chan answered, 1)
	call, _, err := p.a.send(query, callOptions{}, answer, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.run(time.Second)
	if got := <-answer; got.err != nil {
		p.t.Fatal(got.err)
	}
	return call
}

// knows is how many the account has met.
func (p *play) knows() int {
	p.t.Helper()
	list, err := p.a.Peers(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}

func TestWhomResultsNameIsBoundedOnItsWay(t *testing.T) {
	p := newPlay(t)
	p.quiet = true
	p.begin()
	p.quiet = true
	call := p.asked()
	p.a.meet(call, people(1000, 3000))
	p.a.meet(call, people(5000, meetingMost-3000))
	if n := p.a.meeting.Load(); n != meetingMost {
		t.Errorf("%d are on their way, %d fit", n, meetingMost)
	}
	p.a.meet(call, people(9000, 1))
	if n := p.a.meeting.Load(); n != meetingMost {
		t.Errorf("with one more %d are on their way", n)
	}
	p.run(time.Second)
	if n, on := p.knows(), p.a.meeting.Load(); n != peers.Limit || on != 0 {
		t.Errorf("%d are met, and %d are on their way", n, on)
	}
	p.a.meet(call, people(20_000, peers.Limit+100)) // all of one result go when nobody is on the way
	p.run(time.Second)
	if _, err := p.a.Peer(context.Background(), peers.User, 20_000+peers.Limit-1); err != nil || p.a.meeting.Load() != 0 {
		t.Errorf("the last of as many as are kept: %v, %d on their way", err, p.a.meeting.Load())
	}
	p.a.meet(call, people(30_000, 1000))
	p.stop() // the actor is gone before it takes them
	p.run(time.Second)
	p.a.meet(call, people(40_000, 1000))
	if n := p.a.meeting.Load(); n != 0 {
		t.Errorf("%d are on their way to an account that has stopped", n)
	}
}

func TestWhomALargeResultNamesIsForWhoWaitsToRead(t *testing.T) {
	p := newPlay(t)
	p.quiet = true
	p.begin()
	p.quiet = true
	call, most := p.asked(), 0
	for len(people(1, most+1)) <= meetInActorMost {
		most++
	}
	p.a.meetInActor(call, people(1, most+1))
	if n := p.a.meeting.Load(); n != 0 {
		t.Errorf("an actor reads %d out of more than %d bytes", n, meetInActorMost)
	}
	p.a.meetInActor(call, people(1, most))
	p.a.meet(call, people(5000, most+1))
	if n := p.a.meeting.Load(); n != int64(2*most+1) {
		t.Errorf("%d are on their way, want %d", n, 2*most+1)
	}
}

// TestWhomAResultNamedToALoginThatIsOverIsNotMet: who asked may be slow to read it.
func TestWhomAResultNamedToALoginThatIsOverIsNotMet(t *testing.T) {
	p := newPlay(t)
	p.quiet = true
	bot := p.begin()
	p.quiet = true
	call := p.asked()
	if err := p.a.LogOut(context.Background()); err != nil {
		t.Fatal(err)
	}
	if step, err := p.a.SignIn(context.Background(), BotToken(bot.BotToken)); step != nil || err != nil {
		t.Fatalf("step %+v, error %v", step, err)
	}
	p.run(time.Second)
	before := p.knows()
	p.a.meet(call, people(1000, 10))
	p.run(time.Second)
	if n := p.knows(); n != before || p.a.meeting.Load() != 0 {
		t.Errorf("%d are met, %d were; %d on their way", n, before, p.a.meeting.Load())
	}
}
