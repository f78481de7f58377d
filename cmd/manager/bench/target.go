package bench

import (
	"errors"
	"fmt"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// Target returns the RSA keys of DCs that may be loaded: every address is on
// loopback, and no key is one of Telegram's. The error refuses anything else. Ask it
// before anything is sent, and set wire.Config.RequireLoopback, which looks at each
// dial.
func Target(table dc.Table) ([]*crypt.PublicKey, error) {
	if len(table.Options) == 0 {
		return nil, errors.New("bench: there is no DC to load")
	}
	for _, o := range table.Options {
		if !dc.Loopback(o.Addr) {
			return nil, fmt.Errorf("bench: %v, %v, is not on loopback: load is for a test DC on this machine", o.DC, o.Addr)
		}
	}
	if len(table.Keys) == 0 {
		return nil, errors.New("bench: the DCs have no RSA key, so that nothing says they are test DCs")
	}
	var all []*crypt.PublicKey
	for _, text := range table.Keys {
		keys, err := crypt.ParsePublicKeys([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("bench: an RSA key of the DCs: %w", err)
		}
		for _, k := range keys {
			if dc.IsTelegramFingerprint(k.Fingerprint()) {
				return nil, fmt.Errorf("bench: the RSA key %016x is one of Telegram's: load is for a test DC", uint64(k.Fingerprint()))
			}
		}
		all = append(all, keys...)
	}
	return all, nil
}
