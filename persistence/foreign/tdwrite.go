package foreign

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"math"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

const (
	// tdVersion is the version of Telegram Desktop that written files claim, 5.8.3: newer programs read it and older ones
	// leave it alone.
	tdVersion = 5008003
	// tdWriteAccounts is how many accounts Telegram Desktop opens without Premium.
	tdWriteAccounts = 3
)

// EncodeDir writes sessions as a tdata folder, each account with its home DC's key and its guests' keys, under a local
// passcode if one is given. The result maps paths, with slashes, to contents; the caller writes them with mode 0600 into
// an empty folder named tdata. random makes the salt, the local key and the padding. It fails with an *Error, or with what
// random says.
//
// Telegram Desktop opens such a folder as its own, under its own api_id.
func EncodeDir(f Format, list []Session, passcode []byte, random io.Reader) (map[string][]byte, error) {
	if f != TData {
		return nil, bad(f, ReasonNotWritten, "", "this program writes no such folder")
	}
	if len(list) == 0 || len(list) > tdWriteAccounts {
		return nil, bad(f, ReasonMissing, "", "a tdata folder has 1 to %d accounts, not %d", tdWriteAccounts, len(list))
	}
	salt := make([]byte, tdSaltSize)
	secret := make([]byte, crypt.KeySize)
	defer clear(secret)
	for _, b := range [][]byte{salt, secret} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, err
		}
	}
	local, err := crypt.NewAuthKey(secret)
	if err != nil {
		return nil, err
	}
	defer local.Wipe()
	w := tdWriter{t: tdata{name: tdataName, local: local}, random: random, files: map[string][]byte{}}
	if err := w.keys(salt, secret, passcode, len(list)); err != nil {
		return nil, err
	}
	for n := range list {
		if err := w.account(n, list[n]); err != nil {
			return nil, err
		}
	}
	return w.files, w.err
}

// tdWriter collects the files of a folder. err is the first that random had.
type tdWriter struct {
	t      tdata
	random io.Reader
	files  map[string][]byte
	err    error
}

// keys writes key_datas: the local key under the passcode, and the list of accounts under the local key.
func (w *tdWriter) keys(salt, secret, passcode []byte, accounts int) error {
	key, err := passcodeKey(passcode, salt)
	if err != nil {
		return err
	}
	defer key.Wipe()
	info := binary.BigEndian.AppendUint32(nil, uint32(accounts))
	for n := range accounts {
		info = binary.BigEndian.AppendUint32(info, uint32(n))
	}
	info = binary.BigEndian.AppendUint32(info, 0) // the active one
	data := appendQt(nil, salt)
	data = appendQt(data, w.encrypt(secret, key))
	data = appendQt(data, w.encrypt(info, w.t.local))
	w.files["key_"+w.t.name+"s"] = tdf(data)
	return nil
}

// account writes an account's keys, and an empty map, without which Telegram Desktop sees no account.
func (w *tdWriter) account(n int, s Session) error {
	defer s.Key.Wipe() // of this copy; Guests are the caller's
	s.Format = TData
	if err := s.Check(); err != nil {
		return err
	}
	if s.UserID == 0 {
		return bad(TData, ReasonMissing, "user", "tdata says who is signed in, and the session does not")
	}
	keys := append([]GuestKey{{DC: s.DC, Key: s.Key}}, s.Guests...)
	if len(keys) > maxTDataKeys {
		return bad(TData, ReasonTooLarge, "guests", "it has keys for more than %d DCs", maxTDataKeys)
	}
	inner := make([]byte, 0, 8+8+4+4+len(keys)*(4+keySize)+4)
	plain := make([]byte, 0, 8+cap(inner))
	defer func() {
		(&tdAuth{keys: keys}).wipe()
		clear(inner)
		clear(plain)
	}()
	inner = binary.BigEndian.AppendUint64(inner, math.MaxUint64) // a user id of 64 bits follows
	inner = binary.BigEndian.AppendUint64(inner, uint64(s.UserID))
	inner = binary.BigEndian.AppendUint32(inner, uint32(s.DC))
	inner = binary.BigEndian.AppendUint32(inner, uint32(len(keys)))
	for i := range keys {
		inner = binary.BigEndian.AppendUint32(inner, uint32(keys[i].DC))
		inner = appendKey(inner, &keys[i].Key)
	}
	inner = binary.BigEndian.AppendUint32(inner, 0) // none to destroy
	plain = binary.BigEndian.AppendUint32(plain, tdBlockAuth)
	plain = appendQt(plain, inner)
	part := w.t.part(n)
	w.files[part+"s"] = tdf(appendQt(nil, w.encrypt(plain, w.t.local)))
	// Two byte arrays that older versions had here, and a map of nothing.
	w.files[part+"/maps"] = tdf(appendQt(appendQt(appendQt(nil, nil), nil), w.encrypt(nil, w.t.local)))
	return w.err
}

// encrypt is the inverse of decryptLocal.
func (w *tdWriter) encrypt(data []byte, key *crypt.AuthKey) []byte {
	const block = 16
	n := 4 + len(data)
	plain := make([]byte, (n+block-1)/block*block)
	binary.LittleEndian.PutUint32(plain, uint32(n))
	copy(plain[4:], data)
	if _, err := io.ReadFull(w.random, plain[n:]); err != nil && w.err == nil {
		w.err = err
	}
	sum := sha1.Sum(plain)
	msgKey := [block]byte(sum[:])
	aesKey, iv := crypt.DeriveV1(key, crypt.Server, &msgKey)
	_ = crypt.EncryptIGE(&aesKey, &iv, plain) // whole blocks
	return append(msgKey[:], plain...)
}

// tdf puts data into the envelope of a file.
func tdf(data []byte) []byte {
	version := binary.LittleEndian.AppendUint32(nil, tdVersion)
	h := md5.New()
	h.Write(data)
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	h.Write(version)
	h.Write([]byte(tdfMagic))
	file := append([]byte(tdfMagic), version...)
	return h.Sum(append(file, data...))
}

// appendQt appends a QByteArray.
func appendQt(b, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}
