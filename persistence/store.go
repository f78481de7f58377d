package persistence

import (
	"fmt"
	"strconv"
	"strings"
)

// Store keeps records. Its methods may be called from any goroutine.
type Store interface {
	// Accounts returns the ids of all accounts that have a record, sorted.
	// SharedIDs are none of them.
	Accounts() ([]AccountID, error)

	// Load returns all records of an account, or of a shared id, sorted by key; none is not an
	// error. A record that cannot be read does not hide the others: they come
	// back together with an error that joins one *CorruptError or
	// *VersionError for each bad record (see BadKeys).
	Load(AccountID) ([]Record, error)

	// Commit makes all changes durable, or none. It blocks until then. The
	// error is a *StaleOwnerError, *VersionError, *PresentError, *InvalidError or
	// *TooLargeError when the commit cannot be accepted, ErrClosed, or the
	// store's own; in each case nothing was changed. After a *WriteError the
	// outcome is not known.
	Commit(Commit) error

	// Claim makes the node the only owner of the store: it increments the
	// epoch, durably, and from then on commits of earlier owners are refused.
	Claim(node string) (Owner, error)

	// Close waits for the commits under way and releases the store. Further
	// calls return ErrClosed; a second Close does nothing.
	Close() error
}

// AccountID names an account. See CheckAccountID.
type AccountID string

// FleetID is where the records are that belong to the store as a whole and to no
// account: waits about a phone number, which outlive the account that asked. No
// account can have this name.
const FleetID AccountID = "_fleet"

// AuditID is where the audit log is, apart from FleetID, which every sign-in reads.
const AuditID AccountID = "_audit"

// SharedIDs are the names under which records are that belong to no account.
func SharedIDs() []AccountID { return []AccountID{FleetID, AuditID} }

// Shared reports whether the id is one of SharedIDs.
func (id AccountID) Shared() bool { return id == FleetID || id == AuditID }

// Owner is who may write: the node that claimed the store, and the number of its
// claim. The zero Owner may not.
type Owner struct {
	Node  string
	Epoch uint64
}

// String returns "node@epoch".
func (o Owner) String() string {
	if o == (Owner{}) {
		return "nobody"
	}
	return o.Node + "@" + strconv.FormatUint(o.Epoch, 10)
}

// Kind is what a record is about. The numbers are part of the storage format:
// never reuse or renumber them.
type Kind uint8

// The kinds of records. Each has a type of the same name; Sub says what
// distinguishes several of them in one account.
const (
	KindAccount Kind = 1 // Account; one
	KindLogin   Kind = 2 // Login; at most one, while signing in
	KindPermKey Kind = 3 // PermKey; Sub is the DC
	KindTempKey Kind = 4 // TempKey; Sub is DC and key id
	KindSession Kind = 5 // Session; Sub is the DC
	KindUpdates Kind = 6 // Updates; one
	KindGuest   Kind = 7 // Guest; Sub is the DC
	KindWait    Kind = 8 // Wait; Sub is the method, empty for all of the account
	KindMeta    Kind = 9 // anything else that belongs to an account; Sub names it
	// KindChannels is Channels; Sub is the page.
	KindChannels Kind = 10
	// KindPeers is Peers; Sub is the page.
	KindPeers Kind = 11
)

var kindNames = [...]string{
	KindAccount: "account", KindLogin: "login", KindPermKey: "perm key", KindTempKey: "temp key",
	KindSession: "session", KindUpdates: "updates", KindGuest: "guest", KindWait: "wait", KindMeta: "meta",
	KindChannels: "channels", KindPeers: "peers",
}

// String returns the kind as errors name it.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

func (k Kind) known() bool { return k >= KindAccount && k <= KindPeers }

// Key is where a record is kept.
type Key struct {
	Account AccountID
	Kind    Kind
	Sub     string // 0 to 64 characters of [a-zA-Z0-9._-]
}

// String names the record for a person: `account "alice", perm key "2"`.
func (k Key) String() string {
	s := fmt.Sprintf("account %q, %v", string(k.Account), k.Kind)
	if k.Sub != "" {
		s += fmt.Sprintf(" %q", k.Sub)
	}
	return s
}

// compare orders keys by account, kind and sub.
func (k Key) compare(other Key) int {
	if c := strings.Compare(string(k.Account), string(other.Account)); c != 0 {
		return c
	}
	if k.Kind != other.Kind {
		return int(k.Kind) - int(other.Kind)
	}
	return strings.Compare(k.Sub, other.Sub)
}

// Record is one stored value. Version is the version of Data's format. Data is
// plain: sealing is the store's business.
type Record struct {
	Key
	Version uint16
	Data    Secret
}

