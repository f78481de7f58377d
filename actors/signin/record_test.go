package signin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

func TestTokensComeBackAsTheyWere(t *testing.T) {
	var f login.Futures
	f.SignedIn(&login.Authorization{UserID: 1, Phone: "491701234567", FutureAuthToken: []byte("token")})
	other := persistence.Record{Key: persistence.Key{Account: "a", Kind: persistence.KindMeta, Sub: "other"}, Version: 1, Data: []byte("x")}
	got := futuresOf([]persistence.Record{other, futuresRecord("a", f)})
	if diff := cmp.Diff([][]byte{[]byte("token")}, got.For("491701234567")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := futuresOf([]persistence.Record{other}); got.For("491701234567") != nil {
		t.Error("tokens out of nothing")
	}
}
