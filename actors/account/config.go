package account

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// fetchConfig asks for the table of DCs when nobody did within the hour.
func (a *account) fetchConfig(c *ctx) {
	a.config = time.Time{}
	if a.env.dcs.Claim(c.Now()) {
		a.ask(c, standing.Call{Purpose: standing.ForConfig, Repeatable: true}, &tg.HelpGetConfigRequest{}, ownCall{})
	}
}
