package persistence

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// times draws what a record keeps: microseconds, UTC, or the zero time.
var times = rapid.Custom(func(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "zero") {
		return time.Time{}
	}
	return time.UnixMicro(rapid.Int64Range(1, 1<<52).Draw(t, "us")).UTC()
})

func drawKey(t *rapid.T) (k AuthKey) {
	for i := range k {
		k[i] = rapid.Byte().Draw(t, "key")
		if i == 8 {
			break // enough to tell keys apart
		}
	}
	return k
}

func roundTrip[T any](t *rapid.T, v T, rec Record, decode func(Record) (T, error)) {
	if err := rec.Check(); err != nil {
		t.Fatal(err)
	}
	got, err := decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, got); diff != "" {
		t.Fatal(diff)
	}
	// Every cut and every addition is noticed.
	cut := rec
	cut.Data = rec.Data[:rapid.IntRange(0, len(rec.Data)-1).Draw(t, "cut")]
	var ce *CorruptError
	if _, err := decode(cut); !errors.As(err, &ce) || ce.Key != rec.Key {
		t.Fatalf("cut to %d of %d bytes: %v", len(cut.Data), len(rec.Data), err)
	}
	long := rec
	long.Data = append(slices.Clone(rec.Data), 0)
	if _, err := decode(long); !errors.As(err, &ce) {
		t.Fatalf("one byte too many: %v", err)
	}
	future := rec
	future.Version++
	var ve *VersionError
	if _, err := decode(future); !errors.As(err, &ve) || ve.Version != rec.Version+1 || ve.Known != rec.Version {
		t.Fatalf("of the next version: %v", err)
	}
	other := rec
	other.Kind = rec.Kind%KindMeta + 1
	var ie *InvalidError
	if _, err := decode(other); !errors.As(err, &ie) {
		t.Fatalf("of another kind: %v", err)
	}
	none := rec
	none.Version = 0
	if _, err := decode(none); !errors.As(err, &ce) {
		t.Fatalf("without a version: %v", err)
	}
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	str := rapid.StringN(0, 20, -1)
	dc := rapid.IntRange(-10005, 10005)
	i64, i32 := rapid.Int64(), rapid.Int32()
	labels := rapid.Custom(func(t *rapid.T) Labels {
		l, err := NewLabels(rapid.MapOfN(rapid.StringMatching(`[a-z0-9._/-]{0,8}[a-z0-9]`), rapid.StringMatching(`[A-Za-z0-9.:@+]{0,8}`), 0, 5).Draw(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		return l
	})
	for name, check := range map[string]func(*rapid.T){
		"account": func(t *rapid.T) {
			v := Account{
				ID: "alice", Bot: rapid.Bool().Draw(t, ""), Created: times.Draw(t, ""), PFS: rapid.Bool().Draw(t, ""),
				Paused: rapid.Bool().Draw(t, ""), SignedIn: rapid.Bool().Draw(t, ""), UserID: i64.Draw(t, ""), HomeDC: dc.Draw(t, ""),
				State: str.Draw(t, ""), StateSince: times.Draw(t, ""), StateWhy: str.Draw(t, ""),
				StateBack: str.Draw(t, ""), Labels: labels.Draw(t, ""), Proxy: SecretText(str.Draw(t, "")),
			}
			roundTrip(t, v, v.Record(), DecodeAccount)
		},
		"login": func(t *rapid.T) {
			v := Login{Flow: str.Draw(t, ""), Updated: times.Draw(t, "")}
			if s := str.Draw(t, ""); s != "" {
				v.State = Secret(s)
			}
			roundTrip(t, v, v.Record("alice"), DecodeLogin)
		},
		"perm key": func(t *rapid.T) {
			v := PermKey{
				DC: dc.Draw(t, ""), Key: drawKey(t), KeyID: i64.Draw(t, ""), Created: times.Draw(t, ""), Origin: Origin(rapid.Byte().Draw(t, "")),
				Fingerprint: i64.Draw(t, ""), LastGoodBind: times.Draw(t, ""), Revoked: times.Draw(t, ""),
			}
			roundTrip(t, v, v.Record("alice"), DecodePermKey)
		},
		"temp key": func(t *rapid.T) {
			v := TempKey{
				DC: dc.Draw(t, ""), Key: drawKey(t), KeyID: i64.Draw(t, ""), PermKeyID: i64.Draw(t, ""),
				Created: times.Draw(t, ""), ExpiresAt: times.Draw(t, ""), Bound: rapid.Bool().Draw(t, ""),
			}
			roundTrip(t, v, v.Record("alice"), DecodeTempKey)
		},
		"session": func(t *rapid.T) {
			v := Session{DC: dc.Draw(t, ""), KeyID: i64.Draw(t, ""), TimeOffset: time.Duration(i64.Draw(t, ""))}
			for range rapid.IntRange(0, 5).Draw(t, "salts") {
				v.Salts = append(v.Salts, Salt{i64.Draw(t, ""), rapid.Uint32().Draw(t, ""), rapid.Uint32().Draw(t, "")})
			}
			roundTrip(t, v, v.Record("alice"), DecodeSession)
		},
		"updates": func(t *rapid.T) {
			v := Updates{i32.Draw(t, ""), i32.Draw(t, ""), i32.Draw(t, ""), i32.Draw(t, "")}
			roundTrip(t, v, v.Record("alice"), DecodeUpdates)
		},
		"channels": func(t *rapid.T) {
			v := Channels{Page: rapid.IntRange(0, 99).Draw(t, "")}
			for range rapid.IntRange(0, 5).Draw(t, "channels") {
				v.List = append(v.List, Channel{i64.Draw(t, ""), i64.Draw(t, ""), i32.Draw(t, "")})
			}
			roundTrip(t, v, v.Record("alice"), DecodeChannels)
		},
		"peers": func(t *rapid.T) {
			v := Peers{Page: rapid.IntRange(0, 99).Draw(t, "")}
			for range rapid.IntRange(0, 5).Draw(t, "peers") {
				v.List = append(v.List, Peer{
					Kind: rapid.Uint8Range(0, 3).Draw(t, ""), Min: rapid.Bool().Draw(t, ""), Bot: rapid.Bool().Draw(t, ""),
					Seen: rapid.Uint32().Draw(t, ""), ID: i64.Draw(t, ""), AccessHash: i64.Draw(t, ""), Username: rapid.String().Draw(t, ""),
				})
			}
			roundTrip(t, v, v.Record("alice"), DecodePeers)
		},
		"guest": func(t *rapid.T) {
			v := Guest{
				DC: dc.Draw(t, ""), Authorized: rapid.Bool().Draw(t, ""), Since: times.Draw(t, ""), Refusals: int(i32.Draw(t, "")),
				RefusedUntil: times.Draw(t, ""), RefusedCode: int(i32.Draw(t, "")), RefusedText: str.Draw(t, ""), KeyDropped: times.Draw(t, ""),
			}
			roundTrip(t, v, v.Record("alice"), DecodeGuest)
		},
		"wait": func(t *rapid.T) {
			v := Wait{
				Method:  rapid.StringMatching(`[a-z]{0,10}(\.[a-zA-Z]{1,10})?`).Draw(t, ""),
				Subject: rapid.StringMatching(`([0-9a-f]{32})?`).Draw(t, ""),
				Start:   times.Draw(t, ""), Server: rapid.Bool().Draw(t, ""), Length: time.Duration(i64.Draw(t, "")), Why: str.Draw(t, ""),
			}
			roundTrip(t, v, v.Record("alice"), DecodeWait)
		},
		"consumer": func(t *rapid.T) {
			list := rapid.SliceOfN(str, 0, 3)
			v := Consumer{
				Name: rapid.StringMatching(`[a-z0-9._-]{1,40}`).Draw(t, ""), Created: times.Draw(t, ""),
				Accounts: list.Draw(t, ""), Kinds: list.Draw(t, ""), Labels: list.Draw(t, ""),
			}
			for _, l := range []*[]string{&v.Accounts, &v.Kinds, &v.Labels} {
				if len(*l) == 0 {
					*l = nil
				}
			}
			if name, is := ConsumerName(v.Record().Key); !is || name != v.Name || CheckConsumerName(v.Name) != nil {
				t.Fatalf("consumer %q is called %q", v.Name, name)
			}
			roundTrip(t, v, v.Record(), DecodeConsumer)
		},
		"stop of a consumer": func(t *rapid.T) {
			v := ConsumerStop{
				Consumer: rapid.StringMatching(`[a-z0-9._-]{1,40}`).Draw(t, ""), At: times.Draw(t, ""), Why: str.Draw(t, ""), Target: str.Draw(t, ""),
			}
			if name, is := StoppedConsumer(v.Record().Key); !is || name != v.Consumer {
				t.Fatalf("whose stop %v is", v.Record().Key)
			}
			roundTrip(t, v, v.Record(), DecodeConsumerStop)
		},
		"last backup": func(t *rapid.T) {
			v := LastBackup{At: times.Draw(t, ""), Commit: rapid.Uint64().Draw(t, ""), File: str.Draw(t, ""), Bytes: rapid.Int64Min(0).Draw(t, ""), Node: "n" + str.Draw(t, "")}
			alone := v
			alone.Node = ""
			if got, err := decodeLastBackup(alone.Record()); err != nil || !got.At.Equal(alone.At) || got.File != alone.File || got.Node != "" || alone.Record().Version != 1 {
				t.Fatalf("without a node, for older programs too, it is %+v, %v", got, err)
			}
			roundTrip(t, v, v.ScheduledRecord(), decodeLastBackup)
			roundTrip(t, v, v.Record(), decodeLastBackup)
		},
		"dead letter": func(t *rapid.T) {
			v := DeadLetter{
				Consumer: rapid.StringMatching(`[a-z0-9._-]{1,40}`).Draw(t, ""), ID: rapid.StringMatching(`[a-z0-9-]{1,18}`).Draw(t, ""),
				At: times.Draw(t, ""), Account: str.Draw(t, ""), Why: str.Draw(t, ""), Attempts: int(i32.Draw(t, "")),
			}
			if b := rapid.SliceOf(rapid.Byte()).Draw(t, ""); len(b) > 0 {
				v.Body = b
			}
			if !IsDeadLetter(v.Record(), v.Consumer) || IsDeadLetter(v.Record(), v.Consumer+"x") {
				t.Fatalf("whose letter %v is", v.Record().Key)
			}
			roundTrip(t, v, v.Record(), DecodeDeadLetter)
		},
	} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, check) })
	}
}

