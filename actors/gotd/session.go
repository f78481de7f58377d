package gotd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/gotd/td/session"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// Import makes an account of the session that a gotd client keeps in a storage,
// as actors.Manager.Import says: the account is signed in without a code, the
// operator's api_id stays what the manager was opened with, and the client must never run
// again with that session. It fails with session.ErrNotFound where the storage
// has none, with a *foreign.Error for what is no session, and as
// Manager.Import does.
func Import(ctx context.Context, m *actors.Manager, name string, from session.Storage, o actors.AccountOptions) (*actors.Account, error) {
	text, err := from.LoadSession(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, session.ErrNotFound
	}
	s, err := foreign.ParseTextAs(foreign.GoTD, text)
	if err != nil {
		return nil, err
	}
	defer s.Wipe()
	return m.Import(ctx, name, s, o)
}

// Storage lets a gotd client go on with an account's session:
//
//	client := telegram.NewClient(appID, appHash, telegram.Options{SessionStorage: gotd.Storage(account)})
//
// LoadSession hands the session out by actors.Account.Export, with all that this
// means: it is refused unless actors.Options.AllowExport is set, the account
// stops for good and is Exported until its owner takes it back, and whoever reads
// what it returns is the account. So it does again when the account was taken back.
// The client must have the api_id of the manager.
//
// StoreSession keeps what the client changes (salt and configuration, which an
// account does not need) for as long as the storage is used, and refuses another
// key with [ErrOtherKey]: sign-ins are the account's. It is safe for concurrent use.
func Storage(account *actors.Account) session.Storage { return &storage{account: account} }

// ErrOtherKey refuses to store the session of another login than the one that was
// handed out.
var ErrOtherKey = errors.New("this is the session of another login than the account's: sign in with the account, not with the client")

type storage struct {
	account *actors.Account

	mu   sync.Mutex // guards text
	text []byte     // as it was handed out or stored last; nil before
}

// LoadSession implements session.Storage.
func (s *storage) LoadSession(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == nil || s.account.Status().State != actors.Exported { // it was taken back meanwhile
		text, err := s.account.Export(ctx, foreign.GoTD)
		if err != nil {
			return nil, mapped(err)
		}
		clear(s.text)
		s.text = text
	}
	return bytes.Clone(s.text), nil
}

// StoreSession implements session.Storage.
func (s *storage) StoreSession(_ context.Context, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var had, now struct{ Data struct{ AuthKey []byte } }
	if s.text == nil || json.Unmarshal(s.text, &had) != nil || json.Unmarshal(text, &now) != nil ||
		!bytes.Equal(had.Data.AuthKey, now.Data.AuthKey) {
		return ErrOtherKey
	}
	clear(s.text)
	s.text = bytes.Clone(text)
	return nil
}
