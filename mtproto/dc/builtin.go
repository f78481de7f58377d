package dc

import (
	"net/netip"
	"slices"
)

// Production returns the table of Telegram's production DCs. It is for the
// first connection; help.getConfig says where to go afterwards.
func Production() Table {
	return Table{
		Keys: []string{productionKey},
		Options: []Option{
			builtin(1, "149.154.175.50:443"),
			builtin(1, "[2001:b28:f23d:f001::a]:443"),
			builtin(2, "149.154.167.51:443"),
			builtin(2, "95.161.76.100:443"),
			builtin(2, "[2001:67c:4e8:f002::a]:443"),
			builtin(3, "149.154.175.100:443"),
			builtin(3, "[2001:b28:f23d:f003::a]:443"),
			builtin(4, "149.154.167.91:443"),
			builtin(4, "[2001:67c:4e8:f004::a]:443"),
			builtin(5, "149.154.171.5:443"),
			builtin(5, "[2001:b28:f23f:f005::a]:443"),
			media(2, "149.154.167.222:443"),
			media(2, "[2001:67c:4e8:f002::b]:443"),
			media(4, "149.154.166.120:443"),
			media(4, "[2001:67c:4e8:f004::b]:443"),
		},
	}
}

// TestServers returns the table of Telegram's test DCs, which are a world of
// their own with other accounts. They are not this project's test DC.
func TestServers() Table {
	return Table{
		Test: true,
		Keys: []string{testKey},
		Options: []Option{
			builtin(1, "149.154.175.10:443"),
			builtin(1, "[2001:b28:f23d:f001::e]:443"),
			builtin(2, "149.154.167.40:443"),
			builtin(2, "[2001:67c:4e8:f002::e]:443"),
			builtin(3, "149.154.175.117:443"),
			builtin(3, "[2001:b28:f23d:f003::e]:443"),
		},
	}
}

// builtin is an option of a constant address; the tests parse them all.
func builtin(id ID, addr string) Option {
	a, _ := netip.ParseAddrPort(addr)
	return Option{DC: id, Addr: a, IPv6: a.Addr().Is6(), Static: true}
}

func media(id ID, addr string) Option {
	o := builtin(id, addr)
	o.MediaOnly = true
	return o
}

const productionKey = `-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g
5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO
62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/
+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9
t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs
5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB
-----END RSA PUBLIC KEY-----
`

const testKey = `-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAyMEdY1aR+sCR3ZSJrtztKTKqigvO/vBfqACJLZtS7QMgCGXJ6XIR
yy7mx66W0/sOFa7/1mAZtEoIokDP3ShoqF4fVNb6XeqgQfaUHd8wJpDWHcR2OFwv
plUUI1PLTktZ9uW2WE23b+ixNwJjJGwBDJPQEQFBE+vfmH0JP503wr5INS1poWg/
j25sIWeYPHYeOrFp/eXaqhISP6G+q2IeTaWTXpwZj4LzXq5YOpk4bYEQ6mvRq7D1
aHWfYmlEGepfaYR8Q0YqvvhYtMte3ITnuSJs171+GDqpdKcSwHnd6FudwGO4pcCO
j4WcDuXc2CTHgH8gFTNhp/Y8/SpDOhvn9QIDAQAB
-----END RSA PUBLIC KEY-----
`

// Fingerprints of RSA keys known to be Telegram's. The obsolete ones are
// still offered by its servers beside the current key.
const (
	productionFingerprint = -3414540481677951611 // d09d1d85de64fd85
	testFingerprint       = -5595554452916591101 // b25898df208d2603
	obsoleteFingerprint1  = 847625836280919973   // 0bc35f3509f7b7a5
	obsoleteFingerprint2  = -4344800451088585951 // c3b42b026ce86b21
)

var (
	productionFingerprints = []int64{productionFingerprint, obsoleteFingerprint1, obsoleteFingerprint2}
	telegramFingerprints   = append([]int64{testFingerprint}, productionFingerprints...)
)

// IsTelegramFingerprint reports whether an RSA key is one of Telegram's, of
// production or of its test servers. Load is refused wherever one is known.
func IsTelegramFingerprint(fingerprint int64) bool {
	return slices.Contains(telegramFingerprints, fingerprint)
}

// IsProductionFingerprint reports whether an RSA key is one of Telegram's
// production keys. Under such a key no number is ever signed up.
func IsProductionFingerprint(fingerprint int64) bool {
	return slices.Contains(productionFingerprints, fingerprint)
}
