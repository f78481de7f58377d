package account

import (
	"net/netip"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const (
	// configLife is how long one help.getConfig serves the whole process: the
	// table of DCs is shared, so one account asks for all of them.
	configLife = time.Hour
	// configRetry is the first pause after a failure; it doubles up to
	// configLife.
	configRetry = time.Minute
)

// fetchConfig asks for the table of DCs when nobody did within the hour.
func (a *account) fetchConfig(c *ctx) {
	a.config = time.Time{}
	if a.env.dcs.claim(c.Now()) {
		a.ask(c, standing.ForConfig, &tg.HelpGetConfigRequest{}, Repeatable, 0, "", ownCall{})
	}
}

// onConfig takes the table over. After a failure it is asked for again, by
// whoever comes first.
func (a *account) onConfig(c *ctx, body []byte, err error) {
	var cfg *tg.Config
	if err == nil {
		r := tl.NewReader(body)
		cfg, err = (*tg.HelpGetConfigRequest)(nil).ParseResult(r), r.End()
	}
	if err != nil {
		pause := min(configRetry<<min(a.configs, 6), configLife)
		a.configs++
		a.config = c.Now().Add(pause)
		a.env.dcs.expire(a.config)
		a.env.Logger.Warn("help.getConfig failed and is asked again", "in", pause, "err", err)
		return
	}
	a.configs = 0
	for _, err := range a.env.dcs.Update(dcOptions(cfg)) {
		a.env.Logger.Warn("an address of help.getConfig cannot be used", "err", err)
	}
}

// dcOptions copies the addresses of a config; those that are no addresses are
// left out.
func dcOptions(cfg *tg.Config) []dc.Option {
	var out []dc.Option
	for _, o := range cfg.DCOptions {
		addr, err := netip.ParseAddr(o.IPAddress)
		if err != nil || o.Port <= 0 || o.Port > 65535 {
			continue
		}
		secret, _ := o.Secret.Get()
		out = append(out, dc.Option{
			DC: dc.ID(o.ID), Addr: netip.AddrPortFrom(addr, uint16(o.Port)),
			IPv6: o.IPv6, MediaOnly: o.MediaOnly, TCPOnly: o.TcpoOnly, CDN: o.CDN, Static: o.Static,
			ThisPortOnly: o.ThisPortOnly, Secret: secret,
		})
	}
	return out
}
