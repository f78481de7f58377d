package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mtfleet/mtfleet/actors"
	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/persistence"
)

// What changes something is written into the audit log of the store, whoever carries it out, and what a role did not
// permit too. What a caller asked for in vain for want of a token is not: there is nobody to name.

// audited reports whether a request is for the log.
func (m *method) audited(request any) bool {
	if m.reads() {
		return false
	}
	if !proto.GetExtension(m.schema.Options(), mtfleetv1.E_Traffic).(bool) {
		return true
	}
	call, is := request.(CallRequest)
	return is && call.role() == mtfleetv1.Role_ROLE_ADMIN
}

// detailed is a request of which more matters than its account.
type detailed interface{ auditDetail() string }

func (r AnswerRequest) auditDetail() string { return string(r.Answer.Kind) }
func (r SignInRequest) auditDetail() string { return string(r.Flow) }
func (r CallRequest) auditDetail() string   { return r.Method }
func (r ExportRequest) auditDetail() string { return r.Format }
func (r ImportRequest) auditDetail() string { return r.Format }
func (r RemoveRequest) auditDetail() string { return word(r.Force, "force") }
func (r PasswordRequest) auditDetail() string {
	return strings.TrimSpace(word(r.New != "", "set") + word(r.Remove, " remove") + word(r.Email != nil, " e-mail"))
}
func (r TerminateRequest) auditDetail() string { return word(r.Others, "all others") }
func (r ClearWaitRequest) auditDetail() string { return r.Method }
func (r ConsumerRequest) auditDetail() string  { return r.Name }
func (r RetryRequest) auditDetail() string     { return r.Name }
func (r WishRequest) auditDetail() string      { return r.Wish + " " + r.Node }

func word(is bool, s string) string {
	if is {
		return s
	}
	return ""
}

// outcomeDenied is of what a role did not permit.
const outcomeDenied = "denied"

func auditEntry(who string, m *method, request any, outcome string) actors.AuditEntry {
	e := actors.AuditEntry{Who: who, What: fmt.Sprintf("%s/%s", m.schema.Parent().Name(), m.schema.Name()), Outcome: outcome}
	if n, ok := request.(named); ok {
		e.Account = n.account()
	}
	if d, ok := request.(detailed); ok {
		e.Detail = d.auditDetail()
	}
	return e
}

func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return string(KindOf(err))
}

// audit writes what was done. The manager tells by itself of a store that takes no entry; what was done is done.
func (l *Local) audit(ctx context.Context, m *method, request any, outcome string) {
	if l.Manager == nil || !m.audited(request) {
		return
	}
	who := callerOf(ctx).Name
	if who == "" {
		who = "the manager"
	}
	_ = l.Manager.Audit(ctx, auditEntry(who, m, request, outcome))
}

// denied is told by the guard of what a role did not permit.
func (l *Local) denied(ctx context.Context, m *method, request any) {
	l.audit(ctx, m, request, outcomeDenied)
}

const withoutManager = ", without a manager"

// uid is who this process is.
func uid() string { return fmt.Sprintf("uid %d", os.Getuid()) }

// AuditOwn writes what this process did itself with a store that no manager has, whose owner it is.
func AuditOwn(store persistence.Store, owner persistence.Owner, what, detail, outcome string) error {
	records, err := store.Load(persistence.AuditID)
	if err != nil {
		return err
	}
	all, err := persistence.DecodeAudit(records)
	if err != nil {
		return err
	}
	put, drop := persistence.AppendAudit(all, OwnEntry(what, detail, outcome))
	return store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{put}, Delete: drop})
}

// OwnEntry is the entry of what this process does itself with a store that no manager has.
func OwnEntry(what, detail, outcome string) persistence.AuditEntry {
	return persistence.AuditEntry{At: time.Now(), Who: uid() + withoutManager, What: what, Detail: detail, Outcome: outcome}
}

// AuditDenied writes into the audit log that the caller of a context was not permitted something beside the methods, as
// pages offer: what it was, and of which account, if of one. Nothing is written where the service keeps no log.
func AuditDenied(ctx context.Context, s Service, what, account string) {
	if l, ok := s.(*Local); ok && l.Manager != nil {
		_ = l.Manager.Audit(ctx, actors.AuditEntry{Who: callerOf(ctx).Name, What: what, Account: account, Outcome: outcomeDenied})
	}
}

