package serve

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/webauthn"
)

// DefaultMaxConns is Config.MaxConns when that is 0.
const DefaultMaxConns = 100_000

// Config describes a cluster to serve. The zero value is usable.
type Config struct {
	// Core is the protocol half. Rand, API, Keys and DCs are filled in when they are missing: crypto/rand, a backend
	// made from API, a key from RSAKey, and three.
	Core dctest.Config
	// API makes the API half when Core.API is nil; its DCs and TestMode follow Core. Persons and Bots is how many of
	// each its directory gets.
	API           api.Config
	Persons, Bots int

	// Addrs are the addresses to listen on by DC, at most 16 of each, "127.0.0.1:0" for DCs not named. Only loopback is
	// accepted.
	Addrs map[int][]string
	// WebSockets has every DC take WebSockets too, on free ports of 127.0.0.1: plain
	// ones, and ones in TLS with a certificate made for this cluster, whose authority
	// is in the descriptor. Not with MemoryOnly.
	WebSockets bool
	// Media gives every DC one more address, for media alone: a loopback port of the system's choice.
	Media bool
	// MemoryOnly opens no socket: clients come through Dialer, and the addresses are made up.
	MemoryOnly bool

	// RSAKey is a private key in PEM; nil generates one, which takes about half a second. Core.Keys wins over both.
	RSAKey []byte

	// Now is the clock, time.Now when nil. It may be off, but it must run as fast as time does.
	Now func() time.Time
	// Workers is how many goroutines do heavy arithmetic; 0 is one per CPU.
	Workers int
	// MaxConns is how many connections are open at once; more are closed when they come. A connection costs about
	// 6 KiB with its reader, so that the default stands for 600 MiB.
	MaxConns int
}

// An AddrError says that an address to listen on was refused.
type AddrError struct {
	DC     int
	Addr   string
	Reason string
}

// Error implements error.
func (e *AddrError) Error() string {
	return fmt.Sprintf("serve: DC %d: address %q: %s", e.DC, e.Addr, e.Reason)
}

// prepare fills in what is missing. backend is nil when the caller brought an API half of his own.
func (c Config) prepare() (out Config, backend *api.Backend, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.WebSockets = c.WebSockets && !c.MemoryOnly
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.MaxConns <= 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.Core.DCs == 0 {
		c.Core.DCs = dctest.DefaultDCs
	}
	c.Core.Media = c.Core.Media || c.Media
	if c.Core.Rand == nil {
		c.Core.Rand = rand.Reader
	}
	c.Core.Rand = &lockedReader{r: c.Core.Rand}
	if c.Core.API == nil {
		c.API.DCs, c.API.TestMode = c.Core.DCs, c.Core.Test
		if c.API.Rand == nil {
			c.API.Rand = c.Core.Rand
		}
		if c.API.Passkeys == nil {
			c.API.Passkeys = webauthn.Verifier{}
		}
		if backend, err = api.New(c.API); err != nil {
			return c, nil, err
		}
		if err := backend.Populate(c.Persons, c.Bots); err != nil {
			return c, nil, err
		}
		c.Core.API = backend
	}
	if len(c.Core.Keys) == 0 {
		key, err := c.rsaKey()
		if err != nil {
			return c, nil, err
		}
		c.Core.Keys = []*crypt.PrivateKey{key}
	}
	for _, k := range c.Core.Keys {
		if dc.IsTelegramFingerprint(k.Public().Fingerprint()) {
			return c, nil, fmt.Errorf("serve: the RSA key is one of Telegram's")
		}
	}
	return c, backend, c.checkAddrs()
}

func (c *Config) rsaKey() (*crypt.PrivateKey, error) {
	if c.RSAKey != nil {
		key, err := crypt.ParsePrivateKey(c.RSAKey)
		if err != nil {
			return nil, fmt.Errorf("serve: RSA key: %w", err)
		}
		return key, nil
	}
	key, err := NewRSAKey(c.Core.Rand)
	if err != nil {
		return nil, fmt.Errorf("serve: RSA key: %w", err)
	}
	return key, nil
}

// NewRSAKey makes an RSA key for a cluster, in some tenths of a second. Its fingerprint has all of its 16 hexadecimal
// digits: mtcute looks a key up by the digits without leading zeros, and does not find it among those it was given.
// It fails only when rand does.
func NewRSAKey(rand io.Reader) (*crypt.PrivateKey, error) {
	for {
		key, err := crypt.GeneratePrivateKey(rand)
		if err != nil || uint64(key.Public().Fingerprint())>>60 != 0 {
			return key, err
		}
	}
}

func (c *Config) checkAddrs() error {
	for id, addrs := range c.Addrs {
		for i, addr := range addrs {
			if reason := c.badAddr(id, i, addr); reason != "" {
				return &AddrError{id, addr, reason}
			}
		}
	}
	return nil
}

// maxAddrs bounds the addresses of one DC: each is a listener with its goroutine.
const maxAddrs = 16

// badAddr says what is wrong with the i-th address of a DC; "" if nothing is.
func (c *Config) badAddr(id, i int, addr string) string {
	host, port, err := net.SplitHostPort(addr)
	ip, ipErr := netip.ParseAddr(host)
	switch {
	case id < 1 || id > c.Core.DCs:
		return fmt.Sprintf("the cluster has DCs 1 to %d", c.Core.DCs)
	case i >= maxAddrs:
		return fmt.Sprintf("a DC has at most %d addresses", maxAddrs)
	case err != nil:
		return "not HOST:PORT"
	case ipErr != nil || !ip.IsLoopback():
		return "not a loopback address; a test cluster is never open to a network"
	case port != "0" && slices.Contains(c.Addrs[id][:i], addr):
		return "it is given twice"
	}
	return ""
}

// addrs are the addresses of one DC, at least one.
func (c *Config) addrs(dc int) []string {
	switch addrs := c.Addrs[dc]; {
	case len(addrs) > 0:
		return addrs
	case c.MemoryOnly:
		return []string{"127.0.0.1:" + strconv.Itoa(memoryPort+dc)}
	}
	return []string{"127.0.0.1:0"}
}

// mediaAddr is the address of a DC for media.
func (c *Config) mediaAddr(dc int) string {
	if c.MemoryOnly {
		return "127.0.0.1:" + strconv.Itoa(mediaPort+dc)
	}
	return "127.0.0.1:0"
}

// lockedReader lets the owner and the writers of padded transports share one source of randomness.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}
