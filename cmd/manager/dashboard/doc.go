// Package dashboard shows a fleet in a browser and lets its operator act on it: the
// fleet, each account, sign-ins, DCs, the store and events, live.
//
// It knows accounts by the methods of package control alone. It is served by plain HTTP
// on a loopback address ([Listen] refuses others), and even there asks who comes: other
// users of the machine reach it too. Who has a link of [Server.Link], valid once and for
// ten minutes, gets a session in a cookie. On other addresses it is served by TLS
// ([ListenTLS]), where a token or a certificate of a caller of the API gets one too, with
// the caller's role. What changes something needs a token of the session too, and a request
// of the same origin. Pages load nothing from elsewhere, and no script or style stands in
// them, which the policy sent with each forbids.
//
// Pages are templates of github.com/a-h/templ: after a change of a .templ file
// `go generate` writes the Go beside it.
package dashboard

//go:generate go tool templ generate -log-level error
