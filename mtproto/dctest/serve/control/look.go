package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

func (h *handler) descriptor(r *http.Request) (any, error) {
	d := h.cluster.Descriptor()
	if _, _, err := net.SplitHostPort(r.Host); err == nil {
		d.Control = "http://" + r.Host
	}
	// Lists are never null: a script need not look.
	d.DCs, d.PublicKeys = append([]serve.DCAddr{}, d.DCs...), append([]serve.RSAKey{}, d.PublicKeys...)
	d.Apps, d.Phones, d.Bots = append([]serve.AppID{}, d.Apps...), append([]serve.Phone{}, d.Phones...), append([]serve.Bot{}, d.Bots...)
	return d, params(r)
}

// copyLedger copies the ledger, one at a time: it may have millions of records.
func (h *handler) copyLedger() (l dctest.Ledger, free func()) {
	h.ledgers <- struct{}{}
	return h.cluster.Ledger(), func() { <-h.ledgers }
}

// ledgerLists names the lists of the ledger.
var ledgerLists = [...]string{"keys", "binds", "sessions", "echoes", "logins", "authorizations", "updates", "memberships"}

// ledgerTotals is how long each list is.
type ledgerTotals struct {
	Keys           int `json:"keys"`
	Binds          int `json:"binds"`
	Sessions       int `json:"sessions"`
	Echoes         int `json:"echoes"`
	Logins         int `json:"logins"`
	Authorizations int `json:"authorizations"`
	Updates        int `json:"updates"`
	Memberships    int `json:"memberships"`
}

// ledgerPage is the ledger with a page of each list, or of one. A list that was not asked for is absent.
type ledgerPage struct {
	Counts         dctest.Counts          `json:"counts"`
	Layers         []int                  `json:"layers"`
	From           int                    `json:"from"`
	Totals         ledgerTotals           `json:"totals"`
	Keys           []dctest.KeyRecord     `json:"keys,omitzero"`
	Binds          []dctest.BindRecord    `json:"binds,omitzero"`
	Sessions       []dctest.SessionRecord `json:"sessions,omitzero"`
	Echoes         []dctest.EchoRecord    `json:"echoes,omitzero"`
	Logins         []api.Login            `json:"logins,omitzero"`
	Authorizations []api.Authorization    `json:"authorizations,omitzero"`
	Updates        []api.UpdateRecord     `json:"updates,omitzero"`
	Memberships    []api.Membership       `json:"memberships,omitzero"`
}

func (h *handler) ledger(r *http.Request) (any, error) {
	if err := params(r, "list", "from", "limit"); err != nil {
		return nil, err
	}
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	list := r.URL.Query().Get("list")
	if list != "" && !slices.Contains(ledgerLists[:], list) {
		return nil, (&problem{Error: "there is no list " + list, Field: "list", Allowed: ledgerLists[:]}).asError()
	}
	l, free := h.copyLedger()
	defer free()
	out := ledgerPage{Counts: l.Counts, Layers: append([]int{}, l.Layers...), From: p.from, Totals: ledgerTotals{
		len(l.Keys), len(l.Binds), len(l.Sessions), len(l.Echoes), len(l.Logins), len(l.Authorizations), len(l.Updates), len(l.Memberships),
	}}
	want := func(name string) bool { return list == "" || list == name }
	if want("keys") {
		out.Keys = cut(l.Keys, p)
	}
	if want("binds") {
		out.Binds = cut(l.Binds, p)
	}
	if want("sessions") {
		out.Sessions = cut(l.Sessions, p)
	}
	if want("echoes") {
		out.Echoes = cut(l.Echoes, p)
	}
	if want("logins") {
		out.Logins = cut(l.Logins, p)
	}
	if want("authorizations") {
		out.Authorizations = cut(l.Authorizations, p)
	}
	if want("updates") {
		out.Updates = cut(l.Updates, p)
	}
	if want("memberships") {
		out.Memberships = cut(l.Memberships, p)
	}
	return out, nil
}

// verdictRequest is what a client has, for the ledger to be judged against.
type verdictRequest struct {
	Store     []dctest.StoreKey  `json:"store"`
	Delivered []dctest.Delivered `json:"delivered"`
	Before    time.Time          `json:"before"`
}

// verdictAnswer is the ledger's verdict. Judged names the lists that were judged: orphans need store, lost updates
// delivered.
type verdictAnswer struct {
	OK          bool                `json:"ok"`
	Judged      []string            `json:"judged"`
	Overlaps    []dctest.Overlap    `json:"overlaps"`
	Orphans     []dctest.Orphan     `json:"orphans"`
	LostUpdates []api.UpdateRecord  `json:"lost_updates"`
	Repeated    []dctest.EchoRecord `json:"repeated"`
	// JudgedUpdates is how many were looked for in what was delivered: without any, none is lost.
	JudgedUpdates int `json:"judged_updates"`
}

func (h *handler) verdict(r *http.Request) (any, error) {
	var q verdictRequest
	var given []string
	var err error
	if r.Method == http.MethodPost {
		if given, err = decode(r, &q); err != nil {
			return nil, err
		}
	} else if err := params(r); err != nil {
		return nil, err
	}
	if q.Before.IsZero() {
		q.Before = h.cluster.Descriptor().ServerTime
	}
	l, free := h.copyLedger()
	defer free()
	v := l.Verdict(q.Store, q.Delivered, q.Before)
	all := page{limit: maxLimit}
	out := verdictAnswer{
		Judged: []string{"overlaps", "repeated"}, Overlaps: cut(v.Overlaps, all), Orphans: []dctest.Orphan{},
		LostUpdates: []api.UpdateRecord{}, Repeated: cut(v.Repeated, all), JudgedUpdates: v.Judged,
	}
	if slices.Contains(given, "store") {
		out.Judged, out.Orphans = append(out.Judged, "orphans"), cut(v.Orphans, all)
	}
	if slices.Contains(given, "delivered") {
		out.Judged, out.LostUpdates = append(out.Judged, "lost_updates"), cut(v.LostUpdates, all)
	}
	out.OK = len(out.Overlaps)+len(out.Orphans)+len(out.LostUpdates) == 0
	return out, nil
}

