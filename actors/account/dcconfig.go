package account

import (
	"net/netip"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// configLife is how long one help.getConfig serves the whole process: the
// table of DCs is shared, so one account asks for all of them.
const configLife = time.Hour

// fetchConfig asks for the table of DCs when nobody did within the hour.
func (a *account) fetchConfig(c *ctx) {
	if !a.env.dcs.claim(c.Now()) {
		return
	}
	query := &tg.HelpGetConfigRequest{}
	a.own(query, Repeatable, func(body []byte, err error) {
		if err != nil {
			a.env.Logger.Warn("help.getConfig failed", "err", err)
			return
		}
		r := tl.NewReader(body)
		cfg := query.ParseResult(r)
		if r.End() != nil {
			a.env.Logger.Warn("help.getConfig answered what cannot be read", "err", r.Err())
			return
		}
		for _, err := range a.env.dcs.Update(dcOptions(cfg)) {
			a.env.Logger.Warn("an address of help.getConfig cannot be used", "err", err)
		}
	})
}

// onConfigChanged hears that the table of DCs has changed: it is asked for
// again.
func (a *account) onConfigChanged(c *ctx) {
	a.env.dcs.expire()
	a.fetchConfig(c)
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
