package actors

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// This file takes in sessions that other programs made. A session is a perm key
// that is signed in: it has one holder at a time, for the server ends an
// authorization that it sees in two places.

// CheckSession tells whether a session can be one of accounts of a DC table: a
// key is never shown to servers of another world than its own. It fails with a
// *SignInError.
func CheckSession(table dc.Table, s foreign.Session) error {
	refuse := func(reason SignInReason, format string, args ...any) error {
		return &SignInError{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	telegrams, production := environment(table)
	switch world := foreign.OfTestServers(s.Addr); {
	case s.Test == foreign.Yes && production:
		return refuse(SignInSession, "this session is of Telegram's test servers, and the DC table is of production")
	case s.Test == foreign.No && telegrams && table.Test:
		return refuse(SignInSession, "this session is of Telegram's production servers, and the DC table is of its test servers")
	case world == foreign.No && !production, world == foreign.Yes && (!telegrams || production):
		return refuse(SignInSession, "this session is of servers of Telegram, at %s, and the DC table is of others", s.Addr)
	case local(s.Addr) && telegrams:
		return refuse(SignInSession, "this session is of a server at %s, and the DC table is Telegram's", s.Addr)
	case !table.Has(dc.ID(s.DC)):
		return refuse(SignInMigrate, "this session is of DC %d, which is not in the DC table", s.DC)
	}
	return nil
}

// environment says whether a DC table has keys of Telegram's, and of its
// production servers.
func environment(table dc.Table) (telegrams, production bool) {
	for _, id := range fingerprints(table) {
		telegrams = telegrams || dc.IsTelegramFingerprint(id)
		production = production || dc.IsProductionFingerprint(id)
	}
	return telegrams, production
}

// fingerprints are of the RSA keys that a DC table has, at least one.
func fingerprints(table dc.Table) (all []int64) {
	for _, text := range table.Keys {
		keys, _ := crypt.ParsePublicKeys([]byte(text)) // the options were checked
		for _, key := range keys {
			all = append(all, key.Fingerprint())
		}
	}
	return all
}

// local reports whether an address is on this machine or in a private network, where
// no server of Telegram is.
func local(addr string) bool {
	at, err := netip.ParseAddrPort(addr)
	return err == nil && (at.Addr().IsLoopback() || at.Addr().IsPrivate())
}

// Import makes an account of a session that another program made, and waits until
// the server has said whose it is. That program must not run any more, and never
// again with this session: the server ends an authorization that it sees in two
// places.
//
// The account goes on under the operator's own api_id; Status.Origin says which
// one the session had, whose users are shown another app from now on. Keys that
// the session has for other DCs are left: the authorization is carried there
// again. Updates count from now.
//
// The perm key is on disk before it is used, together with what is to be done with
// it: a process that dies goes on when it is started again. An import that comes
// to nothing leaves no account and no key behind, and ends nothing at the server.
// When ctx ends first the import goes on; Remove cancels it.
//
// It is refused, with a *SignInError, for a key that the store has, in any
// account, in use or retired; for a user that another account is; for a DC or
// servers that the DC table does not have; and for what the server says of it.
func (m *Manager) Import(ctx context.Context, id string, s foreign.Session, o AccountOptions) (*Account, error) {
	if err := CheckSession(m.opts.DCs, s); err != nil {
		return nil, err
	}
	proxy, err := m.opts.proxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	o.Proxy = string(proxy)
	if other := m.claimedElsewhere(ctx, Claim{User: s.UserID}, id); other != "" {
		return nil, own(login.AlreadyHere(other))
	}
	m.importing.Lock()
	a, err := m.add(id, o.Labels, func() ([]persistence.Record, error) {
		if err := m.unknownSession(s); err != nil {
			return nil, err
		}
		return m.imported(persistence.AccountID(id), s, o)
	})
	m.importing.Unlock()
	if err != nil {
		return nil, err
	}
	m.log.Info("audit: a session is being taken in", "account", a.id, "format", string(s.Format), "dc", s.DC)
	a.asked.Add(1)
	defer a.asked.Add(-1)
	asks, err := runtime.AskUntil(ctx, m.fleet, a.lost.Done(), func(r runtime.Reply[*login.Step]) fleetMsg { return startImport{a, r} })
	step, err := stepOf(asks), own(err)
	for err == nil && step != nil { // the server ordered a wait
		step, err = a.NextStep(ctx, step)
	}
	if m.node != nil && (errors.Is(err, runtime.ErrStopped) || errors.Is(err, account.ErrStopped) || errors.As(err, new(*ElsewhereError))) {
		err = a.mayBeDone() // it goes on at another node
	}
	if err != nil {
		return nil, err
	}
	m.log.Info("audit: a session was taken in", "account", a.id, "format", string(s.Format), "user", a.Status().UserID)
	return a, nil
}

// imported is what an account begins with whose session is taken in.
func (m *Manager) imported(id persistence.AccountID, s foreign.Session, o AccountOptions) ([]persistence.Record, error) {
	said := map[foreign.Tristate]login.Said{foreign.Yes: login.SaidYes, foreign.No: login.SaidNo}
	flow, err := login.NewImport(login.Config{
		APIID: int32(m.opts.App.APIID), APIHash: m.opts.App.APIHash, Rand: m.opts.Rand, DC: dc.ID(s.DC),
	}, login.ImportPart{UserID: s.UserID, Bot: said[s.Bot]})
	if err != nil {
		return nil, err
	}
	state, err := flow.Snapshot().Encode()
	if err != nil {
		return nil, err
	}
	now := m.sys.Clock().Now()
	return []persistence.Record{
		persistence.Account{ID: id, Created: now, PFS: !o.NoPFS, HomeDC: s.DC, Labels: o.Labels, Proxy: persistence.SecretText(o.Proxy)}.Record(),
		persistence.PermKey{
			DC: s.DC, Key: persistence.AuthKey(s.Key), KeyID: int64(s.Key.ID()), Origin: persistence.OriginImport,
			// Not of its handshake, which nobody knows, but of these servers: others are never shown it.
			Fingerprint: fingerprints(m.opts.DCs)[0],
		}.Record(id),
		persistence.Login{Flow: string(login.FlowImport), State: state, Updated: now}.Record(id),
		account.OriginRecord(id, account.Origin{Format: string(s.Format), APIID: s.APIID, At: now}),
	}, nil
}

// unknownSession refuses a session whose key the store has, or whose user.
func (m *Manager) unknownSession(s foreign.Session) error {
	if s.UserID != 0 {
		if other := m.users.other(s.UserID, ""); other != "" {
			return own(login.AlreadyHere(string(other)))
		}
	}
	ids, err := m.opts.Store.Accounts()
	if err != nil {
		return err
	}
	for _, id := range ids {
		records, err := m.opts.Store.Load(id)
		if err != nil && len(persistence.BadKeys(err)) == 0 {
			return err // which keys there are is not known; one that is damaged is not in use
		}
		for _, rec := range records {
			if rec.Kind != persistence.KindPermKey {
				continue
			}
			if k, err := persistence.DecodePermKey(rec); err == nil && k.KeyID == int64(s.Key.ID()) {
				return &SignInError{Reason: SignInAlready, Account: string(id), Message: fmt.Sprintf("account %q has the key of this session already, and a key has one holder: go on with that account, or remove it first", id)}
			}
		}
	}
	return nil
}

// ErrExportOff refuses to hand out sessions: see Options.AllowExport.
var ErrExportOff = errors.New("handing out sessions is off: set sessions.export to true in the configuration if that is wanted, for whoever has a session is the account")

// Export hands the account's session out in a format that another program reads,
// and that can be written (foreign.Formats). Whoever has it is the account, without
// a password: treat it as one.
//
// The account is stopped before, for good: it is Exported, which is on disk, and
// its connections are closed when Export returns. TakeBack leads back. It is
// refused with ErrExportOff, a *foreign.Error or a *StateError; one that failed
// later, or whose ctx ended, may have left the account Exported.
func (a *Account) Export(ctx context.Context, format foreign.Format) ([]byte, error) {
	if !a.m.opts.AllowExport {
		return nil, ErrExportOff
	}
	if st := a.Status(); !st.SignedIn {
		return nil, &StateError{State: st.State, Why: "it is not signed in, so there is nothing to hand out"}
	}
	check, err := a.encode(format) // before anything is stopped
	clear(check)
	if err != nil {
		return nil, err
	}
	if err := a.wish(ctx, account.Wish{Kind: account.Export, How: "as a " + string(format) + " session"}); err != nil {
		return nil, err
	}
	session, err := a.encode(format)
	if err != nil {
		return nil, err
	}
	if st := a.Status(); st.State != Exported {
		clear(session)
		return nil, &StateError{State: st.State, Why: "it was taken back meanwhile"}
	}
	a.m.log.Warn("audit: a session was handed out", "account", a.id, "format", string(format), "user", a.Status().UserID)
	return session, nil
}

// encode reads the account's perm key and writes it in a format.
func (a *Account) encode(format foreign.Format) ([]byte, error) {
	records, err := a.m.opts.Store.Load(a.id)
	state, decodeErr := persistence.DecodeState(records)
	if err = persistence.JoinRecords(err, decodeErr); persistence.Vital(err) {
		return nil, err
	}
	rec := state.Account
	if rec == nil {
		return nil, &NoAccountError{string(a.id)}
	}
	s := foreign.Session{
		Format: format, DC: rec.HomeDC, UserID: rec.UserID, APIID: a.m.opts.App.APIID,
		Test: yesNo(a.m.opts.DCs.Test), Bot: yesNo(rec.Bot), Addr: a.m.addressOf(dc.ID(rec.HomeDC)),
	}
	defer s.Wipe()
	for _, k := range state.PermKeys {
		if k.DC == rec.HomeDC && k.Revoked.IsZero() {
			s.Key = foreign.Key(k.Key)
			return foreign.Encode(format, s)
		}
	}
	return nil, &StateError{State: a.Status().State, Why: "it has no key to hand out"}
}

// addressOf is where a DC is, of what is configured: IPv4 before IPv6, for not
// every format has room for the latter.
func (m *Manager) addressOf(at dc.ID) (addr string) {
	for _, o := range m.opts.DCs.Options {
		if o.DC != at || o.MediaOnly || o.CDN {
			continue
		}
		if addr == "" || o.Addr.Addr().Unmap().Is4() {
			addr = o.Addr.String()
		}
		if o.Addr.Addr().Unmap().Is4() {
			break
		}
	}
	return addr
}

func yesNo(b bool) foreign.Tristate {
	if b {
		return foreign.Yes
	}
	return foreign.No
}

// TakeBack brings an account back whose session was handed out: its owner says
// that the copy is destroyed and nobody uses it. If somebody does, the server ends
// the authorization, and the account is Duplicated.
func (a *Account) TakeBack(ctx context.Context) error {
	if err := a.wish(ctx, account.Wish{Kind: account.TakeBack}); err != nil {
		return err
	}
	a.m.log.Warn("audit: a session was taken back", "account", a.id)
	return nil
}