// violation is one with what its rule says.
type violation struct {
	dctest.Violation
	Answer string `json:"answer,omitempty"` // what the client got, of a refused one
	Page   string `json:"page,omitempty"`   // where the rule is written
}

type violationsPage struct {
	Refused    int         `json:"refused"` // of all, whatever was asked for
	Noted      int         `json:"noted"`
	Info       int         `json:"info"`
	From       int         `json:"from"`
	Total      int         `json:"total"` // that fit what was asked for and are kept
	Violations []violation `json:"violations"`
}

func (h *handler) violations(r *http.Request) (any, error) {
	if err := params(r, "severity", "rule", "from", "limit"); err != nil {
		return nil, err
	}
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	severity, rule := dctest.Severity(r.URL.Query().Get("severity")), dctest.Rule(r.URL.Query().Get("rule"))
	severities := []dctest.Severity{"", dctest.SeverityRefused, dctest.SeverityNoted, dctest.SeverityInfo}
	if !slices.Contains(severities, severity) {
		return nil, (&problem{Error: "there is no such severity", Field: "severity", Allowed: []string{"refused", "noted", "info"}}).asError()
	}
	if rule != "" && rule.Severity() == "" {
		return nil, bad("rule", "there is no rule %s", rule)
	}
	list, total := h.cluster.Violations()
	n := h.cluster.Counts()
	out := violationsPage{Refused: n.Refused, Noted: n.Noted, Info: total - n.Refused - n.Noted, From: p.from}
	list = slices.DeleteFunc(list, func(v dctest.Violation) bool {
		return severity != "" && v.Severity != severity || rule != "" && v.Rule != rule
	})
	out.Total, out.Violations = len(list), []violation{}
	for _, v := range cut(list, p) {
		told := violation{Violation: v, Page: v.Rule.Page()}
		if v.Severity == dctest.SeverityRefused {
			told.Answer = v.Rule.Answer()
		}
		out.Violations = append(out.Violations, told)
	}
	return out, nil
}

// codesPage is codes from a number on. Next is the from of the next question.
type codesPage struct {
	Next  int            `json:"next"`
	Codes []api.SentCode `json:"codes"`
}

// maxWait bounds how long a request waits for news.
const maxWait = time.Minute

// waiting is the context of a question that waits for news, as long as its parameter wait says.
func (h *handler) waiting(r *http.Request) (ctx context.Context, done func(), err error) {
	wait, free := time.Duration(0), func() {}
	if text := r.URL.Query().Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > maxWait {
			return nil, nil, bad("wait", `wait is a duration up to %s, such as "10s"`, maxWait)
		}
	}
	if wait > 0 {
		select {
		case h.waits <- struct{}{}:
			free = func() { <-h.waits }
		default:
			return nil, nil, (&problem{Error: fmt.Sprintf("%d requests wait already", maxWaits), Field: "wait", status: http.StatusServiceUnavailable}).asError()
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	go func() { // a waiting question ends with the server
		select {
		case <-h.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); free() }, nil
}

func (h *handler) codes(r *http.Request) (any, error) {
	if err := params(r, "phone", "email", "from", "limit", "wait"); err != nil {
		return nil, err
	}
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	ctx, done, err := h.waiting(r)
	if err != nil {
		return nil, err
	}
	defer done()
	q := r.URL.Query()
	phone, email := strings.TrimLeft(q.Get("phone"), "+ "), q.Get("email")
	out := codesPage{Next: p.from, Codes: []api.SentCode{}}
	for {
		list, total := h.cluster.CodesFrom(ctx, out.Next)
		at := total - len(list) // the number of the first
		for i, c := range list {
			out.Next = at + i + 1
			if (phone == "" || c.Phone == phone) && (email == "" || c.Email == email) {
				if out.Codes = append(out.Codes, c); len(out.Codes) == p.limit {
					return out, nil
				}
			}
		}
		if len(out.Codes) > 0 || len(list) == 0 || ctx.Err() != nil {
			return out, nil
		}
	}
}

func (h *handler) methods(r *http.Request) (any, error) {
	if err := params(r, "name"); err != nil {
		return nil, err
	}
	list, err := h.served()
	if err != nil {
		return nil, err
	}
	if name := r.URL.Query().Get("name"); name != "" {
		i := slices.IndexFunc(list, func(m api.ServedMethod) bool { return m.Name == name })
		if i < 0 {
			return nil, bad("name", "no method %s is answered; GET /methods lists them", name)
		}
		list = list[i : i+1]
	}
	for i := range list {
		list[i].Errors = append([]api.Error{}, list[i].Errors...)
	}
	return struct {
		Methods []api.ServedMethod `json:"methods"`
	}{list}, nil
}

// served lists the methods of the API half.
func (h *handler) served() (list []api.ServedMethod, err error) {
	gone := h.cluster.API(func(b *api.Backend, _ time.Time) { list, err = b.ServedMethods() })
	if gone != nil {
		return nil, gone
	}
	return list, err
}
