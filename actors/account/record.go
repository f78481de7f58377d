package account

import (
	"encoding/json"
	"time"

	"github.com/mtfleet/mtfleet/actors/feed"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file copies what engines know into records and back; nothing else in
// this package knows both forms. The keys' records belong to actors/binding.

// snapshotOf is what standing begins with.
func snapshotOf(rec persistence.Account, waits []persistence.Wait) standing.Snapshot {
	s := standing.Snapshot{
		State: stateOf(rec.State, rec.SignedIn), Back: stateOf(rec.StateBack, rec.SignedIn), Since: rec.StateSince, Why: rec.StateWhy,
		UserID: rec.UserID, Bot: rec.Bot, HomeDC: dc.ID(rec.HomeDC), Waits: waitsOf(waits),
	}
	if rec.Paused && s.State != standing.Exported {
		s.State = standing.Paused
	}
	return s
}

// ContenderOf is an account as standing compares it with others of its user.
func ContenderOf(rec persistence.Account) standing.Contender {
	return standing.Contender{Account: string(rec.ID), Created: rec.Created, Snapshot: snapshotOf(rec, nil)}
}

// stateOf reads a state's name. Records of earlier versions have none where it
// follows from whether the account is signed in, and call SigningOut otherwise.
func stateOf(name string, signedIn bool) standing.State {
	var s standing.State
	switch {
	case name == "logging-out":
		return standing.SigningOut
	case name != "" && s.UnmarshalText([]byte(name)) == nil:
		return s
	case signedIn:
		return standing.Connecting
	}
	return standing.New
}

// recordOf is the reverse of snapshotOf: the waits have records of their own.
func recordOf(rec persistence.Account, s standing.Snapshot, signedIn bool) persistence.Account {
	rec.State, rec.StateBack, rec.StateSince, rec.StateWhy = s.State.String(), s.Back.String(), round(s.Since), s.Why
	rec.UserID, rec.Bot, rec.HomeDC = s.UserID, s.Bot, int(s.HomeDC)
	// A program that knows no Exported takes it for paused, and does not connect.
	rec.SignedIn, rec.Paused = signedIn, s.State == standing.Paused || s.State == standing.Exported
	return rec
}

// round brings a time to the resolution of records.
func round(t time.Time) time.Time { return t.Round(time.Microsecond) }

// keyWork retires the home perm key, or puts it back and the account with it.
func keyWork(now time.Time, rec persistence.Account, out standing.Output) journal.Work {
	w := journal.Work{Kind: journal.Retire, Urgency: journal.Must, Account: rec.ID, DC: int(out.DC), At: round(now)}
	if out.Kind == standing.OutRestore {
		w.Kind, w.Urgency = journal.Restore, journal.Once
		w.Commit.Put = []persistence.Record{recordOf(rec, out.Snapshot, true).Record()}
	}
	return w
}

func waitsOf(list []persistence.Wait) []standing.Wait {
	var out []standing.Wait
	for _, w := range list {
		scope := standing.ScopeMethod
		switch {
		case w.Subject != "":
			scope = standing.ScopeSubject
		case w.Method == "":
			scope = standing.ScopeAccount
		}
		out = append(out, standing.Wait{
			Scope: scope, Method: w.Method, Subject: w.Subject, Start: w.Start, Server: w.Server, Length: w.Length, Why: w.Why,
		})
	}
	return out
}

// noteWaits notes what waits the server ordered. What one about a phone number or a
// token is about is not told.
func noteWaits(line *timeline.Recorder, now time.Time, waits []standing.Wait) {
	for _, w := range waits {
		line.Add(timeline.Entry{At: now, Kind: timeline.Wait, Word: w.Method, Why: w.Why, Until: w.Start.Add(w.Length)})
	}
}

// waitRecord is where a wait is kept: with the account, or for the whole store
// when it is about a phone number or a token.
func waitRecord(id persistence.AccountID, w standing.Wait) persistence.Record {
	if w.Scope == standing.ScopeSubject {
		id = persistence.FleetID
	}
	return persistence.Wait{
		Method: w.Method, Subject: w.Subject, Start: w.Start, Server: w.Server, Length: w.Length, Why: w.Why,
	}.Record(id)
}

// commitOf is what standing wants on disk. A new login begins with where its
// updates stand, and with nothing of the DCs an earlier one was carried to.
func commitOf(ch standing.Changes, rec persistence.Account, f *feed.Feed, all []dc.ID) (out persistence.Commit) {
	if ch.Account {
		out.Put = append(out.Put, rec.Record())
	}
	for _, w := range ch.Put {
		out.Put = append(out.Put, waitRecord(rec.ID, w))
	}
	for _, w := range ch.Delete {
		out.Delete = append(out.Delete, waitRecord(rec.ID, w).Key)
	}
	if ch.LoginOver {
		out.Delete = append(out.Delete, persistence.LoginKey(rec.ID))
	}
	if !ch.Fresh {
		return out
	}
	f.Fresh(&out)
	for _, id := range all {
		out.Delete = append(out.Delete, persistence.GuestKey(rec.ID, int(id)))
	}
	return out
}

const (
	originKey     = "origin"
	originVersion = 1
)

// OriginRecord is where an account's session came from. It goes with the next
// sign-in.
func OriginRecord(id persistence.AccountID, o Origin) persistence.Record {
	o.At = round(o.At).UTC()
	data, _ := json.Marshal(o) // of such values it cannot fail
	return persistence.Record{Key: keyOfOrigin(id), Version: originVersion, Data: data}
}

func keyOfOrigin(id persistence.AccountID) persistence.Key {
	return persistence.Key{Account: id, Kind: persistence.KindMeta, Sub: originKey}
}

// OriginOf finds it among an account's records; what cannot be read is not told.
func OriginOf(meta []persistence.Record) (o Origin) {
	for _, rec := range meta {
		if rec.Sub == originKey && rec.Version == originVersion && json.Unmarshal(rec.Data, &o) != nil {
			return Origin{}
		}
	}
	return o
}
