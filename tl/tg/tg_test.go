package tg_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// Values used by several tests.
var (
	user = &tg.User{
		Self: true, Premium: true, ID: 777, AccessHash: tl.Some(int64(-1)), FirstName: tl.Some("Ann"),
		Phone: tl.Some("9996621234"), Photo: tl.Some[tg.AnyUserProfilePhoto](&tg.UserProfilePhotoEmpty{}),
		Status:       tl.Some[tg.AnyUserStatus](&tg.UserStatusOnline{Expires: 1}),
		Usernames:    tl.Some([]tg.Username{{Active: true, Username: "ann"}}),
		StoriesMaxID: tl.Some(tg.RecentStory{MaxID: tl.Some(int32(9))}),
		Color:        tl.Some[tg.AnyPeerColor](&tg.PeerColor{Color: tl.Some(int32(3))}),
		ProfileColor: tl.Some[tg.AnyPeerColor](&tg.PeerColorCollectible{Colors: []int32{1}}),
		BotGuard:     true,
	}
	authorization = &tg.AuthAuthorization{TmpSessions: tl.Some(int32(1)), User: user}
	deleted       = &tg.UpdateDeleteMessages{Messages: []int32{5, 6}, Pts: 100, PtsCount: 2}
	envelope      = &tg.Updates{
		Updates: []tl.Raw{deleted.Append(nil), (&tg.UpdateConfig{}).Append(nil)}, Users: []tg.AnyUser{user}, Date: 1700000000,
	}
)

// query is a whole query as a client sends it first on a connection.
func query() *tg.InvokeWithLayerRequest {
	send := &tg.AuthSendCodeRequest{PhoneNumber: "9996621234", APIID: 1, APIHash: "hash"}
	return &tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: (&tg.InitConnectionRequest{
		APIID: 1, DeviceModel: "server", SystemVersion: "linux", AppVersion: "1", SystemLangCode: "en", LangCode: "en",
		Query: send.Append(nil),
	}).Append(nil)}
}

func TestAQueryIsUnwrappedLayerByLayer(t *testing.T) {
	b := query().Append(nil)
	if n, err := tl.Skip(tg.Schema, b); err != nil || n != len(b) {
		t.Errorf("Skip: %d of %d bytes, %v", n, len(b), err)
	}
	var outer tg.InvokeWithLayerRequest
	var inner tg.InitConnectionRequest
	var call tg.AuthSendCodeRequest
	for _, step := range []struct {
		v     tl.Object
		input func() []byte
	}{
		{&outer, func() []byte { return b }},
		{&inner, func() []byte { return outer.Query }},
		{&call, func() []byte { return inner.Query }},
	} {
		if err := tl.Unmarshal(step.input(), step.v); err != nil {
			t.Fatalf("%s: %v", step.v.TypeName(), err)
		}
	}
	if outer.Layer != 229 || inner.DeviceModel != "server" || call.PhoneNumber != "9996621234" {
		t.Error("a field changed on the way")
	}
}

func TestNewKnowsWhatIsGenerated(t *testing.T) {
	if v, ok := tg.New(tg.AuthSendCodeRequestID).(*tg.AuthSendCodeRequest); !ok || v == nil {
		t.Error("auth.sendCode is not known")
	}
	if v := tg.New(0x12345678); v != nil {
		t.Errorf("nonsense is a %s", v.TypeName())
	}
}

