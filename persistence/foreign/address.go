package foreign

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// maxHost is the longest name of a host (RFC 1035).
const maxHost = 253

// joinAddr makes host:port of what a record has. Hosts are IP addresses, or names where the library ran in a browser.
func joinAddr(f Format, host string, port int) (string, error) {
	if port < 1 || port > 65535 {
		return "", bad(f, ReasonMalformed, "port", "it is not a port: the record is damaged")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", bad(f, ReasonMalformed, "address", "it is bound to a network interface")
		}
		return netip.AddrPortFrom(ip, uint16(port)).String(), nil
	}
	if !hostName(host) {
		return "", bad(f, ReasonMalformed, "address", "it is neither an IP address nor the name of a host: the record is damaged")
	}
	return host + ":" + strconv.Itoa(port), nil
}

// SetAddress sets Addr from a host and a port that a record has. It fails with an *Error when they are none.
func (s *Session) SetAddress(host string, port int) (err error) {
	s.Addr, err = joinAddr(s.Format, host, port)
	return err
}

// splitAddr checks an address that a record has as one text.
func splitAddr(f Format, addr string) (string, error) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", bad(f, ReasonMalformed, "address", "it has no port: the record is damaged")
	}
	port, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil {
		return "", bad(f, ReasonMalformed, "port", "it is not a port: the record is damaged")
	}
	host := addr[:i]
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return joinAddr(f, host, int(port))
}

func hostName(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	letter := false
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letter = true
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_':
		default:
			return false
		}
	}
	return letter // digits and dots alone would be a broken IP address
}

// hostPort takes an address apart that joinAddr made.
func hostPort(addr string) (host string, port int) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", 0
	}
	host = strings.TrimSuffix(strings.TrimPrefix(addr[:i], "["), "]")
	port, _ = strconv.Atoi(addr[i+1:])
	return host, port
}

// production are addresses of Telegram's production DCs that libraries have built in or were given by help.getConfig, beside
// those of the dc package: of DC 1, 2 and 5. They tell test from production and are never connected to for being here.
var production = map[string]bool{
	"149.154.175.52": true, "149.154.175.53": true, "149.154.175.56": true,
	"149.154.167.41": true, "149.154.167.50": true,
	"91.108.56.130": true, "91.108.56.179": true, "91.108.56.191": true,
}

// OfTestServers says whether an address, host:port, is of Telegram's test servers (Yes) or of its production servers (No),
// by the well-known addresses of both. Of any other it says Unknown.
func OfTestServers(addr string) Tristate {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return Unknown
	}
	ip := at.Addr().Unmap()
	is := func(o dc.Option) bool { return o.Addr.Addr() == ip }
	switch {
	case slices.ContainsFunc(dc.TestServers().Options, is):
		return Yes
	case slices.ContainsFunc(dc.Production().Options, is), production[ip.String()]:
		return No
	}
	return Unknown
}

// address is where a session's DC is reached: what the session says, or the built-in table.
func (s *Session) address(f Format) (host string, port int, err error) {
	addr := s.Addr
	if addr == "" {
		table := dc.Production()
		if s.Test == Yes {
			table = dc.TestServers()
		}
		for _, o := range table.Options {
			if int(o.DC) == s.DC && !o.IPv6 && !o.MediaOnly {
				addr = o.Addr.String()
				break
			}
		}
	}
	if addr, err = splitAddr(f, addr); err != nil {
		return "", 0, err
	}
	host, port = hostPort(addr)
	return host, port, nil
}
