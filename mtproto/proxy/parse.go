package proxy

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/transport"
)

// An Error says what is wrong with the text of a proxy. It never quotes it.
type Error struct{ Reason string }

// Error gives the reason.
func (e *Error) Error() string { return "proxy: " + e.Reason }

const (
	// maxText is how long a text may be: the longest secret in hex, host, user and
	// password, each escaped, take less.
	maxText = 4096
	// maxCredential is what a length of SOCKS5 can say.
	maxCredential = 255
	// maxHost is the longest name that DNS has.
	maxHost = 253

	forms = "write socks5://user:password@host:port, http://user:password@host:port, mtproxy://host:port?secret=..., or a link tg://proxy?... or https://t.me/proxy?..."
)

// Parse reads a URL or a link; see the package. The error is an *Error.
func Parse(text string) (Server, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxText {
		return Server{}, &Error{"it is empty or too long: " + forms}
	}
	if strings.HasPrefix(strings.ToLower(text), "t.me/") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return Server{}, &Error{"it is no URL, or not escaped as one: " + forms} // err would quote it
	}
	s, err := of(u)
	if err != nil {
		return Server{}, err
	}
	s.Host = strings.ToLower(s.Host) // names are the same in either case, and equal proxies are one way out
	return s, s.check()
}

// of reads a URL by its scheme.
func of(u *url.URL) (Server, error) {
	host := strings.ToLower(u.Hostname())
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "tg":
		return ofLink(u, host)
	case (scheme == "https" || scheme == "http") && (host == "t.me" || host == "telegram.me" || host == "telegram.dog") && u.Port() == "":
		return ofLink(u, strings.Trim(u.Path, "/"))
	case scheme == "socks5" || scheme == "socks5h":
		return ofURL(u, SOCKS5)
	case scheme == "http":
		return ofURL(u, Connect)
	case scheme == "mtproxy":
		return ofURL(u, MTProxy)
	case scheme == "https":
		return Server{}, &Error{"a proxy that is itself reached by TLS (https://) is not supported: " + forms}
	}
	return Server{}, &Error{"it has no scheme that is known: " + forms}
}

func ofURL(u *url.URL, k Kind) (Server, error) {
	s := Server{Kind: k, Host: u.Hostname()}
	if u.Path != "" && u.Path != "/" {
		return s, &Error{"there is a path behind host and port: leave it out"}
	}
	if u.User != nil {
		s.User = u.User.Username()
		s.Password, _ = u.User.Password()
	}
	var err error
	if s.Port, err = port(u.Port()); err != nil {
		return s, err
	}
	if k != MTProxy {
		if u.RawQuery != "" {
			return s, &Error{"there is a ? behind host and port: leave it out"}
		}
		return s, nil
	}
	if u.User != nil {
		return s, &Error{"an MTProxy has a secret, and no user and password"}
	}
	s.Secret, err = secret(u.Query())
	return s, err
}

// ofLink reads what apps share: https://core.telegram.org/api/links#proxy-links.
func ofLink(u *url.URL, what string) (Server, error) {
	q := u.Query()
	s := Server{Host: q.Get("server")}
	var err error
	if s.Port, err = port(q.Get("port")); err != nil {
		return s, err
	}
	switch what {
	case "proxy":
		s.Kind = MTProxy
		s.Secret, err = secret(q)
	case "socks":
		s.Kind, s.User, s.Password = SOCKS5, q.Get("user"), q.Get("pass")
	default:
		err = &Error{"the link leads to no proxy: " + forms}
	}
	return s, err
}

func port(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, &Error{"it needs a port between 1 and 65535"}
	}
	return uint16(n), nil
}

func secret(q url.Values) (transport.Secret, error) {
	// A plus sign of base64 that nobody escaped reads as a space.
	s, err := transport.ParseSecret(strings.ReplaceAll(q.Get("secret"), " ", "+"))
	if err != nil {
		return s, &Error{err.Error()}
	}
	for _, r := range s.Domain {
		if r <= ' ' || r > '~' {
			return s, &Error{"the domain in the secret is not ASCII"}
		}
	}
	return s, nil
}

// check tells what no URL says by its form.
func (s Server) check() error {
	switch {
	case s.Host == "" || len(s.Host) > maxHost:
		return &Error{"it needs a host, a name or an IP address"}
	case strings.ContainsFunc(s.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/\\@?#%[]\"<>", r) }):
		return &Error{"the host is neither a name nor an IP address"}
	case len(s.User) > maxCredential || len(s.Password) > maxCredential:
		return &Error{"user and password have at most 255 bytes each"}
	case s.User == "" && s.Password != "":
		return &Error{"there is a password and no user"}
	case s.Kind == Connect && strings.ContainsRune(s.User, ':'):
		return &Error{"a user of an HTTP proxy has no colon in the name"}
	case strings.ContainsFunc(s.User+s.Password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &Error{"user and password have no control characters"}
	}
	return nil
}