func TestEveryRootIsThere(t *testing.T) {
	for name, id := range map[string]uint32{
		"auth.sendCode": 0xa677244f, "auth.resendCode": 0xcae47523, "auth.cancelCode": 0x1f040578, "auth.signIn": 0x8d52a951,
		"auth.signUp": 0xaac7b717, "auth.requestFirebaseSms": 0x8e39261e, "auth.reportMissingCode": 0xcb9deff6,
		"auth.resetLoginEmail": 0x7e960193, "auth.checkPaidAuth": 0x56e59f9c, "auth.checkPassword": 0xd18b4d16,
		"auth.requestPasswordRecovery": 0xd897bc66, "auth.checkRecoveryPassword": 0x0d36bf79,
		"auth.recoverPassword": 0x37096c70, "auth.exportLoginToken": 0xb7e085fe, "auth.importLoginToken": 0x95ac5ce4,
		"auth.acceptLoginToken": 0xe894ad4d, "auth.importBotAuthorization": 0x67a3ff2c,
		"auth.importWebTokenAuthorization": 0x2db873a9, "auth.initPasskeyLogin": 0x518ad0b7,
		"auth.finishPasskeyLogin": 0x9857ad07, "auth.exportAuthorization": 0xe5bfffcd,
		"auth.importAuthorization": 0xa57a7dad, "auth.bindTempAuthKey": 0xcdd42a05, "auth.dropTempAuthKeys": 0x8e48a188,
		"auth.logOut": 0x3e72ba19, "auth.resetAuthorizations": 0x9fab0d1a, "auth.initFirebasePnvLogin": 0x777df37a,
		"auth.finishFirebasePnvLogin": 0x2c85094c, "auth.firebasePnvSignUp": 0x783f6b56,
		"account.getPassword": 0x548a30f5, "account.updatePasswordSettings": 0xa59b102f,
		"account.getPasswordSettings": 0x9cd4eaf9, "account.getTmpPassword": 0x449e0b51,
		"account.confirmPasswordEmail": 0x8fdf1920, "account.resendPasswordEmail": 0x7a7f2a15,
		"account.cancelPasswordEmail": 0xc1cbd5b6, "account.resetPassword": 0x9308ce1b,
		"account.declinePasswordReset": 0x4c9409f6, "account.sendVerifyEmailCode": 0x98e037bb,
		"account.verifyEmail": 0x032da4cf, "account.getAuthorizations": 0xe320c158, "account.resetAuthorization": 0xdf77f3bc,
		"account.setAuthorizationTTL": 0xbf899aa0, "account.changeAuthorizationSettings": 0x40f48462,
		"account.invalidateSignInCodes": 0xca8ae8ba, "account.deleteAccount": 0xa2c0cf74, "account.registerDevice": 0xec86017a,
		"account.initPasskeyRegistration": 0x429547e8, "account.registerPasskey": 0x55b41fd6,
		"account.getPasskeys": 0xea1f0c52, "account.deletePasskey": 0xf5b5563f,
		"help.getConfig": 0xc4f9186b, "help.getNearestDc": 0x1fb33026, "users.getUsers": 0x0d91a548,
		"updates.getState": 0xedd4882a, "updates.getDifference": 0x19c2f763, "invokeWithLayer": 0xda9b0d0d,
		"initConnection": 0xc1cd5ea9, "invokeWithoutUpdates": 0xbf9459b7, "invokeAfterMsg": 0xcb9f372d,
		"invokeAfterMsgs": 0x3dc4b4f0,
	} {
		if v := tg.New(id); v == nil || v.TypeName() != name {
			t.Errorf("%s#%08x is not generated", name, id)
		}
	}
}

func TestParseReplacesWhatWasThere(t *testing.T) {
	v := *user
	if err := tl.Unmarshal((&tg.User{ID: 1}).Append(nil), &v); err != nil || !reflect.DeepEqual(v, tg.User{ID: 1}) {
		t.Errorf("got %s, %v", cmp.Diff(tg.User{ID: 1}, v), err)
	}
}

func TestParsedValuesShareNothingWithTheirInput(t *testing.T) {
	b := envelope.Append(nil)
	var v tg.Updates
	if err := tl.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xee
	}
	if diff := cmp.Diff(envelope, &v); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsThatShareABit(t *testing.T) {
	// account.password has four fields on bit 2; one that is set takes the others along.
	v := tg.AccountPassword{
		SRPID: tl.Some(int64(7)), NewAlgo: &tg.PasswordKdfAlgoUnknown{}, NewSecureAlgo: &tg.SecurePasswordKdfAlgoUnknown{},
	}
	var missing *tl.MissingError
	if _, err := tl.Marshal(nil, &v); !errors.As(err, &missing) || missing.Field != "current_algo" {
		t.Errorf("without an algorithm: %v", err)
	}
	v.CurrentAlgo = tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{})
	var back tg.AccountPassword
	if err := tl.Unmarshal(v.Append(nil), &back); err != nil || !back.HasPassword || !back.SRPB.Set || back.SRPID.Value != 7 {
		t.Errorf("got %#v, %v", back, err)
	}
}

func TestMissingFieldsAreNamed(t *testing.T) {
	for _, test := range []struct {
		v    tl.Object
		want tl.MissingError
	}{
		{&tg.AuthSentCode{}, tl.MissingError{Type: "auth.sentCode", Field: "type"}},
		{&tg.UpdateShort{}, tl.MissingError{Type: "updateShort", Field: "update"}},
		{&tg.InvokeWithLayerRequest{}, tl.MissingError{Type: "invokeWithLayer", Field: "query"}},
	} {
		_, err := tl.Marshal(nil, test.v)
		if got, ok := err.(*tl.MissingError); !ok || *got != test.want {
			t.Errorf("got %v, want %v", err, &test.want)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	b := authorization.Append(nil)
	for _, test := range []struct {
		name, want string
		input      []byte
		v          tl.Object
	}{
		{"cut inside the user", "tl: user: byte 24: input ends inside a value", b[:30], new(tg.AuthAuthorization)},
		{"another constructor", "tl: auth.sentCode: byte 0: constructor 2ea2c0d4 where auth.sentCode is expected", b, new(tg.AuthSentCode)},
		{"another type inside", "tl: auth.authorization: byte 12: constructor 997275b5 where User is expected",
			slices.Concat(b[:12], tl.AppendBool(nil, true)), new(tg.AuthAuthorization)},
		{"an update that is none", "tl: updateShort: byte 4: constructor 997275b5 where Update is expected",
			tl.AppendBool(tl.AppendUint32(nil, tg.UpdateShortID), true), new(tg.UpdateShort)},
	} {
		if err := tl.Unmarshal(test.input, test.v); err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.name, err, test.want)
		}
	}
}

