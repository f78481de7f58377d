package binding

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file asks one question on a connection of its own: of the account, beside
// the serving connection, or of the machine of the keys, under the perm key.

const (
	// askLimit bounds how long such a question waits for its answer, reconnects
	// included.
	askLimit = 30 * time.Second
	// maxAsks bounds the account's questions that wait: it asks one at a time.
	maxAsks = 8
)

// question is one that the account has asked.
type question struct {
	call  Call
	child *child // the confirmer; nil while it waits for a key
}

var errNoAnswer = errors.New("no answer came within 30 s")

// askEnded is how a question ended; overdue ones end with errNoAnswer.
type askEnded struct {
	child *child
	body  []byte
	err   error
}

func (askEnded) bindingMessage() {}

// noAnswer is the error of a question that nobody answered in time.
func noAnswer() error { return &QueryError{Reason: errNoAnswer, Fate: ErrMayHaveRun} }

func (b *binding) onConfirm(call Call) {
	if len(b.asks) >= maxAsks {
		call.end(&BusyError{Limit: maxAsks})
		return
	}
	b.asks = append(b.asks, &question{call: call})
}

// nextAsk puts the first question, once there is a key to ask it under.
func (b *binding) nextAsk(c *ctx) {
	if len(b.asks) == 0 || b.asks[0].child != nil || b.flow == flowHeld || b.using == nil || !b.serves() {
		return
	}
	q, ch := b.asks[0], b.open(c, placeConfirmer)
	q.child = ch
	b.run(c, ch, b.using, nil)
	b.ask(c, ch, q.call, func(body []byte, err error) Message { return askEnded{ch, body, err} })
	c.After(timerAsk, askLimit, askEnded{ch, nil, noAnswer()})
}

// ask sends a query on a connection of its own; ended makes the message that
// brings the answer.
func (b *binding) ask(c *ctx, ch *child, q Call, ended func([]byte, error) Message) {
	self := c.Self()
	b.say(ch, dcconn.Call{
		ID: q.ID, Method: q.Method, Body: q.Body, Policy: q.Policy,
		Reply: func(body []byte, err error) { self.Send(ended(body, err)) },
	})
}

func (b *binding) onAskEnded(c *ctx, m askEnded) { b.endAsk(c, m.child, m.body, m.err) }

// endAsk ends the question that a confirmer was made for.
func (b *binding) endAsk(c *ctx, ch *child, body []byte, err error) {
	if len(b.asks) == 0 || b.asks[0].child != ch {
		return
	}
	q := b.asks[0]
	b.asks = b.asks[1:]
	c.Cancel(timerAsk)
	on := Where{DC: b.cfg.ID.DC, Home: b.cfg.Home, Key: ch.key, Temp: ch.temp}
	b.move(ch, placeGone)
	q.call.Reply(body, err, on)
}

// closeAsk closes the confirmer of a key that is not to be used any more; its
// question is put again under the next.
func (b *binding) closeAsk(c *ctx) {
	if len(b.asks) > 0 && b.asks[0].child != nil {
		b.move(b.asks[0].child, placeGone)
		b.asks[0].child = nil
		c.Cancel(timerAsk)
	}
}

// What the proof of a perm key says to the actor.
type (
	// proofEnded is how its question ended.
	proofEnded struct {
		child *child
		err   error
	}
	// doubted is what the governor knows of others' perm keys.
	doubted struct {
		child  *child
		others bool
	}
)

func (proofEnded) bindingMessage() {}
func (doubted) bindingMessage()    {}

// prove asks under the perm key itself whether the server knows it. Any
// answer, a refusal too, says yes.
func (b *binding) prove(c *ctx, perm *pfs.PermKey) {
	if b.health != healthy {
		b.keys.ProofFailed(c.Now(), errNoConnection)
		return
	}
	ch := b.open(c, placeProver)
	b.proof = ch
	b.run(c, ch, &inUse{perm.Key, perm.Salt, false}, nil)
	query := &tg.HelpGetNearestDCRequest{}
	q := Call{ID: b.query(), Method: query.TypeName(), Body: query.Append(nil), Policy: Repeatable}
	b.ask(c, ch, q, func(_ []byte, err error) Message { return proofEnded{ch, err} })
	c.After(timerProof, askLimit, proofEnded{ch, noAnswer()})
}

func (b *binding) onProofEnded(c *ctx, m proofEnded) {
	if m.child != b.proof || m.child.place != placeProver {
		return
	}
	c.Cancel(timerProof)
	b.proof = nil
	b.move(m.child, placeGone)
	if _, refused := tgerr.As(m.err); m.err == nil || refused {
		b.doubted = time.Time{}
		b.keys.ProofAnswered(c.Now())
	} else {
		b.keys.ProofFailed(c.Now(), m.err)
	}
}

// onProofUnknown hears of a -404 under the perm key. What it is worth depends
// on what the DC says to other accounts, which the governor knows.
func (b *binding) onProofUnknown(c *ctx, ch *child) {
	c.Cancel(timerProof)
	b.move(ch, placeGone)
	self, at := c.Self(), int(b.cfg.ID.DC)
	if b.doubted.IsZero() {
		b.doubted = c.Now()
	}
	b.env.Governor.Send(governor.KeyUnknown{DC: at, Route: b.cfg.Way.Route, Who: b.who})
	b.env.Governor.Send(governor.Doubt{DC: at, Route: b.cfg.Way.Route, Who: b.who, Since: b.doubted, Reply: func(others bool) { self.Send(doubted{ch, others}) }})
}

func (b *binding) onDoubted(now time.Time, m doubted) {
	if m.child != b.proof {
		return
	}
	if b.env.Trace != nil {
		b.env.Trace(m.child, Others{m.others})
	}
	b.proof = nil
	b.keys.ProofUnknown(now, m.others)
	if b.keys.Stage() != pfs.StageGone {
		b.unreachable(fmt.Sprintf("%v says that it does not know the perm key; it is asked again before that is believed", b.cfg.ID.DC))
	}
}
