package actors

import (
	"context"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/ways"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

// DirectProxy, as the proxy of an account, has it connect directly, whatever
// Options.Proxy is.
const DirectProxy = string(ways.Direct)

// ProxyError refuses a proxy. It quotes nothing of what it was given.
type ProxyError struct{ Why string }

func (e *ProxyError) Error() string { return "the proxy: " + e.Why }

// SetProxy changes how the account connects: through a proxy, written as
// socks5://user:password@host:port, http://... (CONNECT), mtproxy://host:port?secret=...
// or as a link, tg://proxy?... or https://t.me/proxy?...; directly ([DirectProxy]);
// or, empty, as Options.Proxy says. It waits until that is on disk and every
// connection was told: those that lead another way are closed, their sessions go on
// by the new one, and calls under way are answered there.
//
// An account that has a proxy never connects in any other way. The error is a
// *ProxyError for one that cannot be.
func (a *Account) SetProxy(ctx context.Context, text string) error {
	own, err := a.m.opts.proxy(text)
	if err != nil {
		return err
	}
	_, err = ask(ctx, a, func(r runtime.Reply[struct{}]) account.Message { return account.SetProxy{Proxy: own, Reply: r} })
	return err
}

// proxy checks a proxy and returns how the store has it.
func (o *Options) proxy(text string) (persistence.SecretText, error) {
	if text == "" || text == DirectProxy {
		return persistence.SecretText(text), nil
	}
	s, err := proxy.Parse(text)
	if err != nil {
		return "", &ProxyError{err.(*proxy.Error).Reason}
	}
	if o.Wire.RequireLoopback {
		return "", &ProxyError{(&wire.ProxyRefusedError{Proxy: s.String()}).Error()}
	}
	if s.Kind == proxy.MTProxy && o.Wire.WebSocket != nil {
		return "", &ProxyError{(&wire.WebSocketProxyError{Proxy: s.String()}).Error()}
	}
	return persistence.SecretText(s.URL()), nil
}

// server is the proxy of accounts that have none of their own; it was checked.
func (o *Options) server() *proxy.Server {
	s, _ := ways.ServerOf(persistence.SecretText(o.Proxy), nil)
	return s
}

// ProxyName names the proxy of a record as Status does, where all is Options.Proxy.
func ProxyName(own persistence.SecretText, all string) string {
	if own == "" {
		own = persistence.SecretText(all)
	}
	s, err := ways.ServerOf(own, nil)
	switch {
	case err != nil:
		return "one that cannot be read"
	case s == nil:
		return ""
	}
	return s.String()
}
