package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// askAhead asks where the updates stand while calls are held: the question is
// sent before them, so that what was missed comes first.
func (a *account) askAhead(c *ctx) {
	switch a.stand.State() {
	case Connecting, Online, Frozen:
		a.feed.Sync(c.Now())
	}
}

// listener is the account as its feed sees it.
type listener struct {
	*account
	c *ctx
}

func (l listener) Ask(query tl.Object, q feed.Question) {
	l.ask(l.c, standing.Call{Purpose: standing.ForUpdates, Repeatable: true}, query, ownCall{question: q})
}

func (l listener) Keep(rec persistence.Record, now bool) {
	l.journal.Soon(l.c.Now(), rec)
	if now {
		l.journal.Hurry(l.c.Now())
	}
	l.runJournal(l.c)
}

func (l listener) Read(done func(now time.Time, records []persistence.Record, err error)) {
	l.journal.Add(job{
		Work: journal.Work{Kind: journal.Load, Account: l.id},
		For:  waiter{reply: func(records []persistence.Record, err error) { done(l.c.Now(), records, err) }},
	})
	l.runJournal(l.c)
}

func (l listener) Delivered(list []feed.Update) {
	l.env.Delivered(l.id, l.c.Now(), l.feed.Life(), list)
	for _, u := range list {
		if u.Notice != nil {
			l.env.Logger.Warn(u.Notice.String(), "account", l.id)
			l.stand.Suspect(l.c.Now(), u.Notice.Doubt())
		}
	}
}

func (l listener) Hole(h feed.Hole) {
	l.env.Missing(l.id, l.c.Now(), l.feed.Life(), h)
}

func (l listener) Self() (user int64, bot bool) {
	s := l.stand.Snapshot()
	return s.UserID, s.Bot
}

func (l listener) Durable() (on, held bool) { return l.env.Durable(l.id) }

func (l listener) Life() uint64 { return l.env.lives.Add(1) }

func (l listener) DCsChanged() {
	l.stand.ConfigChanged(l.c.Now())
	l.env.dcs.Expire()
	l.fetchConfig(l.c)
}

func (l listener) Decided(output any) { l.decided(output) }
