package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// Key is what is known of the store's master key.
type Key struct {
	File  string // empty: it is in the environment
	Err   error  // of reading it
	Store bool   // there is a store that needs it
	// Wrong is what the store said to it; nil where it opens the store, or was not
	// tried.
	Wrong error
}

// CheckKey tells whether the master key is there, may be read by nobody else, and
// is the store's.
func CheckKey(k Key) Finding {
	f := Finding{Check: "key", Level: Error, Why: "without its master key nobody can read the store: the accounts in it would have to sign in again"}
	from := k.File
	if from == "" {
		from = "the environment"
	}
	copyBack := "cp COPY_OF_THE_KEY " + Quoted(from)
	if k.File == "" {
		copyBack = "manager config show"
	}
	switch info, err := os.Stat(k.File); {
	case k.Wrong != nil:
		f.What, f.Mend = words(k.Wrong), copyBack
	case k.Err == nil && k.File == "":
		return ok(f.Check, "it is in the environment")
	case k.Err == nil && err == nil:
		return ok(f.Check, "%s (mode %04o)", k.File, info.Mode().Perm())
	case k.File != "" && errors.Is(err, fs.ErrNotExist) && !k.Store:
		return Finding{Check: f.Check, Level: Note, What: "there is none yet in " + k.File,
			Why: "the first command that opens the store makes it: keep a copy elsewhere then", Mend: "manager account add NAME"}
	case k.Err == nil: // read, and gone since
		f.What, f.Mend = fmt.Sprintf("%s: %v", k.File, err), copyBack
	case err == nil && info.Mode().Perm()&0o077 != 0:
		f.What, f.Mend = words(k.Err), "chmod 600 "+Quoted(k.File)
		f.Why = "whoever reads the key and the store is every account of it"
	case err == nil && info.Mode().Perm()&0o400 == 0, errors.Is(err, fs.ErrPermission):
		f.What, f.Mend = words(k.Err), "sudo chown $(id -u) "+Quoted(k.File)+" && chmod 600 "+Quoted(k.File)
	default:
		f.What, f.Mend = words(k.Err), copyBack
	}
	return f
}

// words is an error of the store as a sentence without its prefix.
func words(err error) string {
	var (
		key    *persistence.MasterKeyError
		copied *persistence.CopiedError
	)
	switch {
	case errors.As(err, &key):
		return key.Source + ": " + key.Reason
	case errors.As(err, &copied):
		return fmt.Sprintf("the store in %s (id %s) is a copy, or was moved or restored", copied.Dir, copied.ID)
	}
	return trimmed(err)
}

// CheckConfigFile tells whether others can read or change the configuration.
// Without a file nothing is found.
func CheckConfigFile(path string) []Finding {
	info, err := os.Stat(path)
	if path == "" || err != nil {
		return nil
	}
	f := Finding{Check: "configuration", Level: Warning, What: fmt.Sprintf("%s can be changed by others (mode %04o)", path, info.Mode().Perm()),
		Why: "whoever writes it says which DCs and which proxy the accounts trust", Mend: "chmod go-w " + Quoted(path)}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
	case mode&0o004 != 0:
		f.What = fmt.Sprintf("%s can be read by everybody (mode %04o)", path, mode)
		f.Why, f.Mend = "it has your api_hash, and what opens proxies and webhooks", "chmod 600 "+Quoted(path)
	default:
		f = ok(f.Check, "%s (mode %04o)", path, mode)
	}
	return []Finding{f}
}

// CheckSocket tells whether others can reach the control socket. Without one
// nothing is found.
func CheckSocket(path string) []Finding {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil
	case info.Mode().Type() != fs.ModeSocket:
		return []Finding{{Check: "socket", Level: Error, What: path + " is another file, and no socket",
			Why: "a manager cannot start where its control socket has no place", Mend: "mv " + Quoted(path) + " " + Quoted(path+".old")}}
	case info.Mode().Perm()&0o077 != 0:
		return []Finding{{Check: "socket", Level: Error, What: fmt.Sprintf("others can open %s (mode %04o)", path, info.Mode().Perm()),
			Why: "whoever may open it may do everything with every account", Mend: "chmod 600 " + Quoted(path)}}
	}
	return []Finding{ok("socket", "%s (mode %04o)", path, info.Mode().Perm())}
}

// CheckSecretFile tells whether others can read a file with a secret.
func CheckSecretFile(check, path string) Finding {
	info, err := os.Stat(path)
	f := Finding{Check: check, Level: Warning, Why: "whoever reads it can pass for this manager"}
	switch {
	case err != nil:
		f.What, f.Mend = trimmed(err), "ls -l "+Quoted(path)
	case info.Mode().Perm()&0o007 != 0:
		f.What, f.Mend = fmt.Sprintf("%s can be reached by everybody (mode %04o)", path, info.Mode().Perm()), "chmod o= "+Quoted(path)
	default:
		return ok(check, "%s (mode %04o)", path, info.Mode().Perm())
	}
	return f
}

// CheckCertificate tells whether a certificate chain and its key load, and until when
// the first of them is good.
func CheckCertificate(check, cert, key string, now time.Time) Finding {
	f := Finding{Check: check, Level: Error, Why: "without its certificate it is not served", Mend: "openssl x509 -noout -subject -dates -in " + Quoted(cert)}
	pair, err := tls.LoadX509KeyPair(cert, key)
	switch {
	case err != nil:
		f.What = fmt.Sprintf("%s with %s: %s", cert, key, trimmed(err))
	case now.After(pair.Leaf.NotAfter):
		f.What, f.Why = fmt.Sprintf("%s was good until %s", cert, pair.Leaf.NotAfter.Format(time.DateOnly)), "clients refuse a certificate that is over"
	case now.Before(pair.Leaf.NotBefore):
		f.What, f.Why = fmt.Sprintf("%s is good only from %s on", cert, pair.Leaf.NotBefore.Format(time.DateOnly)), "clients refuse a certificate that is not good yet"
	default:
		return ok(check, "%s is good until %s", cert, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return f
}

// CheckHost tells whether a name has an address.
func CheckHost(ctx context.Context, check, host string) Finding {
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return Finding{Check: check, Level: Warning, What: fmt.Sprintf("%s has no address: %s", host, bareNet(err)),
			Why: "nothing can be sent to it until its name is known", Mend: "getent hosts " + Quoted(host)}
	}
	return ok(check, "%s is at %s", host, strings.Join(addrs, ", "))
}