// The first format has been written to disks: it must stay readable, so its
// bytes are pinned.
func TestFormatsOnDiskDoNotChange(t *testing.T) {
	at := time.UnixMicro(1700000000000000).UTC()
	key := AuthKey{1, 2, 3}
	labels, err := NewLabels(map[string]string{"c": "", "a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	const at8 = "8080f28183898506"
	hexKey := "010203" + strings.Repeat("00", 253)
	for _, v := range []struct {
		rec  Record
		key  string
		want string
	}{
		{Account{ID: "a", Bot: true, Created: at, PFS: true, SignedIn: true, UserID: 5, HomeDC: 2, State: "online", StateSince: at, StateWhy: "x", StateBack: "y", Labels: labels, Proxy: "none"}.Record(),
			`account "a", account`, "01" + at8 + "0100010a04" + "066f6e6c696e65" + at8 + "0178" + "0179" + "06613d622c633d" + "046e6f6e65"},
		{PermKey{DC: 2, Key: key, KeyID: -2, Created: at, Origin: OriginHandshake, Fingerprint: 3, LastGoodBind: at}.Record("a"),
			`account "a", perm key "2"`, "04" + hexKey + "feffffffffffffff" + at8 + "01" + "0300000000000000" + at8 + "00"},
		{PermKey{DC: 2, Revoked: at}.Record("a"), `account "a", perm key "2.revoked"`, ""},
		{TempKey{DC: -4, Key: key, KeyID: -2, PermKeyID: 1, ExpiresAt: at, Bound: true}.Record("a"),
			`account "a", temp key "-4.fffffffffffffffe"`, "07" + hexKey + "feffffffffffffff" + "0100000000000000" + "00" + at8 + "01"},
		{Session{DC: 2, KeyID: 1, TimeOffset: -1, Salts: []Salt{{Value: 9}}}.Record("a"),
			`account "a", session "2"`, "04" + "0100000000000000" + "01" + "01" + "0900000000000000" + "0000"},
		{Updates{1, -1, 300, 0}.Record("a"), `account "a", updates`, "0201d80400"},
		{Channels{7, []Channel{{64, 1, 300}, {-1, -1, 0}}}.Record("a"), `account "a", channels "07"`,
			"0e02" + "8001" + "0100000000000000" + "d804" + "01" + "ffffffffffffffff" + "00"},
		{Peers{3, []Peer{{Kind: 1, Bot: true, Seen: 300, ID: 64, AccessHash: 1, Username: "x"}, {Kind: 3, Min: true, ID: -1, AccessHash: -1}}}.Record("a"),
			`account "a", peers "03"`, "0602" + "09" + "8001" + "0100000000000000" + "ac02" + "0178" + "07" + "01" + "ffffffffffffffff" + "00" + "00"},
		{Guest{DC: 4, Authorized: true, Refusals: 1, RefusedUntil: at, RefusedCode: 400, RefusedText: "x", KeyDropped: at}.Record("a"),
			`account "a", guest "4"`, "080100" + "02" + at8 + "a006" + "0178" + at8},
		{Wait{Method: "auth.sendCode", Start: at, Server: true, Length: 1, Why: "w"}.Record("a"),
			`account "a", wait "auth.sendCode"`, "0d617574682e73656e64436f646500" + at8 + "01020177"},
		{Wait{Method: "m", Subject: "s"}.Record(FleetID), `account "_fleet", wait "s.m"`, "016d01730000" + "0000"},
		{Consumer{Name: "c", Created: at, Accounts: []string{"a"}, Labels: []string{"k=v"}}.Record(), `account "_fleet", meta "consumer.c"`, at8 + "010161" + "00" + "01036b3d76"},
		{ConsumerStop{Consumer: "c", At: at, Why: "w", Target: "t"}.Record(), `account "_fleet", meta "stopped.c"`, at8 + "0177" + "0174"},
		{DeadLetter{Consumer: "c", ID: "7-1", At: at, Account: "a", Why: "w", Attempts: 3, Body: Secret("b")}.Record(), `account "_fleet", meta "dead.c.7-1"`, at8 + "016101770601" + "62"},
		{Login{Flow: "bot", State: Secret("s")}.Record("a"), `account "a", login`, "03626f74017300"},
	} {
		newest := map[Kind]uint16{KindAccount: 4, KindGuest: 2, KindWait: 2}[v.rec.Kind]
		if v.rec.Version != max(newest, 1) {
			t.Fatalf("%v has version %d: pin that version's bytes too", v.rec.Key, v.rec.Version)
		}
		if got := v.rec.Key.String(); got != v.key {
			t.Errorf("key is %s, want %s", got, v.key)
		}
		if got := fmt.Sprintf("%x", []byte(v.rec.Data)); v.want != "" && got != v.want {
			t.Errorf("%v is %s, want %s", v.rec.Key, got, v.want)
		}
	}
}

func TestRecordsOfEarlierVersionsAreRead(t *testing.T) {
	at := time.UnixMicro(1700000000000000).UTC()
	const at8 = "8080f28183898506"
	old := func(key Key, hexData string) Record {
		data, err := hex.DecodeString(hexData)
		if err != nil {
			t.Fatal(err)
		}
		return Record{key, 1, Secret(data)}
	}
	a, err := DecodeAccount(old(AccountKey("a"), "01"+at8+"0100010a04"+"066f6e6c696e65"+at8+"0178"))
	want := Account{ID: "a", Bot: true, Created: at, PFS: true, SignedIn: true, UserID: 5, HomeDC: 2, State: "online", StateSince: at, StateWhy: "x"}
	if err != nil || a != want {
		t.Errorf("an account is read as %+v, %v", a, err)
	}
	second := old(AccountKey("a"), "01"+at8+"0100010a04"+"066f6e6c696e65"+at8+"0178"+"0179")
	second.Version = 2
	want.StateBack = "y"
	if a, err := DecodeAccount(second); err != nil || a != want {
		t.Errorf("an account is read as %+v, %v", a, err)
	}
	third := old(AccountKey("a"), "01"+at8+"0100010a04"+"066f6e6c696e65"+at8+"0178"+"0179"+"02613d")
	third.Version = 3
	if want.Labels, err = NewLabels(map[string]string{"a": ""}); err != nil {
		t.Fatal(err)
	}
	if a, err := DecodeAccount(third); err != nil || a != want {
		t.Errorf("an account is read as %+v, %v", a, err)
	}
	g, err := DecodeGuest(old(GuestKey("a", 4), "0801"+at8))
	if err != nil || g != (Guest{DC: 4, Authorized: true, Since: at}) {
		t.Errorf("a guest is read as %+v, %v", g, err)
	}
	w, err := DecodeWait(old(Key{"a", KindWait, "auth.sendCode"}, "0d617574682e73656e64436f6465"+at8+"0177"))
	if err != nil || w.Method != "auth.sendCode" || w.Why != "w" || !w.Start.Equal(at) || w.Length != 0 {
		t.Errorf("a wait is read as %+v, %v: it is to end at %v", w, err, at)
	}
}

func TestDecodeStateLeavesOutWhatIsBad(t *testing.T) {
	bad := PermKey{DC: 4}.Record("alice")
	bad.Data = bad.Data[:10]
	future := Login{}.Record("alice")
	future.Version = 2
	unknown := Record{Key: Key{"alice", 77, ""}, Version: 1}
	note := Record{Key: Key{"alice", KindMeta, "note"}, Version: 1, Data: Secret("n")}
	s, err := DecodeState([]Record{
		Account{ID: "alice"}.Record(), future, PermKey{DC: 2}.Record("alice"), bad, TempKey{}.Record("alice"),
		Session{}.Record("alice"), Updates{Pts: 1}.Record("alice"), Channels{Page: 3}.Record("alice"), Peers{Page: 4}.Record("alice"), Guest{DC: 4}.Record("alice"), Wait{}.Record("alice"), note, unknown,
	})
	if got, want := BadKeys(err), []Key{future.Key, bad.Key, unknown.Key}; !slices.Equal(got, want) {
		t.Errorf("bad records are %v, want %v", got, want)
	}
	want := State{
		Account: &Account{ID: "alice"}, PermKeys: []PermKey{{DC: 2}}, TempKeys: []TempKey{{}}, Sessions: []Session{{}},
		Updates: &Updates{Pts: 1}, Channels: []Channels{{Page: 3}}, Peers: []Peers{{Page: 4}}, Guests: []Guest{{DC: 4}}, Waits: []Wait{{}}, Meta: []Record{note},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if keys := BadKeys(fmt.Errorf("wrapped: %w", err)); len(keys) != 3 {
		t.Errorf("wrapped: %v", keys)
	}
	if keys := BadKeys(errors.New("other")); keys != nil {
		t.Errorf("of another error: %v", keys)
	}
}

func TestErrorsSayWhatAndWhatToDo(t *testing.T) {
	k := PermKeyKey("alice", 2)
	for _, v := range []struct {
		err  error
		want string
	}{
		{&StaleOwnerError{Owner: Owner{"a", 1}, Current: Owner{"b", 2}}, `persistence: commit of a@1 refused: the store belongs to b@2`},
		{&StaleOwnerError{Owner{"a", 1}, Owner{"b", 2}, "alice"}, `persistence: commit of a@1 refused: account "alice" belongs to b@2`},
		{&StaleOwnerError{}, `persistence: commit of nobody refused: the store belongs to nobody`},
		{&VersionError{k, 3, 1}, `persistence: account "alice", perm key "2": the record has format version 3, this program knows 1: use the newer mtfleet that wrote it (the record is left as it is)`},
		{&CorruptError{k, "its seal does not open"}, `persistence: account "alice", perm key "2": the record is corrupt: its seal does not open: restore the store from a backup, or remove this account and sign in again (other accounts are not affected)`},
		{&TooLargeError{2000, 5}, `persistence: commit of 2000 records and 5 bytes is too large: the limits are 1000 records, 1048576 bytes, and 262144 bytes for one record`},
		{&LockedError{"/data", 12}, `persistence: the store in /data is in use by another process (pid 12): stop that process, or send your command to it`},
		{&LockedError{Dir: "/data"}, `persistence: the store in /data is in use by another process: stop that process, or send your command to it`},
		{&MasterKeyError{"MTFLEET_STORE_KEY", "no"}, `persistence: master key from MTFLEET_STORE_KEY: no`},
		{&WriteError{errors.New("disk full")}, `persistence: write failed, the outcome of the commit is not known: disk full`},
		{CheckAccountID("Alice"), `persistence: account id "Alice": an account id has only the characters a-z, 0-9, '.', '_' and '-'`},
		{CheckAccountID(""), `persistence: an account id has 1 to 64 characters`},
		{CheckAccountID("+49 170"), `persistence: account id "+49 170": an account id has only the characters a-z, 0-9, '.', '_' and '-'`},
		{CheckAccountID("49-170-1234567"), `persistence: an account id must not be a phone number: choose a name`},
		{Key{"alice", 99, ""}.Check(), `persistence: account "alice", kind 99: there is no such kind of record`},
	} {
		if v.err == nil || v.err.Error() != v.want {
			t.Errorf("got  %v\nwant %s", v.err, v.want)
		}
	}
	for _, id := range []AccountID{"a", "alice", "bot-1", "user_2.test", "7771234567", AccountID(strings.Repeat("z", 64))} {
		if err := CheckAccountID(id); err != nil {
			t.Error(err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const marker = "hunter2"
	key := AuthKey([]byte(marker + strings.Repeat("k", 256-len(marker))))
	login := Login{Flow: "bot", State: Secret(marker)}
	values := []any{
		Secret(marker), key, &key, login, &login, PermKey{Key: key}, TempKey{Key: key}, login.Record("alice"),
		[]Record{login.Record("alice")}, Commit{Put: []Record{login.Record("alice")}}, State{Login: &login, PermKeys: []PermKey{{Key: key}}},
	}
	for _, v := range values {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %s %q %x %X %d %c", v, v, v, v, v, v, v, v, v) + log.String() + string(js)
		for _, leak := range []string{marker, "hunter", fmt.Sprintf("%x", marker), fmt.Sprintf("%X", marker), "104, 117, 110", "104 117 110", "0x68, 0x75"} {
			if strings.Contains(out, leak) {
				t.Errorf("%v prints %q: %s", reflect.TypeOf(v), leak, out)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range []Record{
		Account{ID: "a", State: "online"}.Record(), Login{Flow: "bot", State: Secret("x")}.Record("a"), PermKey{DC: 2}.Record("a"), TempKey{}.Record("a"),
		Session{Salts: []Salt{{}, {}}}.Record("a"), Updates{1, 2, 3, 4}.Record("a"), Channels{1, []Channel{{1, 2, 3}}}.Record("a"), Peers{1, []Peer{{1, true, true, 3, 4, 5, "u"}}}.Record("a"), Guest{}.Record("a"), Wait{Method: "m"}.Record("a"),
	} {
		f.Add(uint8(r.Kind), []byte(r.Data))
	}
	f.Add(uint8(KindSession), []byte{4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		rec := Record{Key: Key{"a", Kind(kind), ""}, Version: 1, Data: data}
		s, err := DecodeState([]Record{rec})
		if err != nil && len(BadKeys(err)) != 1 {
			t.Fatalf("untyped error %v", err)
		}
		if err == nil && s.Session() != nil && len(s.Session().Salts) > len(data) {
			t.Fatalf("%d salts in %d bytes", len(s.Session().Salts), len(data))
		}
	})
}

// Session returns the first session, for the fuzz target.
func (s State) Session() *Session {
	if len(s.Sessions) == 0 {
		return nil
	}
	return &s.Sessions[0]
}
