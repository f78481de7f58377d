package binding

import (
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
)

// permit is the governor's leave to make a key, asked for or held. The zero
// permit is neither.
type permit struct {
	governor runtime.Ref[governor.Message]
	ticket   *governor.Ticket
}

// ask asks for the permit the machine wants, unless that was done already.
func (b *binding) ask(c *runtime.Context[Message]) {
	if !b.asked || b.permit.ticket != nil {
		return
	}
	self := c.Self()
	t := &governor.Ticket{Kind: governor.MakeKey, DC: b.cfg.DC, Active: true}
	t.Granted = func() { self.Send(permitted{t}) }
	b.permit = permit{governor: b.cfg.Governor, ticket: t}
	b.cfg.Governor.Send(governor.Want{Ticket: t})
}

// giveBack withdraws a wish or ends the use of a permit.
func (p *permit) giveBack() {
	if p.ticket != nil {
		p.governor.Send(governor.Done{Ticket: p.ticket, Outcome: governor.Unknown})
		p.ticket = nil
	}
}

// permitted is the governor's answer.
type permitted struct{ ticket *governor.Ticket }

func (permitted) bindingMessage() {}
