package serve

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
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

	// Addrs are the addresses to listen on by DC, "127.0.0.1:0" for those not named. Only loopback is accepted.
	Addrs map[int]string
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
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.MaxConns <= 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.Core.DCs == 0 {
		c.Core.DCs = dctest.DefaultDCs
	}
	if c.Core.Rand == nil {
		c.Core.Rand = rand.Reader
	}
	c.Core.Rand = &lockedReader{r: c.Core.Rand}
	if c.Core.API == nil {
		c.API.DCs, c.API.TestMode = c.Core.DCs, c.Core.Test
		if c.API.Rand == nil {
			c.API.Rand = c.Core.Rand
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
	key, err := crypt.GeneratePrivateKey(c.Core.Rand)
	if err != nil {
		return nil, fmt.Errorf("serve: RSA key: %w", err)
	}
	return key, nil
}

func (c *Config) checkAddrs() error {
	for id, addr := range c.Addrs {
		if id < 1 || id > c.Core.DCs {
			return &AddrError{id, addr, fmt.Sprintf("the cluster has DCs 1 to %d", c.Core.DCs)}
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return &AddrError{id, addr, "not HOST:PORT"}
		}
		if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
			return &AddrError{id, addr, "not a loopback address; a test cluster is never open to a network"}
		}
	}
	return nil
}

func (c *Config) addr(dc int) string {
	if a, ok := c.Addrs[dc]; ok {
		return a
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
