package dashboard

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/login"
)

// TestACodeIsDrawnModuleByModule reads it back.
func TestACodeIsDrawnModuleByModule(t *testing.T) {
	link := "tg://login?token=" + base64.RawURLEncoding.EncodeToString([]byte("a token of some thirty-two bytes"))
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	path, size, err := qrPath(link)
	if err != nil || size != code.Size+2*qrQuiet {
		t.Fatal(size, err)
	}
	dark := map[[2]int]bool{}
	for run := range strings.SplitSeq(strings.TrimSuffix(path, "z"), "z") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &n, &back); err != nil || n != back {
			t.Fatalf("%q: %v", run, err)
		}
		for i := range n {
			dark[[2]int{x + i - qrQuiet, y - qrQuiet}] = true
		}
	}
	for y := range code.Size {
		for x := range code.Size {
			if dark[[2]int{x, y}] != code.Black(x, y) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
}

func TestASignInKnowsWhereItStands(t *testing.T) {
	for _, c := range []struct {
		step     actors.StepKind
		flow     login.Flow
		signedIn bool
		want     string
	}{
		{actors.StepCode, login.FlowPhone, false, "Code"},
		{actors.StepPassword, login.FlowPhone, false, "Password"},
		{actors.StepPassword, login.FlowQR, false, "Password"},
		{actors.StepQR, "", false, "Scan"},
		{actors.StepToken, "", false, "Token"},
		{actors.StepPasskey, "", false, "Authenticator"},
		{actors.StepRecovery, "", false, "Password"},
		{"", login.FlowPhone, false, "Number"},
		{"", login.FlowBot, true, "Signed in"},
		{"", "smoke", true, "Signed in"},
	} {
		a := control.Account{}
		a.SignedIn = c.signedIn
		if c.step != "" {
			a.Step = &actors.Step{Kind: c.step}
		}
		if got := trailOf(a, c.flow); got.steps[got.at] != c.want {
			t.Errorf("%s of %q: it is at %s of %v, want %s", c.step, c.flow, got.steps[got.at], got.steps, c.want)
		}
	}
}
