package account

import (
	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/mtproto/security"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/mtproto/updates"
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

func (l listener) Update(u feed.Update) {
	l.env.Publish(Event{
		Account: string(l.id), At: l.c.Now(), Kind: EventUpdate,
		Update: u.Raw, Users: u.Users, Chats: u.Chats, Pts: u.Pts, Qts: u.Qts,
	})
}

func (l listener) Hole(from, to updates.State) {
	l.env.Publish(Event{Account: string(l.id), At: l.c.Now(), Kind: EventHole, From: place(from), To: place(to)})
}

func (l listener) Notice(n security.Notice) {
	l.env.Logger.Warn(n.String(), "account", l.id)
	l.env.Publish(Event{Account: string(l.id), At: l.c.Now(), Kind: EventNotice, Notice: &n})
	l.stand.Suspect(l.c.Now(), n.Doubt())
}

func (l listener) DCsChanged() {
	l.env.dcs.Expire()
	l.fetchConfig(l.c)
}

func (l listener) Decided(output any) { l.decided(output) }