// TestUnknownUpdateIsTold wants the error that lets an account fall back to updates.getDifference.
func TestUnknownUpdateIsTold(t *testing.T) {
	b := tl.AppendUint32(tl.AppendUint32(nil, tg.UpdateShortID), 0x0badcafe)
	var unknown *tl.UnknownConstructorError
	if err := tl.Unmarshal(tl.AppendInt32(b, 1), new(tg.UpdateShort)); !errors.As(err, &unknown) || unknown.ID != 0x0badcafe {
		t.Errorf("got %v", err)
	}
}

func TestNestingIsLimited(t *testing.T) {
	// inputPeerUserFromMessage holds a peer, which may be another one.
	deep := func(levels int) []byte {
		var peer tg.AnyInputPeer = &tg.InputPeerSelf{}
		for range levels {
			peer = &tg.InputPeerUserFromMessage{Peer: peer}
		}
		return peer.Append(nil)
	}
	r := tl.NewReader(deep(tl.MaxDepth - 1))
	if tg.ParseAnyInputPeer(r); r.End() != nil {
		t.Errorf("the limit itself: %v", r.Err())
	}
	r = tl.NewReader(deep(10000))
	if tg.ParseAnyInputPeer(r); !errors.Is(r.Err(), tl.ErrDepth) {
		t.Errorf("far beyond the limit: %v", r.Err())
	}
	if _, err := tl.Skip(tg.Schema, deep(10000)); !errors.Is(err, tl.ErrDepth) {
		t.Errorf("Skip: %v", err)
	}
}

func TestNothingOfAValueIsPrinted(t *testing.T) {
	v := &tg.AuthSignInRequest{PhoneNumber: "9996621234", PhoneCode: tl.Some("22222")}
	if got := fmt.Sprintf("%v %+v %#v %s %s", v, v, v, v, v.LogValue()); strings.Contains(got, "2222") || strings.Contains(got, "999") {
		t.Errorf("printed %s", got)
	}
}

func TestUpdatePts(t *testing.T) {
	for _, test := range []struct {
		name       string
		update     tl.Raw
		pts, count int32
		ok         bool
	}{
		{"deleted messages", deleted.Append(nil), 100, 2, true},
		{"no pts", (&tg.UpdateLoginToken{}).Append(nil), 0, 0, false},
		{"pts of a channel", rawUpdate(0xc32d5b12, 8, 1, 0, 7, 1), 0, 0, false}, // updateDeleteChannelMessages
		{"folder peers", rawUpdate(0x19360dc0, -1, 0, 50, 3), 50, 3, true},
		{"read outbox", tl.AppendInt32(tl.AppendInt32(tl.AppendInt32(tl.AppendInt64(tl.AppendUint32(tl.AppendUint32(nil,
			0x2f2f21bf), 0x59511722), 1), 9), 60), 1), 60, 1, true},
		{"cut", deleted.Append(nil)[:12], 0, 0, false},
		{"with bytes behind", append(deleted.Append(nil), 0, 0, 0, 0), 0, 0, false},
		{"nothing", nil, 0, 0, false},
	} {
		pts, count, ok := tg.UpdatePts(test.update)
		if pts != test.pts || count != test.count || ok != test.ok {
			t.Errorf("%s: got %d, %d, %v", test.name, pts, count, ok)
		}
	}
}

// rawUpdate makes an update of ints; -1 stands for the id of a Vector.
func rawUpdate(id uint32, ints ...int32) tl.Raw {
	b := tl.AppendUint32(nil, id)
	for _, v := range ints {
		if v == -1 {
			b = tl.AppendUint32(b, tl.VectorID)
			continue
		}
		b = tl.AppendInt32(b, v)
	}
	return b
}

