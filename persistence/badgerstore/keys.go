package badgerstore

import (
	"strings"

	"github.com/mtfleet/mtfleet/persistence"
)

// Names in the database: "r/<account>/<kind byte><sub>" for records, and three
// names of the store's own. Account ids contain no slash.
const (
	recordPrefix = "r/"
	ownerName    = "m/owner"
	checkName    = "m/check"
	headName     = "m/head"
)

// The store's own values are sealed like records. No account has the empty id.
var (
	ownerKey = persistence.Key{Sub: ownerName}
	checkKey = persistence.Key{Sub: checkName}
)

func accountPrefix(id persistence.AccountID) []byte {
	return []byte(recordPrefix + string(id) + "/")
}

func recordName(k persistence.Key) []byte {
	b := make([]byte, 0, len(recordPrefix)+len(k.Account)+2+len(k.Sub))
	b = append(b, recordPrefix...)
	b = append(b, k.Account...)
	b = append(b, '/', byte(k.Kind))
	return append(b, k.Sub...)
}

// parseName is the reverse of recordName; ok is false for names that are not a
// record's.
func parseName(name []byte) (k persistence.Key, ok bool) {
	rest, ok := strings.CutPrefix(string(name), recordPrefix)
	if !ok {
		return k, false
	}
	account, rest, ok := strings.Cut(rest, "/")
	if !ok || rest == "" {
		return k, false
	}
	return persistence.Key{Account: persistence.AccountID(account), Kind: persistence.Kind(rest[0]), Sub: rest[1:]}, true
}
