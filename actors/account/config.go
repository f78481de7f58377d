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

// onConfig takes the table over.
func (a *account) onConfig(c *ctx, body []byte, err error) {
	again, problems := a.env.dcs.Learn(c.Now(), body, err)
	a.config = again
	what := "an address of help.getConfig cannot be used"
	if !again.IsZero() {
		what = "help.getConfig failed and is asked again"
	}
	for _, p := range problems {
		a.env.Logger.Warn(what, "err", p)
	}
}
