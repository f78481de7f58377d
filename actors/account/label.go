package account

import (
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/persistence"
)

// onLabel writes labels. They are told when they are on disk.
func (a *account) onLabel(c *ctx, m Label) {
	if a.rec.Created.IsZero() { // it could not be read, and is not written over
		m.Reply.Send(persistence.Labels{}, &StateError{State: a.status.State, Why: a.status.Why})
		return
	}
	if err := a.stand.Removing(); err != nil {
		m.Reply.Send(persistence.Labels{}, err)
		return
	}
	was := a.rec.Labels
	labels, err := was.Change(m.Put, m.Remove)
	if err != nil || labels == was {
		m.Reply.Send(was, err)
		return
	}
	a.rec.Labels = labels // what else is written meanwhile has them too
	a.journal.Add(job{
		Work: journal.Work{Commit: persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, Urgency: journal.Once},
		For: waiter{reply: func(_ []persistence.Record, err error) {
			if err != nil {
				if a.rec.Labels == labels {
					a.rec.Labels = was
				}
				m.Reply.Send(was, err)
				return
			}
			a.env.Labelled(a.id, labels)
			m.Reply.Send(labels, nil)
		}},
	})
	a.runJournal(c)
}
