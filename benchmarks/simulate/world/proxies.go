package world

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// The network has proxies: each takes a connection on to any DC, on a way of its
// own, and is up, down, silent, slow, or refuses whoever comes.

// proxies is how many there are.
const proxies = 3

var (
	errProxyDown    = errors.New("world: the proxy refuses connections")
	errProxyRefuses = errors.New("world: the proxy lets nobody through")
	errNoProxy      = errors.New("world: there is no such proxy")
)

// relay is what becomes of who goes by one proxy.
type relay struct {
	down    time.Time     // until when it refuses connections
	refuses time.Time     // until when it answers, and lets nobody through
	silent  time.Time     // until when it does not answer
	slow    time.Duration // added to each packet's way
}

// fails is what becomes of a dial through a proxy now, and after which time.
func (r *relay) fails(now time.Time) (after time.Duration, err error) {
	switch {
	case now.Before(r.down):
		return time.Millisecond, errProxyDown
	case now.Before(r.silent):
		return dialMost, errTimeout
	case now.Before(r.refuses):
		return 2 * latencyMost, errProxyRefuses
	}
	return 0, nil
}

// proxyAddress is where a proxy is, from 1 on.
func proxyAddress(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 1080)
}

// someProxy is a proxy as an operator writes it, or none: n is of 2 * proxies.
func someProxy(n int) string {
	if n++; n > proxies {
		return actors.DirectProxy
	}
	scheme := [...]string{"socks5", "http"}[n%2]
	return fmt.Sprintf("%s://%s:%s@%v", scheme, canary("proxyuser"), canary("proxypassword"), proxyAddress(n))
}

// relayOf is the proxy of a dial, nil when it goes directly.
func (w *weather) relayOf(via *proxy.Via) (*relay, error) {
	if via == nil {
		return nil, nil
	}
	for n := range w.relays {
		if via.Server.Address() == proxyAddress(n+1).String() {
			return &w.relays[n], nil
		}
	}
	return nil, errNoProxy
}

// cutRelay breaks every connection through a proxy.
func (w *weather) cutRelay(r *relay) {
	for _, l := range append([]*link{}, w.links...) {
		if l.by == r {
			l.snap(errCut)
		}
	}
}

// blowRelay does something to a proxy.
func (s *storm) blowRelay(d time.Duration) {
	w, sky := s.w, s.w.sky
	n := s.rand.IntN(proxies)
	r, until := &sky.relays[n], w.sim.Now().Add(d)
	switch s.rand.IntN(5) {
	case 0:
		w.rec.line("network: proxy %d is down for %v", n+1, d)
		r.down = until
		sky.cutRelay(r)
	case 1:
		w.rec.line("network: proxy %d lets nobody through for %v", n+1, d)
		r.refuses = until
	case 2:
		w.rec.line("network: proxy %d does not answer for %v", n+1, d)
		r.silent = until
	case 3:
		slow := time.Duration(s.rand.Int64N(int64(3 * time.Second)))
		w.rec.line("network: proxy %d adds %v for %v", n+1, slow, d)
		r.slow = slow
		w.sim.AfterFunc(d, func() { r.slow = 0 })
	case 4:
		w.rec.line("network: connections through proxy %d are cut", n+1)
		sky.cutRelay(r)
	}
}
