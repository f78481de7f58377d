package account

import (
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/signin"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// applicant is the account as its sign-in sees it.
type applicant struct {
	*account
	c *ctx
}

func (p applicant) Standing() *standing.Machine { return p.stand }

func (p applicant) Route() governor.Route { return p.way.Route }

func (p applicant) Config() login.Config { return p.loginConfig() }

func (p applicant) Granted(t *governor.Ticket) { p.self.Send(signInGranted{t}) }

func (p applicant) Ask(q standing.Call, query tl.Object, of signin.Question) standing.CallID {
	return p.ask(p.c, q, query, ownCall{step: of}).query.ID
}

func (p applicant) Withdraw(id standing.CallID) {
	if home := p.bindings.Home(); home != nil && home.Lost() {
		p.withdraw(p.c, 0, id)
	}
}

func (p applicant) Work(w login.Work, of signin.Question) {
	p.c.Go(func() Message { return loginWorked{of, w.Do()} })
}

func (p applicant) Save(rec persistence.Record) {
	p.store(p.c, journal.Work{Commit: persistence.Commit{Put: []persistence.Record{rec}}, Urgency: journal.Must}, loginWaits)
}

func (p applicant) Keep(rec persistence.Record) {
	p.store(p.c, journal.Work{Commit: persistence.Commit{Put: []persistence.Record{rec}}}, nobodyWaits)
}

func (p applicant) Look() {
	p.store(p.c, journal.Work{Kind: journal.Load, Account: persistence.FleetID}, subjectWaits)
}

func (p applicant) Shown(step *login.Step) {
	p.status.Step = step
	p.publish(p.c)
}

func (p applicant) Authorized(anew bool, place *tg.UpdatesState) {
	if anew {
		p.signedInAnew(p.c)
	}
	p.feed.Begin(place)
}

func (p applicant) Decided(output any) { p.decided(output) }
