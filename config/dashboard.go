package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

func (v *validator) dashboard() {
	d := v.c.Dashboard
	if (d.Cert == "") != (d.Key == "") {
		v.fail("dashboard.cert", "a certificate and its key belong together: set dashboard.cert and dashboard.key")
	}
	for _, name := range d.Names {
		if !isWebName(name) {
			v.fail("dashboard.names", "%q is not a host name or an address, such as fleet.example or fleet.example:443", name)
		}
	}
	if d.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(d.Listen)
	n, numErr := strconv.ParseUint(port, 10, 16)
	addr, addrErr := netip.ParseAddr(host)
	if err != nil || numErr != nil || n == 0 || addrErr != nil && host != "" && host != "localhost" {
		v.fail("dashboard.listen", "%q is not an address and a port, such as 127.0.0.1:8070", d.Listen)
		return
	}
	if host == "localhost" || addr.IsLoopback() {
		return
	}
	if d.Cert == "" && d.Key == "" {
		v.fail("dashboard.listen", "%q can be reached from other machines: use 127.0.0.1 or [::1], and `ssh -L` from elsewhere; or set dashboard.cert and dashboard.key for TLS, and api.callers for who is let in", d.Listen)
		return
	}
	if len(v.c.API.Callers) == 0 {
		v.fail("api.callers", "the dashboard on %s can be reached from other machines and would let nobody in: make a token with `manager api token NAME --role admin`", d.Listen)
	}
	if (host == "" || addr.IsUnspecified()) && len(d.Names) == 0 {
		v.fail("dashboard.names", "%q is every address of this machine: name what browsers ask for, such as fleet.example; requests for other names are refused", d.Listen)
	}
}

// isWebName tells whether a text is a host name or an address, with a port or without.
func isWebName(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		host = h
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
