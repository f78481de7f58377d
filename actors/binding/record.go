package binding

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// snapshot copies the records of one DC into what the machine begins with.
// Records whose key cannot be used are returned as errors and left out.
func snapshot(s persistence.State, dc int) (pfs.Snapshot, error) {
	var out pfs.Snapshot
	for i := range s.Sessions {
		if s.Sessions[i].DC == dc {
			out.TimeOffset = s.Sessions[i].TimeOffset
		}
	}
	for i := range s.PermKeys {
		p := &s.PermKeys[i]
		if p.DC != dc || !p.Revoked.IsZero() {
			continue
		}
		key, err := authKey(p.Key, p.KeyID, persistence.Key{Kind: persistence.KindPermKey})
		if err != nil {
			return pfs.Snapshot{}, err
		}
		out.Perm = &pfs.PermKey{Key: key, Created: p.Created, Fingerprint: p.Fingerprint, LastBound: p.LastGoodBind}
	}
	for i := range s.TempKeys {
		t := &s.TempKeys[i]
		if t.DC != dc {
			continue
		}
		key, err := authKey(t.Key, t.KeyID, persistence.Key{Kind: persistence.KindTempKey})
		if err != nil {
			continue // a temp key is made anew; it is not worth an account
		}
		out.Temps = append(out.Temps, pfs.TempKey{
			Key: key, PermID: crypt.KeyID(t.PermKeyID), ExpiresAt: t.ExpiresAt, Bound: t.Bound,
		})
	}
	return out, nil
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

// commit copies what the machine wants on disk into one commit.
func commit(owner persistence.Owner, id persistence.AccountID, dc int, now time.Time, c pfs.Changes) persistence.Commit {
	out := persistence.Commit{Owner: owner}
	if c.PutPerm != nil {
		out.Put = append(out.Put, permRecord(dc, *c.PutPerm).Record(id))
	} else if c.DeletePerm {
		out.Delete = append(out.Delete, persistence.PermKeyKey(id, dc))
	}
	for i := range c.PutTemps {
		out.Put = append(out.Put, tempRecord(dc, now, c.PutTemps[i]).Record(id))
	}
	for _, key := range c.DeleteTemps {
		out.Delete = append(out.Delete, persistence.TempKeyKey(id, dc, int64(key)))
	}
	return out
}

func permRecord(dc int, p pfs.PermKey) persistence.PermKey {
	return persistence.PermKey{
		DC: dc, Key: persistence.AuthKey(p.Key.Bytes()), KeyID: int64(p.ID()), Created: p.Created,
		Origin: persistence.OriginHandshake, Fingerprint: p.Fingerprint, LastGoodBind: p.LastBound,
	}
}

func tempRecord(dc int, now time.Time, t pfs.TempKey) persistence.TempKey {
	return persistence.TempKey{
		DC: dc, Key: persistence.AuthKey(t.Key.Bytes()), KeyID: int64(t.ID()), PermKeyID: int64(t.PermID),
		Created: now, ExpiresAt: t.ExpiresAt, Bound: t.Bound,
	}
}
