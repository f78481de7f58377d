package foreign

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// held checks what must hold of every answer, whatever the input: a session that passes its own check, or one of the two
// errors and no key.
func held(t *testing.T, s Session, err error) {
	t.Helper()
	if err == nil {
		if err := s.Check(); err != nil {
			t.Fatalf("a session was answered that does not hold: %v", err)
		}
		return
	}
	var e *Error
	var p *PasscodeError
	if !errors.As(err, &e) && !errors.As(err, &p) {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	if s.Key != (Key{}) {
		t.Fatal("a key came with an error")
	}
}

// rewritten checks that what was read is read again from what is written of it.
func rewritten(t *testing.T, f Format, s Session) {
	t.Helper()
	text, err := Encode(f, s)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Reason != ReasonMissing {
			t.Fatalf("%s cannot be written: %v", f, err)
		}
		return
	}
	again, err := ParseTextAs(f, text)
	if err != nil {
		t.Fatalf("what was written as %s is not read: %v", f, err)
	}
	if again.Key != s.Key || again.DC != s.DC {
		t.Fatalf("what was written as %s is read as another session", f)
	}
}

func FuzzParseText(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.text()))
	}
	for _, format := range []Format{Gogram, GoTD, GoTGProto} {
		f.Add([]byte(written(format)()))
	}
	for _, m := range otherMalformed() {
		if len(m.text) < 1000 {
			f.Add([]byte(m.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseText(text)
		held(t, s, err)
		if err == nil {
			rewritten(t, s.Format, s)
		}
	})
}

// fuzzBytes fuzzes the reader of one format beneath its base64, which a fuzzer seldom gets through.
func fuzzBytes(f *testing.F, format Format, prefix string, seeds ...string) {
	for _, seed := range append(seeds, written(format)()) {
		data, ok := decode64(bytes.TrimPrefix([]byte(seed), []byte(prefix)))
		if !ok {
			f.Fatal("a seed is no base64")
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := prefix + base64.RawURLEncoding.EncodeToString(data)
		s, err := ParseTextAs(format, []byte(text))
		held(t, s, err)
		if err == nil {
			rewritten(t, format, s)
		}
	})
}

func FuzzTelethon(f *testing.F) {
	seed, err := os.ReadFile("testdata/telethon/ipv6.txt")
	if err != nil {
		f.Fatal(err)
	}
	fuzzBytes(f, Telethon, "1", string(seed))
}
func FuzzGramJS(f *testing.F) { fuzzBytes(f, GramJS, "1") }
func FuzzPyrogram(f *testing.F) {
	fuzzBytes(f, Pyrogram, "", oldPyrogram(8), oldPyrogram(4))
}
func FuzzMTCute(f *testing.F)       { fuzzBytes(f, MTCute, "", mtcuteWithMedia()) }
func FuzzMTKruto(f *testing.F)      { fuzzBytes(f, MTKruto, "") }
func FuzzGogram(f *testing.F)       { fuzzBytes(f, Gogram, gogramJSON) }
func FuzzGogramFields(f *testing.F) { fuzzFields(f) }
func FuzzGoTGProto(f *testing.F)    { fuzzBytes(f, GoTGProto, "") }

func fuzzFields(f *testing.F) {
	for _, sep := range []string{":_:", "::"} {
		f.Add([]byte(oldGogram(sep, "149.154.167.50:443")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseTextAs(Gogram, []byte(gogramFields+base64.RawURLEncoding.EncodeToString(data)))
		held(t, s, err)
		if err == nil {
			rewritten(t, Gogram, s)
		}
	})
}

func FuzzGoTD(f *testing.F) {
	f.Add([]byte(written(GoTD)()))
	f.Add([]byte(`{"Version":1,"Data":{"Config":{"TestMode":true},"DC":2,"AuthKey":"AAAA"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseTextAs(GoTD, text)
		held(t, s, err)
		if err == nil {
			rewritten(t, GoTD, s)
		}
	})
}

// FuzzTData fuzzes an account's file and the list of accounts beneath their encryption.
func FuzzTData(f *testing.F) {
	f.Add(be32(1, 0, 0), oldAuth(5, 2, keyOf(2)))
	f.Add(be32(2, 0, 1, 0), join(be32(tdBlockUser, 5, 2, tdBlockKey), keyOf(2)))
	f.Add(be32(1, 0, 0), block(tdBlockAuth, join(be32(-1, -1, 0, 5, 2, 1), keyOf(2), be32(1), keyOf(4))))
	f.Fuzz(func(t *testing.T, info, plain []byte) {
		b := newBuilder("data").info(info).file(0, plain).file(1, plain)
		list, err := ParseDir(folder(b.w.files), nil)
		if err != nil {
			held(t, Session{}, err)
		}
		for _, s := range list {
			held(t, s, nil)
		}
	})
}

// FuzzTDataFile fuzzes the files as they lie on the disk.
func FuzzTDataFile(f *testing.F) {
	var random counting
	files, err := EncodeDir(TData, []Session{sample()}, nil, &random)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(files["key_datas"][tdfHead:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := folder(files)
		dir["key_datas"] = &fstest.MapFile{Data: tdf(data)}
		if _, err := ParseDir(dir, nil); err != nil {
			held(t, Session{}, err)
		}
		dir["key_datas"] = &fstest.MapFile{Data: data}
		if _, err := ParseDir(dir, nil); err != nil {
			held(t, Session{}, err)
		}
	})
}

func FuzzGramJSStore(f *testing.F) {
	read := func(field string) []byte {
		content, err := os.ReadFile(filepath.Join("testdata/js/store", "store%3A"+field))
		if err != nil {
			f.Fatal(err)
		}
		return content
	}
	f.Add(read(storeKey), read(storeDC), read(storeAddr), read(storePort))
	f.Fuzz(func(t *testing.T, key, dc, addr, port []byte) {
		list, err := ParseDir(folder(map[string][]byte{"a:authKey": key, "a:dcId": dc, "a:serverAddress": addr, "a:port": port}), nil)
		if err != nil {
			held(t, Session{}, err)
			return
		}
		rewritten(t, GramJS, list[0])
	})
}
