package control

import (
	"context"
	"errors"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// ImportRequest is a session, and the account that it is to be. It prints as the
// account.
type ImportRequest struct {
	ID     string             `json:"id"`
	NoPFS  bool               `json:"no_pfs,omitempty"`
	Labels persistence.Labels `json:"labels,omitzero"`
	// Proxy is how it connects, as of ProxyRequest.
	Proxy string `json:"proxy,omitempty"`

	// What foreign.Session has; Test and Bot are "yes", "no" or empty.
	Format string `json:"format"`
	DC     int    `json:"dc"`
	Test   string `json:"test,omitempty"`
	Addr   string `json:"addr,omitempty"`
	Key    []byte `json:"key"`
	UserID int64  `json:"user_id,omitempty"`
	Bot    string `json:"bot,omitempty"`
	APIID  int    `json:"api_id,omitempty"`
}

// NewImport makes the request of a session.
func NewImport(id string, s foreign.Session) ImportRequest {
	said := map[foreign.Tristate]string{foreign.Yes: "yes", foreign.No: "no"}
	return ImportRequest{
		ID: id, Format: string(s.Format), DC: s.DC, Test: said[s.Test], Addr: s.Addr, Key: s.Key[:],
		UserID: s.UserID, Bot: said[s.Bot], APIID: s.APIID,
	}
}

func (r ImportRequest) session() (foreign.Session, error) {
	said := map[string]foreign.Tristate{"yes": foreign.Yes, "no": foreign.No, "": foreign.Unknown}
	test, ok := said[r.Test]
	bot, known := said[r.Bot]
	s := foreign.Session{
		Format: foreign.Format(r.Format), DC: r.DC, Test: test, Addr: r.Addr, UserID: r.UserID, Bot: bot, APIID: r.APIID,
	}
	if len(r.Key) != len(s.Key) || !ok || !known || r.DC < 1 || r.UserID < 0 {
		return s, &Error{Kind: KindInvalid, Message: "this is no session: a key has 256 bytes, test and bot are yes, no or empty"}
	}
	copy(s.Key[:], r.Key)
	return s, nil
}

// String names the account alone.
func (r ImportRequest) String() string { return "import of " + r.ID }

// GoString is String.
func (r ImportRequest) GoString() string { return r.String() }

// ExportRequest names an account, and once more as Confirm, and a format.
type ExportRequest struct {
	ID      string `json:"id"`
	Confirm string `json:"confirm"`
	Format  string `json:"format"`
}

// HandedOut is a session that was handed out: whoever has it is the account. It
// prints as nothing.
type HandedOut struct {
	Account Account `json:"account"`
	Format  string  `json:"format"`
	Session []byte  `json:"session"`
}

// String names the account alone.
func (s HandedOut) String() string { return "session of " + s.Account.ID }

// GoString is String.
func (s HandedOut) GoString() string { return s.String() }

// Import carries out [Import].
func (l *Local) Import(ctx context.Context, r ImportRequest) (Account, error) {
	if err := l.full(); err != nil {
		return Account{}, err
	}
	s, err := r.session()
	if err != nil {
		return Account{}, err
	}
	defer s.Wipe()
	a, err := l.Manager.Import(ctx, r.ID, s, actors.AccountOptions{NoPFS: r.NoPFS, Labels: r.Labels, Proxy: r.Proxy})
	if err != nil {
		if a, there := l.Manager.Account(r.ID); there == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Account{}, l.late(a, err)
		}
		return Account{}, Wrap(err)
	}
	return show(a), nil
}

// Export carries out [Export].
func (l *Local) Export(ctx context.Context, r ExportRequest) (HandedOut, error) {
	if r.Confirm != r.ID {
		return HandedOut{}, &Error{Kind: KindInvalid, Message: "the account's name was not given twice: nothing was handed out"}
	}
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return HandedOut{}, err
	}
	text, err := a.Export(ctx, foreign.Format(r.Format))
	var state *actors.StateError
	switch {
	case errors.As(err, &state):
		return HandedOut{}, &Error{Kind: KindState, Err: err, Message: standsSo(a, state)}
	case err != nil:
		return HandedOut{}, l.fail(ctx, a, err)
	}
	return HandedOut{Account: show(a), Format: r.Format, Session: text}, nil
}

// TakeBack carries out [TakeBack].
func (l *Local) TakeBack(ctx context.Context, r AccountRequest) (Account, error) {
	a, err := l.account(ctx, r.ID)
	if err != nil {
		return Account{}, err
	}
	if err := a.TakeBack(ctx); err != nil {
		return Account{}, l.fail(ctx, a, err)
	}
	return show(a), nil
}

// Import carries out [Import].
func (d *Direct) Import(ctx context.Context, r ImportRequest) (Account, error) {
	has, n, err := d.has(r.ID)
	switch {
	case err != nil:
		return Account{}, err
	case !has && d.maxAccounts > 0 && n >= d.maxAccounts:
		return Account{}, tooMany(n)
	}
	l, done, err := d.open(ctx, r.ID, true)
	if err != nil {
		return Account{}, err
	}
	defer done()
	return l.Import(ctx, r)
}
