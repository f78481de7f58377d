package tljson_test

import (
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var (
	call   = []byte(`{"id":[{"_":"inputUserSelf"}]}`)
	result = tl.AppendUint32(nil, tg.UsersGetUsersRequestID)
)

func BenchmarkParseCall(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ParseCall("users.getUsers", call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendResult(b *testing.B) {
	user, err := codec.Parse([]byte(`{"_":"user","self":true,"bot":true,"id":"6000000002","access_hash":"-123456789","first_name":"Bot",` +
		`"username":"test6000000002_bot","bot_info_version":1}`))
	if err != nil {
		b.Fatal(err)
	}
	result = append(tl.AppendVectorHeader(nil, 1), user...)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.AppendResult(out, "users.getUsers", result); err != nil {
			b.Fatal(err)
		}
	}
}
