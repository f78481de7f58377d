package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// history is what is committed to a store, start by start: from a seed, so that
// child and parent know the same.
type history [][]persistence.Commit

// maxStarts is how often a store is opened and written to at most.
const maxStarts = 3

func newHistory(seed uint64, accounts int) history {
	rnd := rand.New(rand.NewPCG(seed, 1))
	starts := 1 + rnd.IntN(maxStarts)
	h := make(history, starts)
	at := func(i int) int { return i * starts / accounts } // the start in which an account is made
	for s := range h {
		for i := range accounts {
			switch {
			case at(i) == s:
				h[s] = append(h[s], persistence.Commit{Put: records(i, s, rnd)})
			case at(i) < s && rnd.IntN(8) == 0:
				h[s] = append(h[s], persistence.Commit{Put: records(i, s, rnd)})
			case at(i) < s && rnd.IntN(40) == 0:
				h[s] = append(h[s], persistence.Commit{Delete: keys(i)})
			}
		}
	}
	return h
}

func accountID(i int) persistence.AccountID {
	return persistence.AccountID(fmt.Sprintf("account-%03d", i))
}

// records are those of an account that is signed in. Two rounds of one account
// differ in all of them.
func records(i, start int, rnd *rand.Rand) []persistence.Record {
	id, when := accountID(i), time.Unix(1_700_000_000+int64(rnd.IntN(1e6)), 0)
	out := []persistence.Record{
		persistence.Account{ID: id, Created: when, PFS: true, SignedIn: true, UserID: int64(1000 + i), HomeDC: 2, State: "online", StateSince: when}.Record(),
		persistence.PermKey{DC: 2, Key: authKey(rnd), KeyID: rnd.Int64(), Created: when, Origin: persistence.OriginHandshake, LastGoodBind: when}.Record(id),
		persistence.TempKey{DC: 2, Key: authKey(rnd), KeyID: int64(i), PermKeyID: 1, Created: when, ExpiresAt: when, Bound: true}.Record(id),
		persistence.Session{DC: 2, KeyID: rnd.Int64(), TimeOffset: time.Duration(start)}.Record(id),
		persistence.Updates{Pts: int32(rnd.IntN(1e6)), Date: int32(start)}.Record(id),
	}
	if i%5 == 0 {
		out = append(out, persistence.PermKey{DC: 4, Key: authKey(rnd), Created: when}.Record(id), persistence.Guest{DC: 4, Authorized: true, Since: when}.Record(id))
	}
	if i%7 == 0 {
		out = append(out, persistence.Wait{Method: "auth.sendCode", Start: when, Length: time.Hour, Why: "FLOOD_WAIT_3600"}.Record(id))
	}
	return out
}

func keys(i int) (out []persistence.Key) {
	for _, r := range records(i, 0, rand.New(rand.NewPCG(0, 0))) {
		out = append(out, r.Key)
	}
	return out
}

func authKey(rnd *rand.Rand) (k persistence.AuthKey) {
	for i := range k {
		k[i] = byte(rnd.Uint32())
	}
	return k
}

// outcome is what the store holds when all was acknowledged.
func (h history) outcome() map[persistence.Key]persistence.Record {
	m := map[persistence.Key]persistence.Record{}
	for _, start := range h {
		for _, c := range start {
			for _, k := range c.Delete {
				delete(m, k)
			}
			for _, r := range c.Put {
				m[r.Key] = r
			}
		}
	}
	return m
}
