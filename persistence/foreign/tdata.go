package foreign

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

const (
	// maxTDataAccounts bounds the list of accounts; Telegram Desktop takes three, six with Premium, and forks more.
	maxTDataAccounts = 64
	// maxTDataKeys bounds each list of keys of an account: one for each DC, CDN DCs among them, of which there are a dozen.
	maxTDataKeys = 32

	tdataName = "data" // what Telegram Desktop's option -key changes

	tdBlockKey  = 0x00 // settings blocks that hold keys and who is signed in
	tdBlockUser = 0x01
	tdBlockAuth = 0x4b
)

// tdata is an opened folder: the local key, and the accounts' numbers.
type tdata struct {
	dir      fs.FS
	name     string // "data" unless -key said otherwise
	local    *crypt.AuthKey
	accounts []int
}

// parseTData reads the accounts of a tdata folder.
func parseTData(dir fs.FS, name string, passcode []byte) ([]Session, error) {
	t := tdata{dir: dir, name: name}
	if err := t.unlock(passcode); err != nil {
		return nil, err
	}
	defer t.local.Wipe()
	var list []Session
	var empty int
	for _, n := range t.accounts {
		s, err := t.account(n)
		if err == nil {
			err = s.Check()
		}
		if e, is := err.(*Error); is && e.Reason == ReasonNoAccount {
			empty++
			continue
		}
		if err != nil {
			s.Wipe()
			for i := range list {
				list[i].Wipe()
			}
			return nil, err
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, bad(TData, ReasonNoAccount, "", "nobody is signed in there")
	}
	if empty > 0 {
		list[0].Dropped = append(list[0].Dropped, "a place for an account with nobody signed in")
	}
	return list, nil
}

// unlock reads key_datas, or the map file where there is none yet.
func (t *tdata) unlock(passcode []byte) error {
	file := "key_" + t.name
	data, err := readTDF(t.dir, file)
	if err != nil {
		return err
	}
	if data == nil {
		return t.unlockOld(passcode)
	}
	r := qtReader{b: data}
	salt, locked, info := r.bytes(), r.bytes(), r.bytes()
	if r.failed || len(salt) != tdSaltSize {
		return bad(TData, ReasonMalformed, file, "its parts do not fit its length, or its salt is not one: it is damaged")
	}
	if err := t.open(file, locked, salt, passcode, passcodeKey); err != nil {
		return err
	}
	plain, ok := decryptLocal(info, t.local)
	if !ok {
		return bad(TData, ReasonMalformed, file, "its list of accounts does not decrypt: it is damaged")
	}
	defer clear(plain)
	r = qtReader{b: plain}
	count := r.int32()
	if count < 1 || count > maxTDataAccounts {
		return bad(TData, ReasonTooLarge, file, "it has %d accounts, not between 1 and %d: it is damaged", count, maxTDataAccounts)
	}
	for range count {
		n := r.int32()
		if n < 0 || n >= maxTDataAccounts || slices.Contains(t.accounts, int(n)) {
			return bad(TData, ReasonMalformed, file, "its list of accounts has a number twice, or one that is none: it is damaged")
		}
		t.accounts = append(t.accounts, int(n))
	}
	if r.failed {
		return bad(TData, ReasonMalformed, file, "its list of accounts ends early: it is damaged")
	}
	return nil
}

// unlockOld reads the local key of a folder from before there could be several accounts: it lies in the map file.
func (t *tdata) unlockOld(passcode []byte) error {
	file := t.part(0) + "/map"
	data, err := readTDF(t.dir, file)
	if err != nil {
		return err
	}
	if data == nil {
		return bad(TData, ReasonMalformed, "key_"+t.name+"s", "there is no such file, nor the map file of older versions: the folder is incomplete")
	}
	r := qtReader{b: data}
	salt, locked := r.bytes(), r.bytes()
	if r.failed || len(salt) != tdSaltSize {
		return bad(TData, ReasonMalformed, file, "it holds no local key, and there is no key_%ss: the folder is incomplete", t.name)
	}
	t.accounts = []int{0}
	return t.open(file, locked, salt, passcode, oldPasscodeKey)
}

// open decrypts the local key with the passcode.
func (t *tdata) open(file string, locked, salt, passcode []byte, derive func(passcode, salt []byte) (*crypt.AuthKey, error)) error {
	key, err := derive(passcode, salt)
	if err != nil {
		return err
	}
	defer key.Wipe()
	plain, ok := decryptLocal(locked, key)
	if !ok {
		return &PasscodeError{Needed: len(passcode) == 0}
	}
	defer clear(plain)
	if t.local, err = crypt.NewAuthKey(plain); err != nil {
		return bad(TData, ReasonMalformed, file, "the local key in it has %d bytes, not %d: it is damaged", len(plain), crypt.KeySize)
	}
	return nil
}

// part is the name of an account's file and folder: the first eight bytes of MD5 of its data name, each byte with its
// two hexadecimal digits the other way round.
func (t *tdata) part(account int) string {
	name := t.name
	if account > 0 {
		name += "#" + strconv.Itoa(account+1)
	}
	sum := md5.Sum([]byte(name))
	for i, b := range sum {
		sum[i] = b<<4 | b>>4
	}
	return strings.ToUpper(hex.EncodeToString(sum[:8]))
}

// encrypted reads a file that holds one byte array under the local key. Like readTDF it answers nothing where there is
// no file.
func (t *tdata) encrypted(file string) ([]byte, error) {
	data, err := readTDF(t.dir, file)
	if err != nil || data == nil {
		return nil, err
	}
	r := qtReader{b: data}
	plain, ok := decryptLocal(r.bytes(), t.local)
	if r.failed || !ok {
		return nil, bad(TData, ReasonMalformed, file, "it does not decrypt with the folder's key: it is damaged, or of another folder")
	}
	return plain, nil
}

// account reads one account. The error has ReasonNoAccount where nobody is signed in.
func (t *tdata) account(n int) (Session, error) {
	s := Session{Format: TData}
	file := t.part(n)
	plain, err := t.encrypted(file)
	if err != nil {
		return s, err
	}
	if plain == nil {
		return s, bad(TData, ReasonNoAccount, file, "there is no such file: nobody is signed in there")
	}
	defer clear(plain)
	auth, err := settings(plain, file)
	if err != nil {
		return s, err
	}
	defer auth.wipe()
	if err := auth.fill(&s, file); err != nil {
		return s, err
	}
	s.Test = t.world(n)
	return s, nil
}

// world reads the account's config, which says whether its servers are the test servers. Where it cannot be read
// nothing is known.
func (t *tdata) world(n int) Tristate {
	plain, err := t.encrypted(t.part(n) + "/config")
	if err != nil || plain == nil {
		return Unknown
	}
	outer := qtReader{b: plain}
	r := qtReader{b: outer.bytes()}
	version, environment := r.int32(), r.int32()
	if outer.failed || r.failed || version != 1 || environment < 0 || environment > 1 {
		return Unknown
	}
	return tristate(environment == 1)
}

// tdAuth is what an account's file says about its keys.
type tdAuth struct {
	user    uint64
	main    int32
	keys    []GuestKey
	destroy int
}

func (a *tdAuth) wipe() {
	for i := range a.keys {
		a.keys[i].Key.Wipe()
	}
}

// settings finds the authorization among the settings blocks of an account's file. Today it is the only one. The blocks
// have no length of their own, so that reading ends at one that is not known.
func settings(plain []byte, file string) (tdAuth, error) {
	var a tdAuth
	r := qtReader{b: plain}
	for len(r.b) > 0 && !r.failed {
		switch block := r.uint32(); block {
		case tdBlockAuth:
			inner := qtReader{b: r.bytes()}
			if r.failed {
				break
			}
			return a, a.read(&inner, file)
		case tdBlockKey: // before 2016 each key was a block
			id := r.int32()
			if key := r.take(keySize); key != nil {
				if len(a.keys) == maxTDataKeys {
					return a, tooManyKeys(file)
				}
				a.keys = append(a.keys, GuestKey{DC: int(id), Key: Key(key)})
			}
		case tdBlockUser:
			a.user, a.main = uint64(r.uint32()), r.int32()
		default:
			if a.main != 0 {
				return a, nil
			}
			return a, bad(TData, ReasonVersion, file, "it begins with settings that are not known here (block 0x%x): start a current Telegram Desktop on it once, which rewrites it", block)
		}
	}
	if r.failed {
		return a, bad(TData, ReasonMalformed, file, "its settings end early: it is damaged")
	}
	return a, nil
}

// read reads an authorization: the user, the home DC, the keys, and the keys that are still to be destroyed.
func (a *tdAuth) read(r *qtReader, file string) error {
	*a = tdAuth{}
	a.user, a.main = uint64(r.uint32()), r.int32()
	if a.user == math.MaxUint32 && a.main == -1 { // a user id of 64 bits follows
		a.user, a.main = r.uint64(), r.int32()
	}
	count := r.uint32()
	if count > maxTDataKeys {
		return tooManyKeys(file)
	}
	for range count {
		id, key := r.int32(), r.take(keySize)
		if key == nil {
			break
		}
		a.keys = append(a.keys, GuestKey{DC: int(id), Key: Key(key)})
	}
	destroy := r.uint32()
	if destroy > maxTDataKeys {
		return tooManyKeys(file)
	}
	a.destroy = int(destroy)
	r.take(a.destroy * (4 + keySize))
	if r.failed || len(r.b) > 0 {
		return bad(TData, ReasonMalformed, file, "its list of keys does not fit its length: it is damaged")
	}
	return nil
}

func tooManyKeys(file string) error {
	return bad(TData, ReasonTooLarge, file, "it says that it has more than %d keys: it is damaged", maxTDataKeys)
}

// fill takes the home DC's key as the session's, and the others as its guests'.
func (a *tdAuth) fill(s *Session, file string) error {
	if a.user == 0 { // there may be a key, made before anybody signed in
		return bad(TData, ReasonNoAccount, file, "nobody is signed in there")
	}
	if a.user > maxUserID {
		return bad(TData, ReasonMalformed, file, "it is for a user whose id is none: it is damaged")
	}
	s.UserID, s.DC = int64(a.user), int(a.main)
	found := false
	for i := range a.keys {
		k := &a.keys[i]
		switch {
		case k.DC == s.DC && found:
			return bad(TData, ReasonMalformed, file, "it has two keys for its home DC: it is damaged")
		case k.DC == s.DC:
			s.Key, found = k.Key, true
		case k.DC >= 1 && k.DC <= maxDC && k.Key != Key{}:
			s.Guests = append(s.Guests, *k)
		default:
			s.Dropped = append(s.Dropped, fmt.Sprintf("a key for DC %d", k.DC))
		}
	}
	if !found {
		return bad(TData, ReasonKey, file, "it has no key for its home DC %d: it was saved before the sign-in ended, or is damaged", s.DC)
	}
	if a.destroy > 0 {
		s.Dropped = append(s.Dropped, fmt.Sprintf("%d keys that Telegram Desktop was to destroy", a.destroy))
	}
	s.Dropped = append(s.Dropped, "everything else that Telegram Desktop keeps")
	return nil
}
