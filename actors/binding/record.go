package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/guest"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// snapshot copies the records of a DC into what the machine of its keys begins
// with. A perm key that cannot be used is an error, a temp key is left out.
func snapshot(r Records) (pfs.Snapshot, error) {
	var out pfs.Snapshot
	if r.Session != nil {
		out.TimeOffset = r.Session.TimeOffset
	}
	if p := r.Perm; p != nil {
		key, err := authKey(p.Key, p.KeyID, persistence.Key{Kind: persistence.KindPermKey})
		if err != nil {
			return pfs.Snapshot{}, err
		}
		out.Perm = &pfs.PermKey{
			Key: key, Created: p.Created, Imported: p.Origin == persistence.OriginImport,
			Fingerprint: p.Fingerprint, LastBound: p.LastGoodBind,
		}
	}
	for i := range r.Temps {
		t := &r.Temps[i]
		key, err := authKey(t.Key, t.KeyID, persistence.Key{Kind: persistence.KindTempKey})
		if err != nil {
			continue // a temp key is made anew; it is not worth an account
		}
		out.Temps = append(out.Temps, pfs.TempKey{
			Key: key, PermID: crypt.KeyID(t.PermKeyID), Made: t.Created, ExpiresAt: t.ExpiresAt, Bound: t.Bound,
		})
	}
	return out, nil
}

// anchored returns the records with their times by the clock of this process:
// those of the store carry none but the one on the wall, and whoever sets that
// back by a day would make a refusal last a day longer. When a temp key was made
// and expires is the server's time, which is followed.
func (r Records) anchored(now time.Time) Records {
	if r.Perm != nil {
		p := *r.Perm
		p.Created, p.LastGoodBind = anchor(p.Created, now), anchor(p.LastGoodBind, now)
		r.Perm = &p
	}
	if r.Guest != nil {
		g := *r.Guest
		g.KeyDropped, g.RefusedUntil = anchor(g.KeyDropped, now), anchor(g.RefusedUntil, now)
		r.Guest = &g
	}
	return r
}

// anchor gives a time the monotonic reading that it would have by now's.
func anchor(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now))
}

// authKey makes a key of its record and holds it against the id kept beside it.
func authKey(value persistence.AuthKey, id int64, at persistence.Key) (*crypt.AuthKey, error) {
	key, err := crypt.NewAuthKey(value[:])
	if err != nil {
		return nil, &persistence.CorruptError{Key: at, Why: "the auth key cannot be used"}
	}
	if int64(key.ID()) != id {
		return nil, &persistence.CorruptError{Key: at, Why: "the auth key does not have the id kept beside it"}
	}
	return key, nil
}

// commit copies what the machine of the keys wants on disk into one commit.
func commit(id persistence.AccountID, at dc.ID, c pfs.Changes) *persistence.Commit {
	out, number := &persistence.Commit{}, int(at)
	if c.PutPerm != nil {
		out.Put = append(out.Put, permRecord(number, *c.PutPerm).Record(id))
	} else if c.DeletePerm {
		out.Delete = append(out.Delete, persistence.PermKeyKey(id, number))
	}
	for i := range c.PutTemps {
		out.Put = append(out.Put, tempRecord(number, c.PutTemps[i]).Record(id))
	}
	for _, key := range c.DeleteTemps {
		out.Delete = append(out.Delete, persistence.TempKeyKey(id, number, int64(key)))
	}
	return out
}

func permRecord(dc int, p pfs.PermKey) persistence.PermKey {
	origin := persistence.OriginHandshake
	if p.Imported {
		origin = persistence.OriginImport
	}
	return persistence.PermKey{
		DC: dc, Key: persistence.AuthKey(p.Key.Bytes()), KeyID: int64(p.ID()), Created: p.Created,
		Origin: origin, Fingerprint: p.Fingerprint, LastGoodBind: p.LastBound,
	}
}

func tempRecord(dc int, t pfs.TempKey) persistence.TempKey {
	return persistence.TempKey{
		DC: dc, Key: persistence.AuthKey(t.Key.Bytes()), KeyID: int64(t.ID()), PermKeyID: int64(t.PermID),
		Created: t.Made, ExpiresAt: t.ExpiresAt, Bound: t.Bound,
	}
}

// guestSnapshot is what the machine of a guest begins with.
func guestSnapshot(g *persistence.Guest) guest.Snapshot {
	if g == nil {
		return guest.Snapshot{}
	}
	return guest.Snapshot{
		Authorized: g.Authorized, Refusals: g.Refusals, KeyDropped: g.KeyDropped,
		Refused: guest.Refusal{Until: g.RefusedUntil, Code: g.RefusedCode, Text: g.RefusedText},
	}
}

// guestRecord is the reverse of guestSnapshot. Times are brought to the
// resolution of records.
func guestRecord(at dc.ID, now time.Time, s guest.Snapshot) persistence.Guest {
	return persistence.Guest{
		DC: int(at), Authorized: s.Authorized, Since: round(now), Refusals: s.Refusals, KeyDropped: round(s.KeyDropped),
		RefusedUntil: round(s.Refused.Until), RefusedCode: s.Refused.Code, RefusedText: s.Refused.Text,
	}
}

func round(t time.Time) time.Time { return t.Round(time.Microsecond) }

// sessionRecord keeps what the next session under the same key begins with.
func sessionRecord(at dc.ID, key crypt.KeyID, s dcconn.Snapshot) *persistence.Session {
	rec := &persistence.Session{DC: int(at), KeyID: int64(key), TimeOffset: s.TimeOffset, Salts: make([]persistence.Salt, len(s.Salts))}
	for i, salt := range s.Salts {
		rec.Salts[i] = persistence.Salt(salt)
	}
	return rec
}

// sessionConfig is the reverse of sessionRecord. The salts of another key are
// of no use under this one.
func sessionConfig(cfg *dcconn.SessionConfig, rec *persistence.Session, key crypt.KeyID) {
	if rec == nil {
		return
	}
	cfg.TimeOffset, cfg.OffsetKnown = rec.TimeOffset, true
	if rec.KeyID != int64(key) {
		return
	}
	for _, salt := range rec.Salts {
		cfg.Salts = append(cfg.Salts, dcconn.Salt(salt))
	}
}
