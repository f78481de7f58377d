package browser

import (
	"net"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
)

// authenticator gives the browser one that holds passkeys, as a telephone does, and whose owner
// always agrees.
func (b *browser) authenticator() {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
}

// both leaves a picture of a page on a desk and on a telephone.
func (b *browser) both(name string) {
	b.t.Helper()
	b.wide()
	b.picture(name)
	b.narrow()
	b.fits(name)
	b.picture(name + "-narrow")
	b.wide()
}

// TestSignInByPasskey adds a passkey of the browser's authenticator to an account, logs it out,
// and signs it in by that.
func TestSignInByPasskey(t *testing.T) {
	b := open(t)
	_, port, _ := net.SplitHostPort(freeAddr(t))
	base := "http://localhost:" + port
	f := newDCs(t, 0, "--passkey-rp", "localhost", "--passkey-origin", base)
	f.base = base
	f.manage(0, "--dashboard", "localhost:"+port)
	f.run("account", "login", "alice", "--add", "--phone", "+"+f.dc.Phones[0].Phone, "--code", f.dc.Phones[0].Code)
	b.enter(f)
	b.authenticator()

	b.open(f.url("/accounts/alice"))
	b.click("form[action$='/passkeys'] button")
	b.sees("It has no passkeys.")
	b.click("main button.main")
	b.shows("#passkey")
	b.both("passkey-new")
	b.click("#passkey")
	b.sees("Passkey 1")
	b.both("passkeys")
	if list := f.run("account", "passkeys", "list", "alice"); !strings.Contains(list, "Passkey 1") {
		t.Errorf("the server has\n%s", list)
	}
	f.run("account", "logout", "alice")

	b.open(f.url("/sign-in?account=alice"))
	b.click("#flow-passkey")
	b.click("form.stack button.main")
	b.shows("#passkey")
	b.both("sign-in-passkey")
	b.click("#passkey")
	b.sees("It is signed in.")
	b.picture("sign-in-passkey-done")
	b.silent("a passkey")
	if shown := f.run("account", "show", "alice"); !strings.Contains(shown, "online") {
		t.Errorf("the account is\n%s", shown)
	}
	b.open(f.url("/accounts/alice"))
	b.click("form[action$='/passkeys'] button")
	b.sees("Passkey 1")
	b.click("button.danger")
	b.sees("It has no passkeys.")
	b.silent("passkeys")
}

// TestAPasskeyOfAnotherPartyIsRefusedInASentence, and the other ways are offered.
func TestAPasskeyOfAnotherPartyIsRefusedInASentence(t *testing.T) {
	b := open(t)
	f := newFleet(t, 0)
	b.enter(f)
	b.authenticator()
	b.open(f.url("/sign-in"))
	b.fill("#account", "bob")
	b.click("#flow-passkey")
	b.click("form.stack button.main")
	b.sees("The relying party of these passkeys, passkeys.invalid, lets no page of 127.0.0.1 ask a browser for them")
	b.sees("begin one by a phone number or a QR code")
	b.shows("#credential")
	if got := b.text(`String(document.getElementById("passkey"))`); got != "null" {
		t.Error("the page offers what the browser would refuse")
	}
	b.both("sign-in-passkey-refused")
	b.silent("a passkey of another party")
}
