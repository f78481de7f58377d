package dc

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A WebSocket is where a DC takes the obfuscated stream inside a WebSocket. There
// may be several for one DC; help.getConfig names none of them.
type WebSocket struct {
	// DC is the DC behind it.
	DC ID
	// Media marks one for media alone, see [Target].
	Media bool
	// URL is what [ParseWebSocketURL] reads.
	URL string
}

// webHosts are the names of the production DCs for web clients, by number; those
// for media have "-1" behind. The test servers are behind the same names.
var webHosts = [...]string{1: "pluto", 2: "venus", 3: "aurora", 4: "vesta", 5: "flora"}

// ProductionWebSockets returns where Telegram's production DCs take WebSockets:
// https://core.telegram.org/mtproto/transports#websocket.
func ProductionWebSockets() []WebSocket { return webSockets(5, "/apiws") }

// TestServersWebSockets returns where Telegram's test DCs do.
func TestServersWebSockets() []WebSocket { return webSockets(3, "/apiws_test") }

func webSockets(dcs int, path string) (all []WebSocket) {
	for id := 1; id <= dcs; id++ {
		all = append(all,
			WebSocket{ID(id), false, "wss://" + webHosts[id] + ".web.telegram.org" + path},
			WebSocket{ID(id), true, "wss://" + webHosts[id] + "-1.web.telegram.org" + path})
	}
	return all
}

// SelectWebSockets returns those of a DC, in their order: for media the ones for
// media alone, where there are any.
func SelectWebSockets(all []WebSocket, id ID, media bool) []WebSocket {
	var plain, own []WebSocket
	for _, w := range all {
		switch {
		case w.DC != id:
		case w.Media:
			own = append(own, w)
		default:
			plain = append(plain, w)
		}
	}
	if media && len(own) > 0 {
		return own
	}
	return plain
}

// WebSocketURL is the URL of a WebSocket, taken apart.
type WebSocketURL struct {
	Secure bool   // wss
	Host   string // a name, or an IP address without brackets
	Port   uint16
	Path   string // escaped, with its slash
}

// A WebSocketURLError says what is wrong with the URL of a WebSocket. It quotes
// nothing of it: there may be credentials in it.
type WebSocketURLError struct{ Reason string }

// Error gives the reason.
func (e *WebSocketURLError) Error() string { return "dc: the URL of a WebSocket: " + e.Reason }

// maxWebSocketURL bounds a URL: the longest name that DNS has, and a path.
const maxWebSocketURL = 1024

// ParseWebSocketURL reads wss://host/path, or ws://host/path where the host is an
// address of this machine's loopback: beyond that only TLS shows who answers. The
// error is a *WebSocketURLError.
func ParseWebSocketURL(text string) (w WebSocketURL, err error) {
	bad := func(reason string) (WebSocketURL, error) { return WebSocketURL{}, &WebSocketURLError{reason} }
	u, err := url.Parse(text)
	switch {
	case text == "" || len(text) > maxWebSocketURL:
		return bad("it is empty or longer than " + strconv.Itoa(maxWebSocketURL) + " bytes")
	case err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsAny(u.Host, "%, "):
		return bad("it is no URL: write wss://host/path")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("it has more than a host, a port and a path: write wss://host/path")
	}
	w = WebSocketURL{Secure: strings.EqualFold(u.Scheme, "wss"), Host: strings.ToLower(u.Hostname()), Port: 443, Path: u.EscapedPath()}
	if w.Path == "" {
		w.Path = "/"
	}
	switch {
	case w.Secure:
	case !strings.EqualFold(u.Scheme, "ws"):
		return bad("its scheme is not wss")
	case !w.Loopback():
		return bad("ws:// is for a loopback address alone, such as ws://127.0.0.1:4430/apiws: write wss://")
	default:
		w.Port = 80
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return bad("its port is not between 1 and 65535")
		}
		w.Port = uint16(n)
	}
	return w, nil
}

// Loopback reports whether the host is an address of this machine's loopback. A
// name never is: who it leads to is known to the resolver alone.
func (w WebSocketURL) Loopback() bool {
	ip, err := netip.ParseAddr(w.Host)
	return err == nil && Loopback(netip.AddrPortFrom(ip, 1))
}

// Address is host and port, as a dialer takes them.
func (w WebSocketURL) Address() string {
	host := w.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(w.Port))
}

// String is the URL again, without the port that its scheme has anyway.
func (w WebSocketURL) String() string {
	scheme, usual := "ws://", ":80"
	if w.Secure {
		scheme, usual = "wss://", ":443"
	}
	return scheme + strings.TrimSuffix(w.Address(), usual) + w.Path
}
