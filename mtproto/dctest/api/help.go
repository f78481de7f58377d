package api

import (
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// configLife is how long a client may use a config before it asks again.
const configLife = time.Hour

// getConfig answers help.getConfig with the addresses of the cluster.
func (c *call) getConfig(*tg.HelpGetConfigRequest) (*tg.Config, *Error) {
	now := c.req.Now
	cfg := &tg.Config{
		Date:                    int32(now.Unix()),
		Expires:                 int32(now.Add(configLife).Unix()),
		TestMode:                c.b.cfg.TestMode,
		ThisDC:                  int32(c.ref.dc),
		DCTxtDomainName:         "dc.invalid",
		ChatSizeMax:             200,
		MegagroupSizeMax:        200000,
		ForwardedCountMax:       100,
		OnlineUpdatePeriodMs:    120000,
		OfflineBlurTimeoutMs:    5000,
		OfflineIdleTimeoutMs:    30000,
		OnlineCloudTimeoutMs:    300000,
		NotifyCloudDelayMs:      30000,
		NotifyDefaultDelayMs:    1500,
		PushChatPeriodMs:        60000,
		PushChatLimit:           2,
		EditTimeLimit:           172800,
		RevokeTimeLimit:         2147483647,
		RevokePmTimeLimit:       2147483647,
		RatingEDecay:            2419200,
		StickersRecentLimit:     200,
		ChannelsReadMediaPeriod: 604800,
		CallReceiveTimeoutMs:    20000,
		CallRingTimeoutMs:       90000,
		CallConnectTimeoutMs:    30000,
		CallPacketTimeoutMs:     10000,
		MeURLPrefix:             "https://me.invalid/",
		CaptionLengthMax:        1024,
		MessageLengthMax:        4096,
		WebfileDCID:             int32(c.b.cfg.NearestDC),
	}
	if n := c.b.cfg.TmpSessions; n > 0 {
		cfg.TmpSessions = tl.Some(int32(n))
	}
	for _, e := range c.b.endpoints {
		cfg.DCOptions = append(cfg.DCOptions, tg.DCOption{
			ID: int32(e.DC), IPAddress: e.IP, IPv6: strings.Contains(e.IP, ":"), Port: int32(e.Port), ThisPortOnly: true, MediaOnly: e.Media,
		})
	}
	return cfg, nil
}

// getNearestDC answers help.getNearestDc.
func (c *call) getNearestDC(*tg.HelpGetNearestDCRequest) (*tg.NearestDC, *Error) {
	return &tg.NearestDC{
		Country: c.b.cfg.Country, ThisDC: int32(c.ref.dc), NearestDC: int32(c.b.cfg.NearestDC),
	}, nil
}

// getAppConfig answers help.getAppConfig with the few entries a session manager reads: the confirmation period, and
// the freeze of a frozen account.
func (c *call) getAppConfig(q *tg.HelpGetAppConfigRequest) (tg.AnyHelpAppConfig, *Error) {
	entries := []jsonEntry{{"authorization_autoconfirm_period", jsonNumber(c.b.cfg.AutoConfirm.Seconds())}}
	hash := int32(1)
	if c.user != nil && c.user.frozen.holds(c.req.Now) {
		f := c.user.frozen
		entries = append(entries, jsonEntry{"freeze_since_date", jsonNumber(float64(f.since.Unix()))})
		if !f.until.IsZero() {
			entries = append(entries, jsonEntry{"freeze_until_date", jsonNumber(float64(f.until.Unix()))})
		}
		entries = append(entries, jsonEntry{"freeze_appeal_url", jsonString(f.appeal)})
		hash = int32(f.since.Unix())
	}
	if q.Hash == hash {
		return &tg.HelpAppConfigNotModified{}, nil
	}
	return &tg.HelpAppConfig{Hash: hash, Config: appendJSONObject(nil, entries)}, nil
}

// termsOfService is what a new number has to agree to.
func termsOfService() tg.HelpTermsOfService {
	return tg.HelpTermsOfService{
		ID:   tg.DataJSON{Data: `{"terms":"test"}`},
		Text: "This is a test cluster. Its accounts are not real, and nothing here is kept.",
	}
}
