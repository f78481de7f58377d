package signin

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// loginRecord is a login as it goes on after a restart.
func loginRecord(id persistence.AccountID, now time.Time, flow login.Flow, state []byte) persistence.Record {
	return persistence.Login{Flow: string(flow), State: state, Updated: now.Round(time.Microsecond)}.Record(id)
}

// tokensKey is where an account's future auth tokens are: each can stand for a
// code at the next sign-in.
const tokensKey = "future-auth-token"

func futuresRecord(id persistence.AccountID, f login.Futures) persistence.Record {
	version, data := f.Encode()
	return persistence.Record{Key: persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: tokensKey}, Version: version, Data: data}
}

func futuresOf(meta []persistence.Record) login.Futures {
	for _, rec := range meta {
		if rec.Sub == tokensKey {
			return login.DecodeFutures(rec.Version, rec.Data)
		}
	}
	return login.Futures{}
}