// String names the record and shows nothing of its data.
func (r Record) String() string {
	return fmt.Sprintf("%v (version %d, %d bytes)", r.Key, r.Version, len(r.Data))
}

// GoString is String.
func (r Record) GoString() string { return r.String() }

// Commit is a set of changes that become durable together. A key appears in it
// once at most.
type Commit struct {
	Owner  Owner
	Put    []Record
	Delete []Key // deleting what is not there is allowed
	// Absent are keys that must have no record yet, or the commit is refused with
	// *PresentError.
	Absent []Key
}

// Limits of one record and one commit. A perm-key record has about 300 bytes
// and the largest commit of an account (a sign-in) about 5 records, so these
// leave room for a thousand times that; a commit must fit in one transaction of
// the store (1.2 MB with badgerstore's 8 MB memtable).
const (
	MaxRecordSize  = 256 << 10 // bytes of Record.Data
	MaxCommitSize  = 1 << 20   // bytes of all Record.Data, and 256 for each key
	MaxCommitItems = 1000      // records and deletions
)

// maxName is the longest account id and the longest sub.
const maxName = 64

// CheckAccountID tells whether the id can name an account: 1 to 64 characters of
// [a-z0-9._-]. An id that is only digits and separators, with more than ten
// digits, is refused too: it is probably a phone number, and key names are not
// sealed. The error is an *InvalidError.
func CheckAccountID(id AccountID) error {
	bad := func(reason string) error { return &InvalidError{Key: Key{Account: id}, Reason: reason} }
	if len(id) == 0 || len(id) > maxName {
		return bad("an account id has 1 to 64 characters")
	}
	if id.Shared() {
		return bad("this name is taken: choose another")
	}
	digits, letters := 0, 0
	for i := range len(id) {
		switch c := id[i]; {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'z':
			letters++
		case c != '.' && c != '_' && c != '-':
			return bad("an account id has only the characters a-z, 0-9, '.', '_' and '-'")
		}
	}
	if letters == 0 && digits > 10 {
		e := bad("an account id must not be a phone number: choose a name").(*InvalidError)
		e.Key = Key{} // it is not to be repeated in logs
		return e
	}
	return nil
}

// CheckOwnerID tells whether records can belong to the id: that of an account,
// or a shared one. The error is an *InvalidError.
func CheckOwnerID(id AccountID) error {
	if id.Shared() {
		return nil
	}
	return CheckAccountID(id)
}

// Check tells whether the key can be stored. The error is an *InvalidError.
func (k Key) Check() error {
	if err := CheckOwnerID(k.Account); err != nil {
		return err
	}
	if !k.Kind.known() {
		return &InvalidError{k, "there is no such kind of record"}
	}
	if len(k.Sub) > maxName {
		return &InvalidError{k, "the sub has more than 64 characters"}
	}
	for i := range len(k.Sub) {
		c := k.Sub[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '-' {
			return &InvalidError{k, "the sub has only the characters a-z, A-Z, 0-9, '.', '_' and '-'"}
		}
	}
	return nil
}

// Check tells whether a store can take the commit at all, whatever it contains
// already: valid keys, none twice, sizes within the limits. Stores call it first.
// The error is an *InvalidError or a *TooLargeError.
func (c Commit) Check() error {
	items, size := len(c.Put)+len(c.Delete)+len(c.Absent), 0
	for _, r := range c.Put {
		if len(r.Data) > MaxRecordSize {
			return &TooLargeError{Items: 1, Bytes: len(r.Data)}
		}
		size += len(r.Data)
	}
	if size += 256 * items; items > MaxCommitItems || size > MaxCommitSize {
		return &TooLargeError{Items: items, Bytes: size}
	}
	seen := make(map[Key]struct{}, items)
	check := func(k Key) error {
		if err := k.Check(); err != nil {
			return err
		}
		if _, twice := seen[k]; twice {
			return &InvalidError{k, "the record appears twice in one commit"}
		}
		seen[k] = struct{}{}
		return nil
	}
	for _, r := range c.Put {
		if r.Version == 0 {
			return &InvalidError{r.Key, "the record has no format version"}
		}
		if err := check(r.Key); err != nil {
			return err
		}
	}
	for _, k := range c.Delete {
		if err := check(k); err != nil {
			return err
		}
	}
	for _, k := range c.Absent {
		if err := k.Check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckNode tells whether a node can own a store: its name has 1 to 64 printable
// ASCII characters. The error is an *InvalidError.
func CheckNode(node string) error {
	ok := len(node) >= 1 && len(node) <= maxName
	for i := range len(node) {
		ok = ok && node[i] > ' ' && node[i] < 0x7f
	}
	if !ok {
		return &InvalidError{Reason: "a node name has 1 to 64 printable characters without spaces"}
	}
	return nil
}