// TestMemoryIsBoundByInput measures what hostile input can make a parser allocate.
func TestMemoryIsBoundByInput(t *testing.T) {
	smallestUser := (&tg.User{}).Append(nil)
	users := tl.AppendVectorHeader(nil, 2000)
	for range 2000 {
		users = append(users, smallestUser...)
	}
	header := func(id uint32, n int) []byte { return tl.AppendVectorHeader(tl.AppendUint32(nil, id), n) }
	filler := make([]byte, 8000)
	for name, test := range map[string]struct {
		input []byte
		parse func(r *tl.Reader)
	}{
		"a count without elements": {header(tg.AuthDropTempAuthKeysRequestID, 1<<30), func(r *tl.Reader) { new(tg.AuthDropTempAuthKeysRequest).Parse(r) }},
		"a string without bytes":   {append(tl.AppendUint32(nil, tg.DataJSONID), 0xfe, 0xff, 0xff, 0xff), func(r *tl.Reader) { new(tg.DataJSON).Parse(r) }},
		"a vector of nonsense":     {slices.Concat(header(tg.UpdateDCOptionsID, 8000/24), filler), func(r *tl.Reader) { new(tg.UpdateDCOptions).Parse(r) }},
		"the smallest users":       {users, func(r *tl.Reader) { new(tg.UsersGetUsersRequest).ParseResult(r) }},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		test.parse(tl.NewReader(test.input))
		runtime.ReadMemStats(&after)
		// The worst factor is that of a user: 20 bytes on the wire, a struct of 464.
		used, limit := after.TotalAlloc-before.TotalAlloc, uint64(32*len(test.input)+4096)
		if used > limit {
			t.Errorf("%s: %d bytes made the parser allocate %d, limit %d", name, len(test.input), used, limit)
		}
	}
}

func seeds(f *testing.F) {
	for _, v := range []tl.Object{query(), authorization, envelope, deleted, user,
		&tg.AuthSentCode{Type: &tg.AuthSentCodeTypeSMS{Length: 5}, PhoneCodeHash: "hash", Timeout: tl.Some(int32(60))},
		&tg.Config{DCOptions: []tg.DCOption{{ID: 2, IPAddress: "127.0.0.1", Port: 443}}, ThisDC: 2},
		&tg.UpdatesDifference{NewMessages: []tl.Raw{}, OtherUpdates: []tl.Raw{deleted.Append(nil)}, Users: []tg.AnyUser{user}},
		&tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}},
	} {
		f.Add(v.Append(nil))
	}
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		v := tg.New(tl.Raw(input).ID())
		if v == nil {
			return
		}
		if tl.Unmarshal(input, v) != nil {
			return
		}
		b, err := tl.Marshal(nil, v)
		if err != nil || len(b) > len(input) {
			t.Fatalf("%s: %d bytes became %d, %v", v.TypeName(), len(input), len(b), err)
		}
		again := tg.New(v.TypeID())
		if err := tl.Unmarshal(b, again); err != nil || !bytes.Equal(again.Append(nil), b) {
			t.Fatalf("%s: appended %x, which does not read back: %v", v.TypeName(), b, err)
		}
		// A wrapper's query may be of another schema; all else Skip must see as Parse did.
		if _, isQuery := v.(tl.Query[tl.Raw]); !isQuery {
			if n, err := tl.Skip(tg.Schema, input); err != nil || n != len(input) {
				t.Fatalf("%s parses, but Skip says %d of %d, %v", v.TypeName(), n, len(input), err)
			}
		}
	})
}

func FuzzSkip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		n, err := tl.Skip(tg.Schema, input)
		if err != nil {
			return
		}
		if again, err := tl.Skip(tg.Schema, input[:n]); err != nil || again != n {
			t.Fatalf("cut out, the value is %d bytes, %v; it was %d", again, err, n)
		}
		_, _, _ = tg.UpdatePts(input[:n])
	})
}

func BenchmarkParse(b *testing.B) {
	for name, v := range map[string]tl.Object{"authorization": authorization, "updates": envelope} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			input := v.Append(nil)
			b.SetBytes(int64(len(input)))
			var r tl.Reader
			for b.Loop() {
				r.Reset(input)
				if v := tg.New(v.TypeID()); v != nil {
					v.Parse(&r)
				}
				if r.End() != nil {
					b.Fatal(r.Err())
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	q := query()
	for b.Loop() {
		buf = q.Append(buf[:0])
	}
}

func BenchmarkSkip(b *testing.B) {
	for name, v := range map[string]tl.Object{"authorization": authorization, "updates": envelope, "query": query()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			input := v.Append(nil)
			b.SetBytes(int64(len(input)))
			for b.Loop() {
				if _, err := tl.Skip(tg.Schema, input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestSkipDoesNotAllocate(t *testing.T) {
	for _, v := range []tl.Object{authorization, envelope, query()} {
		input := v.Append(nil)
		if n := testing.AllocsPerRun(100, func() { _, _ = tl.Skip(tg.Schema, input) }); n != 0 {
			t.Errorf("%s: %v allocations", v.TypeName(), n)
		}
	}
}
