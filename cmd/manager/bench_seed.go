package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// seededHelp explains --seeded.
const seededHelp = "nobody signs in: keys are put in place on both sides, for tens of thousands of accounts in seconds"

const (
	// benchSeed is the number from which keys follow: the DCs of each run are new ones.
	benchSeed = 1
	// seedCommit is how many accounts are written at once: five records of 3.5 KB.
	seedCommit = 150
	// fillPatience is how long nobody may come online before it is given up.
	fillPatience = time.Minute
)

// fill has all accounts of the plan online, those of the bots from the first on: they
// sign in, or their keys are put in place and the manager is started again, on a store
// that has them.
func (w *benchWorld) fill(ctx context.Context, first int) error {
	if !w.plan.seeded {
		return w.signInAll(ctx, first)
	}
	if err := w.stop(); err != nil {
		return err
	}
	if err := w.seed(ctx, first); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	return w.allOnline(ctx)
}

// seed puts the accounts of the plan in place, on the DCs and in a store that nobody
// has open.
func (w *benchWorld) seed(ctx context.Context, first int) error {
	bots := w.dc.Bots[first:]
	if len(bots) < w.plan.accounts {
		return fmt.Errorf("bench: there are %s, and %d more are wanted", count(len(w.dc.Bots), "bot"), w.plan.accounts-len(bots))
	}
	bots = bots[:w.plan.accounts]
	w.bar.begin("putting the keys of "+count(len(bots), "bot")+" in place", len(bots))
	users := make([]int64, len(bots))
	for i, b := range bots {
		users[i] = b.UserID
	}
	var seed dctest.Seed
	ask := map[string]any{"seed": fmt.Sprint(benchSeed), "temp": !w.plan.options.NoPFS, "users": users}
	if err := w.dc.ask(ctx, "/seed", ask, &seed); err != nil {
		return err
	}
	if err := w.seedStore(ctx, seed, first, bots); err != nil {
		return err
	}
	w.bar.done("put the keys of %s in place", count(len(bots), "bot"))
	return nil
}

func (w *benchWorld) seedStore(ctx context.Context, seed dctest.Seed, first int, bots []serve.Bot) (err error) {
	store := w.memory
	if w.disk != nil {
		if store, err = w.quietly.openStore(w.disk, w.options.Logger); err != nil {
			return err
		}
		defer func() {
			if closeErr := store.Close(); err == nil {
				err = closeErr
			}
		}()
	}
	owner, err := store.Claim("bench")
	if err != nil {
		return err
	}
	fingerprint := w.keys[0].Fingerprint()
	for from := 0; from < len(bots); from += seedCommit {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		commit := persistence.Commit{Owner: owner}
		for i := from; i < min(from+seedCommit, len(bots)); i++ {
			commit.Put = append(commit.Put, seededRecords(persistence.AccountID(botName(first+i)), bots[i], seed, fingerprint)...)
		}
		if err := store.Commit(commit); err != nil {
			return err
		}
		w.bar.add(min(seedCommit, len(bots)-from))
	}
	return nil
}

// seededRecords are what a store has of a bot that signed in as the seed was made, and
// whose session was closed.
func seededRecords(id persistence.AccountID, bot serve.Bot, seed dctest.Seed, fingerprint int64) []persistence.Record {
	k := seed.Of(bot.DC, bot.UserID)
	perm := persistence.PermKey{
		DC: bot.DC, Key: persistence.AuthKey(k.Perm.Bytes()), KeyID: int64(k.Perm.ID()), Created: seed.At,
		Origin: persistence.OriginHandshake, Fingerprint: fingerprint,
	}
	holder := k.Perm
	var temp []persistence.Record
	if k.Temp != nil {
		holder, perm.LastGoodBind = k.Temp, seed.At
		temp = append(temp, persistence.TempKey{
			DC: bot.DC, Key: persistence.AuthKey(k.Temp.Bytes()), KeyID: int64(k.Temp.ID()), PermKeyID: int64(k.Perm.ID()),
			Created: seed.At, ExpiresAt: k.Expires, Bound: true,
		}.Record(id))
	}
	return append([]persistence.Record{
		persistence.Account{
			ID: id, Bot: true, Created: seed.At, PFS: k.Temp != nil, SignedIn: true, UserID: bot.UserID, HomeDC: bot.DC,
			// Being online is on no disk: this is from when it had signed in.
			State: actors.Connecting.String(), StateBack: actors.New.String(), StateSince: seed.At, StateWhy: "signed in, and nothing was answered yet",
		}.Record(),
		perm.Record(id),
		seededSession(bot.DC, holder.ID(), k.Salts).Record(id),
		persistence.Updates{Pts: 1, Date: int32(seed.At.Unix())}.Record(id),
	}, temp...)
}

func seededSession(dc int, key crypt.KeyID, salts []dctest.SeededSalt) persistence.Session {
	s := persistence.Session{DC: dc, KeyID: int64(key)}
	for _, salt := range salts {
		s.Salts = append(s.Salts, persistence.Salt{Value: salt.Value, Since: uint32(salt.Since.Unix()), Until: uint32(salt.Until.Unix())})
	}
	return s
}

// allOnline waits until every account is online.
func (w *benchWorld) allOnline(ctx context.Context) error {
	n := w.plan.accounts
	w.bar.begin("waiting for "+count(n, "account"), n)
	all, last, moved := w.manager.Accounts(), 0, time.Now()
	for {
		begun := time.Now()
		now := onlineOf(all)
		if now > last {
			w.bar.add(now - last)
			last, moved = now, time.Now()
		}
		switch {
		case now >= n:
			w.bar.done("%s online", count(n, "account"))
			return nil
		case time.Since(moved) > fillPatience:
			return fmt.Errorf("bench: %d of %s are online, and nobody has come for %v", now, count(n, "account"), fillPatience)
		}
		if err := sleep(ctx, lookAgain(time.Since(begun))); err != nil {
			return err
		}
	}
}
