package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// accountPasskeys lists the passkeys of an account, which are the server's to tell, deletes
// one, and adds one of an authenticator.
func (s *Server) accountPasskeys(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	var err error
	switch do := r.PostFormValue("do"); do {
	case "":
	case "begin":
		got, err := control.InitPasskey.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
		if err != nil {
			s.failed(w, r, err)
			return
		}
		s.show(w, r, http.StatusOK, "New passkey of "+id, view{scripts: []string{"passkey.js"}}, newPasskeyBody(id, string(got.Options), s.passkeyBar(string(got.Options), r.Host)))
		return
	case "finish":
		_, err = control.FinishPasskey.Call(ctx, s.o.Service, control.FinishPasskeyRequest{ID: id, Credential: json.RawMessage(r.PostFormValue("credential"))})
	case "delete":
		_, err = control.DeletePasskey.Call(ctx, s.o.Service, control.PasskeyRequest{ID: id, Passkey: r.PostFormValue("passkey")})
	default:
		err = invalid("this page does no %q: load it again", do)
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	list, err := control.Passkeys.Call(ctx, s.o.Service, control.AccountRequest{ID: id})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "Passkeys of "+id, view{}, passkeysBody(id, list.Passkeys))
}

// relyingParty is that of the options for an authenticator, of a sign-in or of a new passkey;
// empty: that of the page.
func relyingParty(options string) string {
	var o struct {
		PublicKey struct {
			RPID string `json:"rpId"`
			RP   struct {
				ID string `json:"id"`
			} `json:"rp"`
		} `json:"publicKey"`
	}
	if json.Unmarshal([]byte(options), &o) != nil {
		return ""
	}
	if o.PublicKey.RPID != "" {
		return o.PublicKey.RPID
	}
	return o.PublicKey.RP.ID
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// partyAllows tells whether a page of a host may ask for passkeys of a relying party: its name
// is the party's, or ends in it. An address is no name.
func partyAllows(party, host string) bool {
	name := hostname(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return party == "" || name == party || strings.HasSuffix(name, "."+party)
}

// passkeyBar says why a page of a host cannot ask the browser for what options are about;
// empty: it can.
func (s *Server) passkeyBar(options, host string) string {
	party := relyingParty(options)
	if partyAllows(party, host) {
		return ""
	}
	what := "Browsers have no passkeys for pages of an address such as " + hostname(host)
	if party != "" {
		what = fmt.Sprintf("The relying party of these passkeys, %s, lets no page of %s ask a browser for them", party, hostname(host))
	}
	if at := slices.IndexFunc(s.hosts, func(h string) bool { return partyAllows(party, h) }); at >= 0 {
		return fmt.Sprintf("%s: open this page as %s/, or use another authenticator.", what, s.origin(s.hosts[at]))
	}
	return what + ": use another authenticator, which signs for it."
}
