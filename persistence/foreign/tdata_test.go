package foreign

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// counting is randomness that is none: 0, 1, 2 … from a beginning.
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func folder(files map[string][]byte) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: content}
	}
	return dir
}

func writtenTData(t *testing.T, passcode string, list ...Session) map[string][]byte {
	t.Helper()
	var random counting
	files, err := EncodeDir(TData, list, []byte(passcode), &random)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// builder writes folders as versions of Telegram Desktop did that are not written any more.
type builder struct {
	w tdWriter
}

func newBuilder(name string) *builder {
	var random counting
	secret := make([]byte, crypt.KeySize)
	for i := range secret {
		secret[i] = byte(3 * i)
	}
	local, err := crypt.NewAuthKey(secret)
	if err != nil {
		panic(err)
	}
	return &builder{tdWriter{t: tdata{name: name, local: local}, random: &random, files: map[string][]byte{}}}
}

var builderSalt = bytes.Repeat([]byte{7}, tdSaltSize)

// locked is the local key under a passcode.
func (b *builder) locked(passcode string, derive func(passcode, salt []byte) (*crypt.AuthKey, error)) []byte {
	key, err := derive([]byte(passcode), builderSalt)
	if err != nil {
		panic(err)
	}
	return b.w.encrypt(b.w.t.local.Bytes(), key)
}

// accounts writes a key file for the accounts of these numbers.
func (b *builder) accounts(numbers ...int32) *builder {
	info := be32(int32(len(numbers)))
	info = append(info, be32(numbers...)...)
	return b.info(append(info, be32(0)...))
}

func (b *builder) info(info []byte) *builder {
	data := appendQt(appendQt(nil, builderSalt), b.locked("", passcodeKey))
	b.w.files["key_"+b.w.t.name+"s"] = tdf(appendQt(data, b.w.encrypt(info, b.w.t.local)))
	return b
}

// file writes what an account's file holds.
func (b *builder) file(account int, plain []byte) *builder {
	b.w.files[b.w.t.part(account)+"s"] = tdf(appendQt(nil, b.w.encrypt(plain, b.w.t.local)))
	return b
}

func be32(values ...int32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func block(id int32, content []byte) []byte { return appendQt(be32(id), content) }

func keyOf(dc int32) []byte {
	s := sample()
	return append(be32(dc), s.Key[:]...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// oldAuth is the authorization with a 32-bit user id.
func oldAuth(user, main int32, keys ...[]byte) []byte {
	return block(tdBlockAuth, join(be32(user, main, int32(len(keys))), join(keys...), be32(0)))
}

func tdataWant(change func(*Session)) Session {
	s := sample()
	s.Format, s.Addr, s.APIID, s.Bot, s.Test = TData, "", 0, Unknown, Unknown
	s.Dropped = []string{"everything else that Telegram Desktop keeps"}
	if change != nil {
		change(&s)
	}
	return s
}

func TestLayoutsOfOlderVersionsOfTelegramDesktopAreRead(t *testing.T) {
	config := func(b *builder, environment int32) {
		inner := join(be32(1, environment), appendQt(nil, []byte("options")), be32(200, 10000))
		b.w.files[b.w.t.part(0)+"/configs"] = tdf(appendQt(nil, b.w.encrypt(appendQt(nil, inner), b.w.t.local)))
	}
	for name, c := range map[string]struct {
		build    func() map[string][]byte
		passcode string
		change   func(*Session)
	}{
		"32-bit user ids": {func() map[string][]byte {
			return newBuilder("data").accounts(0).file(0, oldAuth(777000123, 2, keyOf(2))).w.files
		}, "", nil},
		"a block for each key": {func() map[string][]byte {
			plain := join(be32(tdBlockUser, 777000123, 2), be32(tdBlockKey), keyOf(2), be32(tdBlockKey), keyOf(3), be32(0x4a, 9))
			return newBuilder("data").accounts(0).file(0, plain).w.files
		}, "", func(s *Session) { s.Guests = []GuestKey{{DC: 3, Key: s.Key}} }},
		"one account, its key in the map file": {func() map[string][]byte {
			b := newBuilder("data").file(0, oldAuth(777000123, 2, keyOf(2)))
			b.w.files[b.w.t.part(0)+"/map1"] = tdf(appendQt(appendQt(appendQt(nil, builderSalt), b.locked("", oldPasscodeKey)), nil))
			return b.w.files
		}, "", nil},
		"the same with a passcode": {func() map[string][]byte {
			b := newBuilder("data").file(0, oldAuth(777000123, 2, keyOf(2)))
			b.w.files[b.w.t.part(0)+"/map0"] = tdf(appendQt(appendQt(appendQt(nil, builderSalt), b.locked("ключ", oldPasscodeKey)), nil))
			return b.w.files
		}, "ключ", nil},
		"another data name": {func() map[string][]byte {
			return newBuilder("work").accounts(1).file(1, oldAuth(777000123, 2, keyOf(2))).w.files
		}, "", nil},
		"a place with nobody in it": {func() map[string][]byte {
			return newBuilder("data").accounts(0, 1, 2).file(0, oldAuth(777000123, 2, keyOf(2))).file(1, oldAuth(0, 0)).w.files
		}, "", func(s *Session) {
			s.Dropped = append(s.Dropped, "a place for an account with nobody signed in")
		}},
		"a CDN's key": {func() map[string][]byte {
			return newBuilder("data").accounts(0).file(0, oldAuth(777000123, 2, keyOf(2), keyOf(203))).w.files
		}, "", func(s *Session) { s.Dropped = append([]string{"a key for DC 203"}, s.Dropped...) }},
		"the test servers, by its config": {func() map[string][]byte {
			b := newBuilder("data").accounts(0).file(0, oldAuth(777000123, 2, keyOf(2)))
			config(b, 1)
			return b.w.files
		}, "", func(s *Session) { s.Test = Yes }},
		"production, by its config": {func() map[string][]byte {
			b := newBuilder("data").accounts(0).file(0, oldAuth(777000123, 2, keyOf(2)))
			config(b, 0)
			return b.w.files
		}, "", func(s *Session) { s.Test = No }},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := ParseDir(folder(c.build()), []byte(c.passcode))
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 1 {
				t.Fatalf("%d accounts", len(list))
			}
			same(t, list[0], tdataWant(c.change))
		})
	}
}

func TestTheFolderAboveTDataIsAsGood(t *testing.T) {
	files := map[string][]byte{"Telegram": []byte("a program"), "log.txt": nil}
	for name, content := range writtenTData(t, "", sample()) {
		files["tdata/"+name] = content
	}
	list, err := ParseDir(folder(files), nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d accounts, %v", len(list), err)
	}
	same(t, list[0], tdataWant(nil))
}

func TestTheNewestValidFileOfANameIsTaken(t *testing.T) {
	b := newBuilder("data").accounts(0)
	part := b.w.t.part(0)
	older := b.file(0, oldAuth(5, 2, keyOf(2))).w.files[part+"s"]
	newer := b.file(0, oldAuth(777000123, 2, keyOf(2))).w.files[part+"s"]
	delete(b.w.files, part+"s")
	at := func(minute int) time.Time { return time.Date(2020, 1, 1, 0, minute, 0, 0, time.UTC) }
	broken := append([]byte(nil), newer...)
	broken[len(broken)-1]++
	for name, c := range map[string]struct {
		files map[string]*fstest.MapFile
		user  int64
	}{
		"s before the others": {map[string]*fstest.MapFile{"s": {Data: newer, ModTime: at(1)}, "0": {Data: older, ModTime: at(2)}}, 777000123},
		"0 is newer":          {map[string]*fstest.MapFile{"0": {Data: newer, ModTime: at(2)}, "1": {Data: older, ModTime: at(1)}}, 777000123},
		"1 is newer":          {map[string]*fstest.MapFile{"0": {Data: older, ModTime: at(1)}, "1": {Data: newer, ModTime: at(2)}}, 777000123},
		"the newer is broken": {map[string]*fstest.MapFile{"0": {Data: broken, ModTime: at(2)}, "1": {Data: older, ModTime: at(1)}}, 5},
		"only 1":              {map[string]*fstest.MapFile{"1": {Data: newer}}, 777000123},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(b.w.files)
			for end, file := range c.files {
				dir[part+end] = file
			}
			list, err := ParseDir(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if list[0].UserID != c.user {
				t.Errorf("user %d, want %d", list[0].UserID, c.user)
			}
		})
	}
}

func TestAPasscodeThatIsMissingOrWrongIsToldApart(t *testing.T) {
	for dir, files := range map[string]fs.FS{
		"as written here": folder(writtenTData(t, "correct horse", sample())),
		"as mtcute wrote": os.DirFS("testdata/js/tdata-passcode"),
	} {
		for passcode, needed := range map[string]bool{"": true, "correct": false, "correct horse ": false} {
			_, err := ParseDir(files, []byte(passcode))
			var p *PasscodeError
			if !errors.As(err, &p) || p.Needed != needed {
				t.Errorf("%s: passcode %q: %v", dir, passcode, err)
			}
		}
	}
}

func TestTDataIsWrittenAsItIsRead(t *testing.T) {
	var other Key
	for i := range other {
		other[i] = byte(200 - i)
	}
	second := Session{DC: 4, Key: other, UserID: 1 << 40}
	first := sample()
	first.Guests = []GuestKey{{DC: 1, Key: other}, {DC: 4, Key: other}}
	for _, passcode := range []string{"", "correct horse"} {
		files := writtenTData(t, passcode, first, second)
		if names := len(files); names != 5 {
			t.Errorf("%d files", names)
		}
		list, err := ParseDir(folder(files), []byte(passcode))
		if err != nil || len(list) != 2 {
			t.Fatalf("%d accounts, %v", len(list), err)
		}
		same(t, list[0], tdataWant(func(s *Session) { s.Guests = first.Guests }))
		same(t, list[1], Session{Format: TData, DC: 4, Key: other, UserID: 1 << 40, Dropped: tdataWant(nil).Dropped})
	}
}

func TestATDataFolderIsNotWrittenWithoutWhatItNeeds(t *testing.T) {
	nobody, nowhere := sample(), sample()
	nobody.UserID = 0
	nowhere.DC = 0
	var random counting
	for name, c := range map[string]struct {
		format Format
		list   []Session
		reason Reason
	}{
		"another format":     {GramJSStore, []Session{sample()}, ReasonNotWritten},
		"no accounts":        {TData, nil, ReasonMissing},
		"too many accounts":  {TData, make([]Session, 4), ReasonMissing},
		"nobody's":           {TData, []Session{nobody}, ReasonMissing},
		"a session of no DC": {TData, []Session{nowhere}, ReasonDC},
	} {
		_, err := EncodeDir(c.format, c.list, nil, &random)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	if _, err := EncodeDir(TData, []Session{sample()}, nil, strings.NewReader("too little")); err == nil {
		t.Error("written with randomness that ran out")
	}
}

func TestDamagedFoldersAreRefusedWithTheReason(t *testing.T) {
	good := func() fstest.MapFS { return folder(writtenTData(t, "", sample())) }
	part := newBuilder("data").w.t.part(0)
	edit := func(name string, change func([]byte) []byte) fstest.MapFS {
		dir := good()
		dir[name] = &fstest.MapFile{Data: change(bytes.Clone(dir[name].Data))}
		return dir
	}
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 1; return b } }
	built := func(plain []byte) fstest.MapFS {
		return folder(newBuilder("data").accounts(0).file(0, plain).w.files)
	}
	listed := func(info []byte) fstest.MapFS {
		return folder(newBuilder("data").info(info).file(0, oldAuth(1, 2, keyOf(2))).w.files)
	}
	var keys [][]byte
	for range 40 {
		keys = append(keys, keyOf(1))
	}
	twoNames := good()
	twoNames["key_works"] = twoNames["key_datas"]
	foreignFile := good()
	foreignFile[part+"s"] = &fstest.MapFile{Data: newBuilder("data").file(0, oldAuth(1, 2, keyOf(2))).w.files[part+"s"]}
	store := func(change map[string]string) fstest.MapFS {
		dir := fstest.MapFS{}
		files := map[string]string{"x%3AauthKey": `{"type":"Buffer","data":[` + strings.TrimSuffix(strings.Repeat("1,", 256), ",") + `]}`,
			"x%3AdcId": "2", "x%3Aport": "443", "x%3AserverAddress": `"149.154.167.50"`}
		maps.Copy(files, change)
		for name, content := range files {
			if content != "" {
				dir[name] = &fstest.MapFile{Data: []byte(content)}
			}
		}
		return dir
	}
	many := fstest.MapFS{}
	for i := range 70 {
		many[fmt.Sprintf("n%d%%3AauthKey", i)], many[fmt.Sprintf("n%d%%3AdcId", i)] = &fstest.MapFile{}, &fstest.MapFile{}
	}
	for name, c := range map[string]struct {
		dir    fs.FS
		format Format
		reason Reason
	}{
		"an empty folder":                  {fstest.MapFS{}, "", ReasonUnrecognised},
		"somebody's pictures":              {fstest.MapFS{"a.jpg": {}, "b.jpg": {}}, "", ReasonUnrecognised},
		"no folder":                        {os.DirFS("testdata/none"), "", ReasonUnrecognised},
		"MadelineProto":                    {fstest.MapFS{"safe.php": {}, "lightState.php": {}}, "", ReasonUnreadable},
		"TDLib":                            {fstest.MapFS{"td.binlog": {}, "db.sqlite": {}}, "", ReasonUnreadable},
		"two data names":                   {twoNames, TData, ReasonAmbiguous},
		"keys: no magic":                   {edit("key_datas", flip(0)), TData, ReasonMalformed},
		"keys: another checksum":           {edit("key_datas", flip(300)), TData, ReasonMalformed},
		"keys: cut short":                  {edit("key_datas", func(b []byte) []byte { return b[:100] }), TData, ReasonMalformed},
		"keys: empty":                      {edit("key_datas", func([]byte) []byte { return nil }), TData, ReasonMalformed},
		"keys: a megabyte and more":        {edit("key_datas", func([]byte) []byte { return make([]byte, 1<<20+1) }), TData, ReasonTooLarge},
		"keys: a short salt":               {edit("key_datas", func([]byte) []byte { return tdf(appendQt(nil, []byte("salt"))) }), TData, ReasonMalformed},
		"keys: no accounts":                {listed(be32(0, 0)), TData, ReasonTooLarge},
		"keys: a billion accounts":         {listed(be32(1<<30, 0)), TData, ReasonTooLarge},
		"keys: an account twice":           {listed(be32(2, 0, 0, 0)), TData, ReasonMalformed},
		"keys: a negative account":         {listed(be32(1, -1, 0)), TData, ReasonMalformed},
		"keys: fewer accounts than said":   {listed(be32(3, 0)), TData, ReasonMalformed},
		"no key file, no map":              {fstest.MapFS{part + "s": good()[part+"s"]}, TData, ReasonMalformed},
		"account: another folder's":        {foreignFile, TData, ReasonMalformed},
		"account: nobody":                  {built(oldAuth(0, 0)), TData, ReasonNoAccount},
		"account: unknown settings first":  {built(join(be32(0x55), keyOf(2))), TData, ReasonVersion},
		"account: no key for its DC":       {built(oldAuth(5, 2, keyOf(3))), TData, ReasonKey},
		"account: two keys for its DC":     {built(oldAuth(5, 2, keyOf(2), keyOf(2))), TData, ReasonMalformed},
		"account: too many keys":           {built(oldAuth(5, 2, keys...)), TData, ReasonTooLarge},
		"account: a billion keys":          {built(block(tdBlockAuth, be32(5, 2, 1<<30))), TData, ReasonTooLarge},
		"account: a billion to destroy":    {built(block(tdBlockAuth, be32(5, 2, 0, 1<<30))), TData, ReasonTooLarge},
		"account: fewer keys than said":    {built(block(tdBlockAuth, join(be32(5, 2, 2), keyOf(2), be32(0)))), TData, ReasonMalformed},
		"account: something after it":      {built(block(tdBlockAuth, join(be32(5, 2, 1), keyOf(2), be32(0, 9)))), TData, ReasonMalformed},
		"account: a block longer than it":  {built(be32(tdBlockAuth, 5000, 1)), TData, ReasonMalformed},
		"account: many single keys":        {built(bytes.Repeat(join(be32(tdBlockKey), keyOf(2)), 40)), TData, ReasonTooLarge},
		"account: DC 9":                    {built(oldAuth(5, 9, keyOf(9))), TData, ReasonDC},
		"account: a key of zeros":          {built(oldAuth(5, 2, append(be32(2), make([]byte, 256)...))), TData, ReasonKey},
		"account: a user above 52 bits":    {built(block(tdBlockAuth, join(be32(-1, -1, -1, -1, 2, 1), keyOf(2), be32(0)))), TData, ReasonMalformed},
		"store: a key of 255":              {store(map[string]string{"x%3AauthKey": `{"type":"Buffer","data":[1,2]}`}), GramJSStore, ReasonKey},
		"store: no key yet":                {store(map[string]string{"x%3AauthKey": `{}`}), GramJSStore, ReasonKey},
		"store: a key of 257":              {store(map[string]string{"x%3AauthKey": `{"data":[` + strings.Repeat("1,", 256) + `1]}`}), GramJSStore, ReasonKey},
		"store: a byte of 256":             {store(map[string]string{"x%3AauthKey": `{"data":[256]}`}), GramJSStore, ReasonKey},
		"store: a key of zeros":            {store(map[string]string{"x%3AauthKey": `{"data":[` + strings.Repeat("0,", 255) + `0]}`}), GramJSStore, ReasonKey},
		"store: a key that is a text":      {store(map[string]string{"x%3AauthKey": `"AAAA"`}), GramJSStore, ReasonMalformed},
		"store: a large file":              {store(map[string]string{"x%3AauthKey": strings.Repeat(" ", 1<<20)}), GramJSStore, ReasonTooLarge},
		"store: a DC that is a text":       {store(map[string]string{"x%3AdcId": `"2"`}), GramJSStore, ReasonMalformed},
		"store: DC 0":                      {store(map[string]string{"x%3AdcId": `0`}), GramJSStore, ReasonDC},
		"store: an address without a port": {store(map[string]string{"x%3Aport": ""}), GramJSStore, ReasonMalformed},
		"store: port 0":                    {store(map[string]string{"x%3Aport": "0"}), GramJSStore, ReasonMalformed},
		"store: an address that is a URL":  {store(map[string]string{"x%3AserverAddress": `"https://x"`}), GramJSStore, ReasonMalformed},
		"store: seventy sessions":          {many, GramJSStore, ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDir(c.dir, nil)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("the error is %T: %v", err, err)
			}
			if e.Format != c.format || e.Reason != c.reason {
				t.Errorf("refused as %q, %q: %v\nwant %q, %q", e.Format, e.Reason, e, c.format, c.reason)
			}
			quotesNothing(t, err, "")
		})
	}
}
