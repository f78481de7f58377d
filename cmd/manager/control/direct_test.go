package control

import (
	"strings"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/login"
	"github.com/mtfleet/mtfleet/persistence"
)

// A command that waits for somebody keeps its account; others may look.
func TestAStoreKeptForAnAccountIsReadByAll(t *testing.T) {
	d := NewDirect(actors.Options{Store: persistence.NewMemory()}, About{}, 0)
	d.Keep("alice", "manager account login alice")
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			if _, err := List.Call(t.Context(), d, ListRequest{}); err != nil {
				t.Error(err)
			}
			if info, err := Info.Call(t.Context(), d, Empty{}); err != nil || info.Running || info.Command != "manager account login alice" {
				t.Errorf("%+v, %v", info, err)
			}
			_, err := SignIn.Call(t.Context(), d, SignInRequest{ID: "bob", Flow: login.FlowQR})
			if KindOf(err) != KindInUse || !strings.Contains(err.Error(), "`manager account login alice`") {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestASignInBeginsWithOneThing(t *testing.T) {
	for _, c := range []struct {
		r    SignInRequest
		want string // what the credentials are; empty for none
	}{
		{SignInRequest{Phone: "+1"}, "phone number"},
		{SignInRequest{BotToken: "1:a"}, "bot token"},
		{SignInRequest{WebToken: "x"}, "web token"},
		{SignInRequest{Flow: login.FlowQR}, "QR code"},
		{SignInRequest{Flow: login.FlowPasskey}, "passkey"},
		{SignInRequest{Flow: login.FlowPNV}, "number that the carrier vouches for"},
		{SignInRequest{Flow: login.FlowPNV, Phone: "+1"}, "number that the carrier vouches for"},
		{SignInRequest{}, ""},
		{SignInRequest{Flow: "smoke signals"}, ""},
		{SignInRequest{Flow: login.FlowPhone}, ""},
		{SignInRequest{Flow: login.FlowBot, Phone: "+1"}, ""},
		{SignInRequest{Flow: login.FlowQR, Phone: "+1"}, ""},
		{SignInRequest{Phone: "+1", BotToken: "1:a"}, ""},
		{SignInRequest{BotToken: "1:a", WebToken: "x"}, ""},
	} {
		got, err := c.r.credentials()
		if c.want == "" {
			if KindOf(err) != KindInvalid {
				t.Errorf("%+v of flow %q: %v, %v", c.r, c.r.Flow, got, err)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("flow %q: %v, %v; want %s", c.r.Flow, got, err, c.want)
		}
	}
}
