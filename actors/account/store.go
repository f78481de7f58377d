package account

// This file does what the journal has to do.

// store queues a job of the journal; it reports whether its fence let it pass.
func (a *account) store(c *ctx, q job) bool {
	passed := a.journal.add(q)
	a.runJournal(c)
	return passed
}

// runJournal begins what the journal has to do now.
func (a *account) runJournal(c *ctx) {
	if q, ok := a.journal.next(c.Now()); ok {
		disk := a.disk
		c.GoIO(func() Message {
			records, err := disk.do(q)
			return stored{records, err}
		})
	}
	a.arm(c, timerJournal, a.journal.deadline(), journalDue{})
}

// onStored goes on with whoever waited for the job under way.
func (a *account) onStored(c *ctx, m stored) {
	q, over := a.journal.ended(c.Now(), m.err)
	if m.err != nil && q.kind != jobLoad && q.reply == nil {
		a.env.StoreFailed(a.id, m.err)
	}
	a.runJournal(c)
	if !over {
		return
	}
	switch q.waits {
	case startWaits:
		a.onLoaded(c, m.records, m.err)
	case bindingWaits:
		a.onKeys(c, q, m.records, m.err)
	case standingWaits:
		a.saving, a.refusal = false, m.err
	case eraseWaits:
		a.onErased(c, q, m.err)
	case loginWaits:
		a.onLoginStored(c)
	case subjectWaits:
		a.onSubjectRead(c, m.records)
	case nobodyWaits:
		if q.reply != nil {
			q.reply(m.err)
		}
	}
}

// onErased goes on when records were deleted. An account whose removal the
// store refuses is what it was: it begins again with what is there.
func (a *account) onErased(c *ctx, q job, err error) {
	a.saving = false
	switch {
	case err != nil:
		for _, r := range a.requests {
			r.Send(struct{}{}, err)
		}
		a.requests, a.numbers = nil, nil
		a.load(c)
		return
	case q.all:
		a.env.Removed(a.id)
	}
	a.stand.Erased(c.Now())
}