// audit writes what a command did over a store that no manager runs, by the manager that it was done with.
func (d *Direct) audit(ctx context.Context, m *method, request any, err error) {
	if !m.audited(request) {
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.manager == nil {
		return // it did not come to that
	}
	_ = d.manager.Audit(ctx, auditEntry(cmp.Or(callerOf(ctx).Name, uid())+withoutManager, m, request, outcomeOf(err)))
}

// AuditRequest asks for the newest entries.
type AuditRequest struct {
	Limit   int    `json:"limit,omitempty"` // 0: 100
	Account string `json:"account,omitempty"`
	After   uint64 `json:"after,omitempty"`
}

// AuditList is entries of the audit log, oldest first.
type AuditList struct {
	Entries []AuditEntry `json:"entries"`
}

// AuditEntry is one thing that somebody did, or tried to.
type AuditEntry struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Detail  string    `json:"detail,omitempty"`
	Account string    `json:"account,omitempty"`
	Outcome string    `json:"outcome"`
	Before  string    `json:"before"`
	Hash    string    `json:"hash"`
}

// AuditVerdict tells whether the log is as it was written.
type AuditVerdict struct {
	Whole   bool   `json:"whole"`
	Why     string `json:"why,omitempty"`
	Entries int    `json:"entries"`
	First   uint64 `json:"first,omitempty"`
	Last    uint64 `json:"last,omitempty"`
	Head    string `json:"head,omitempty"`
}

// auditDefault is how many entries are told unless more are wanted.
const auditDefault = 100

func listAudit(all []persistence.AuditEntry, err error, r AuditRequest) (AuditList, error) {
	if err != nil {
		return AuditList{}, Wrap(err)
	}
	limit := r.Limit
	if limit <= 0 {
		limit = auditDefault
	}
	list := AuditList{Entries: []AuditEntry{}}
	for _, e := range slices.Backward(all) {
		if len(list.Entries) == limit || e.Seq <= r.After {
			break
		}
		if r.Account == "" || e.Account == r.Account {
			list.Entries = append(list.Entries, AuditEntry{e.Seq, e.At, e.Who, e.What, e.Detail, e.Account, e.Outcome, e.Before.String(), e.Hash.String()})
		}
	}
	slices.Reverse(list.Entries)
	return list, nil
}

// Audit carries out [Audit].
func (l *Local) Audit(_ context.Context, r AuditRequest) (AuditList, error) {
	all, err := l.Manager.AuditLog()
	return listAudit(all, err, r)
}

// Audit carries out [Audit]: it reads what the store has.
func (d *Direct) Audit(_ context.Context, r AuditRequest) (AuditList, error) {
	all, err := d.auditLog()
	return listAudit(all, err, r)
}

func (d *Direct) auditLog() ([]persistence.AuditEntry, error) {
	records, err := d.options.Store.Load(persistence.AuditID)
	if err != nil {
		return nil, err
	}
	return persistence.DecodeAudit(records)
}

func verdictOf(all []persistence.AuditEntry, err error) (AuditVerdict, error) {
	var corrupt *persistence.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return AuditVerdict{Why: actors.Words(err)}, nil
	case err != nil:
		return AuditVerdict{}, Wrap(err)
	}
	v := AuditVerdict{Whole: true, Entries: len(all)}
	if err := persistence.CheckAudit(all); err != nil {
		v.Whole, v.Why = false, err.Error()
	}
	if len(all) > 0 {
		last := all[len(all)-1]
		v.First, v.Last, v.Head = all[0].Seq, last.Seq, last.Hash.String()
	}
	return v, nil
}

// VerifyAudit carries out [VerifyAudit].
func (l *Local) VerifyAudit(context.Context, Empty) (AuditVerdict, error) {
	return verdictOf(l.Manager.AuditLog())
}

// VerifyAudit carries out [VerifyAudit]: it reads what the store has.
func (d *Direct) VerifyAudit(context.Context, Empty) (AuditVerdict, error) {
	return verdictOf(d.auditLog())
}
