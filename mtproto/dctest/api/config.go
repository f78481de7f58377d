package api

import (
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// App is an application a client signs in with: the pair of my.telegram.org.
type App struct {
	ID   int
	Hash string
}

// TestApp is the one application a Backend accepts when Config names none.
var testApp = App{ID: 900001, Hash: "6d74666c6565742d746573742d617070"}

// TestApp returns the one application a Backend accepts when Config names none.
func TestApp() App { return testApp }

// RateLimit allows Calls calls in any period of length Per; one more answers FLOOD_WAIT with the seconds until the
// oldest of them leaves the period. Zero is the default of the field it stands in, negative Calls is no limit.
type RateLimit struct {
	Calls int
	Per   time.Duration
}

// Limits are the flood limits. Their defaults are our choice: Telegram publishes none.
type Limits struct {
	SendCodeNumber      RateLimit // auth.sendCode per phone number; default 5 a day
	SendCodeAddress     RateLimit // auth.sendCode per client IP, loopback and in-memory clients exempt; default 20 a day
	ImportBot           RateLimit // auth.importBotAuthorization per bot; default 10 in 10 minutes
	ExportAuthorization RateLimit // auth.exportAuthorization per account; default 1 a second
	GetAuthorizations   RateLimit // account.getAuthorizations per account; default 10 a minute
	ExportLoginToken    RateLimit // auth.exportLoginToken per key; default 20 in 10 seconds
	AcceptLoginToken    RateLimit // auth.acceptLoginToken per account; default 10 an hour
	CheckPassword       RateLimit // proofs of a password per account, right or wrong; default 5 in 10 minutes
	Mail                RateLimit // mails per account or number; default 10 an hour
}

// Config describes the cluster's people and rules. The zero value is usable; New copies it, applies the defaults and
// checks the bounds.
type Config struct {
	// DCs is how many DCs the cluster has, numbered from 1. 0 is 3; at most 9, the digits of a test number.
	DCs int
	// Seed decides the directory: the same seed makes the same people, codes and bot tokens.
	Seed uint64
	// Rand is the source of what is handed out at run time: code hashes, export bytes, tokens. nil derives it from
	// Seed, which makes a run repeatable and its secrets guessable.
	Rand io.Reader

	// Apps are the accepted applications. nil accepts TestApp only; an empty list accepts any non-zero id with a
	// non-empty hash.
	Apps []App
	// PublishedApps are ids answered with API_ID_PUBLISHED_FLOOD, as ids found in sample code are.
	PublishedApps []int
	// TestMode is config.test_mode: clients then use DC ids plus 10000 in the handshake.
	TestMode bool
	// Country is what help.getNearestDc and authorization rows name; "" is "ZZ".
	Country string
	// NearestDC is the DC of an unknown number that has no test form, and of help.getNearestDc. 0 is 2, or 1 when
	// the cluster has one DC.
	NearestDC int

	// NoSignUp refuses unknown numbers with PHONE_NUMBER_APP_SIGNUP_FORBIDDEN.
	NoSignUp bool
	// AutoCreate makes an unknown test number a person when its code is right, instead of asking for sign-up.
	AutoCreate bool

	CodeLength     int           // digits of a login code; 0 is 5, from 5 to 7
	CodeTTL        time.Duration // how long a code can be used; 0 is 5 minutes, from 1 s to 1 hour
	ResendTimeout  time.Duration // wait before auth.resendCode; 0 is 1 minute, negative none, at most 1 hour
	CodeMaxTries   int           // wrong codes until PHONE_CODE_EXPIRED; 0 is 5, at most 100
	LoginsPerDay   int           // sign-ins per number and day until PHONE_NUMBER_FLOOD; 0 is 5, negative no limit
	CodeChain      []CodeType    // how codes travel, in order of resending; nil is app, SMS, call. The app is skipped when the account has no live authorization
	ExportTTL      time.Duration // life of auth.exportAuthorization's bytes; 0 is 1 minute, at most 1 hour
	FreshSession   time.Duration // age an authorization needs to end others; 0 is 24 hours, negative none
	FutureTokens   int           // future auth tokens kept per person; 0 is 20, at most 100
	FutureTokenTTL time.Duration // life of a future auth token; 0 is 90 days
	AuthTTLDays    int           // days without a query after which an authorization ends (SESSION_EXPIRED); 0 is 180, from 1 to 366
	AutoConfirm    time.Duration // authorization_autoconfirm_period as shown; 0 is 7 days
	TmpSessions    int           // tmp_sessions of authorizations and the config; 0 leaves it out
	Limits         Limits

	// RevokedError is what a terminated key answers; "" is SESSION_REVOKED, the other choice is
	// AUTH_KEY_UNREGISTERED: which one Telegram picks is not documented.
	RevokedError string
	// DuplicateWindow is the time within which queries from two hosts on one home key count as duplicate use
	// (AUTH_KEY_DUPLICATED). 0 never looks.
	DuplicateWindow time.Duration
	// DifferenceSlice is the most pts one updates.getDifference carries; 0 is 100, at most 1000.
	DifferenceSlice int

	QRTTL             time.Duration // life of a token of auth.exportLoginToken; 0 is 30 s, from 1 s to 10 minutes
	ProofTTL          time.Duration // life of an srp_id; 0 is 30 minutes, from 1 s to 24 hours
	MailTTL           time.Duration // life of a mailed code; 0 is 15 minutes, from 1 s to 24 hours
	PasswordResetWait time.Duration // from account.resetPassword until it is done; 0 is 7 days, at most 30
	LoginEmailWait    time.Duration // from auth.resetLoginEmail until it is done; 0 is 7 days, negative none, at most 30 days
	PNV               bool          // serve the sign-in by a carrier's word (auth.initFirebasePnvLogin), as we read it
	Firebase          bool          // any attestation is good; otherwise none is
	// Passkeys checks passkeys; nil: there are none. PasskeyRP is the relying party they are made for, "" is
	// "passkeys.invalid", and PasskeyOrigins are the origins they may be used at, nil is https:// and the party's name.
	Passkeys       Passkeys
	PasskeyRP      string
	PasskeyOrigins []string
	// Group is the group of passwords. nil makes the well-known one when the first password needs it.
	Group *crypt.Group
	// LogMax is how many updates the log of a user or a channel keeps, and how many messages; who asks for older ones
	// gets differenceTooLong or channelDifferenceTooLong. 0 is 10000 (about 300 bytes each, 16 KiB with the longest text), at
	// most 1000000.
	LogMax int
	// PushForm is how news of the messages that clients write is pushed.
	PushForm Form
	// ChannelPushMax is how many members a channel may have to push its messages; to more it pushes updateChannelTooLong.
	// 0 is 1000, negative has no limit.
	ChannelPushMax int
	// ChannelTooLong is how many pts behind updates.getChannelDifference goes; who is farther behind gets
	// channelDifferenceTooLong. 0 goes as far as the log.
	ChannelTooLong int
	// ChannelTimeout is how soon updates.getChannelDifference asks clients to come back, if somebody looks at the channel.
	// Some ask no sooner for a gap either. 0 is 30 s, negative does not say.
	ChannelTimeout time.Duration
	// ChannelHintSlack is how long before the date that a client gives updates.getDifference looks for channels that have
	// moved: for DCs whose clocks are a fault apart. 0 is not at all.
	ChannelHintSlack time.Duration
	// NoChannelHints keeps updates.getDifference from naming the channels that have moved.
	NoChannelHints bool
}

// ConfigError says which field of a Config is out of its bounds.
type ConfigError struct {
	Field string
	Why   string
}

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("api: config %s: %s", e.Field, e.Why) }

// withDefaults returns a copy with every zero field filled.
func (c Config) withDefaults() Config {
	def(&c.DCs, 3)
	def(&c.Country, "ZZ")
	def(&c.NearestDC, min(2, c.DCs))
	def(&c.CodeLength, 5)
	def(&c.CodeTTL, 5*time.Minute)
	def(&c.ResendTimeout, time.Minute)
	def(&c.CodeMaxTries, 5)
	def(&c.LoginsPerDay, 5)
	def(&c.ExportTTL, time.Minute)
	def(&c.FreshSession, 24*time.Hour)
	def(&c.FutureTokens, 20)
	def(&c.FutureTokenTTL, 90*24*time.Hour)
	def(&c.AuthTTLDays, 180)
	def(&c.AutoConfirm, 7*24*time.Hour)
	def(&c.RevokedError, "SESSION_REVOKED")
	def(&c.DifferenceSlice, 100)
	def(&c.LogMax, 10000)
	def(&c.ChannelPushMax, 1000)
	def(&c.ChannelTimeout, 30*time.Second)
	def(&c.QRTTL, 30*time.Second)
	def(&c.ProofTTL, 30*time.Minute)
	def(&c.MailTTL, 15*time.Minute)
	def(&c.PasswordResetWait, 7*24*time.Hour)
	def(&c.LoginEmailWait, 7*24*time.Hour)
	def(&c.PasskeyRP, "passkeys.invalid")
	if c.PasskeyOrigins == nil {
		c.PasskeyOrigins = []string{"https://" + c.PasskeyRP}
	}
	c.PasskeyOrigins = append([]string(nil), c.PasskeyOrigins...)
	def(&c.Limits.SendCodeNumber, RateLimit{5, 24 * time.Hour})
	def(&c.Limits.SendCodeAddress, RateLimit{20, 24 * time.Hour})
	def(&c.Limits.ImportBot, RateLimit{10, 10 * time.Minute})
	def(&c.Limits.ExportAuthorization, RateLimit{1, time.Second})
	def(&c.Limits.GetAuthorizations, RateLimit{10, time.Minute})
	def(&c.Limits.ExportLoginToken, RateLimit{20, 10 * time.Second})
	def(&c.Limits.AcceptLoginToken, RateLimit{10, time.Hour})
	def(&c.Limits.CheckPassword, RateLimit{5, 10 * time.Minute})
	def(&c.Limits.Mail, RateLimit{10, time.Hour})
	if c.Apps == nil {
		c.Apps = []App{testApp}
	} else {
		c.Apps = append([]App{}, c.Apps...)
	}
	if c.CodeChain == nil {
		c.CodeChain = []CodeType{CodeApp, CodeSMS, CodeCall}
	} else {
		c.CodeChain = append([]CodeType{}, c.CodeChain...)
	}
	c.PublishedApps = append([]int(nil), c.PublishedApps...)
	return c
}

// validate checks a Config whose defaults are filled.
func (c *Config) validate() error {
	for _, f := range []struct {
		name        string
		v, min, max int64
	}{
		{"DCs", int64(c.DCs), 1, 9},
		{"NearestDC", int64(c.NearestDC), 1, int64(c.DCs)},
		{"CodeLength", int64(c.CodeLength), 5, 7},
		{"CodeTTL", int64(c.CodeTTL), int64(time.Second), int64(time.Hour)},
		{"ResendTimeout", int64(c.ResendTimeout), -1 << 63, int64(time.Hour)},
		{"CodeMaxTries", int64(c.CodeMaxTries), 1, 100},
		{"LoginsPerDay", int64(c.LoginsPerDay), -1 << 63, 1 << 20},
		{"ExportTTL", int64(c.ExportTTL), int64(time.Second), int64(time.Hour)},
		{"FutureTokens", int64(c.FutureTokens), 1, 100},
		{"FutureTokenTTL", int64(c.FutureTokenTTL), int64(time.Second), 1<<63 - 1},
		{"AuthTTLDays", int64(c.AuthTTLDays), 1, 366},
		{"AutoConfirm", int64(c.AutoConfirm), int64(time.Second), int64(365 * 24 * time.Hour)},
		{"TmpSessions", int64(c.TmpSessions), 0, 100},
		{"DuplicateWindow", int64(c.DuplicateWindow), 0, int64(time.Hour)},
		{"DifferenceSlice", int64(c.DifferenceSlice), 1, 1000},
		{"LogMax", int64(c.LogMax), 1, 1000000},
		{"PushForm", int64(c.PushForm), 0, int64(len(formNames)) - 1},
		{"ChannelTimeout", int64(c.ChannelTimeout), -1 << 63, int64(time.Hour)},
		{"ChannelHintSlack", int64(c.ChannelHintSlack), 0, int64(24 * time.Hour)},
		{"ChannelTooLong", int64(c.ChannelTooLong), 0, 1 << 30},
		{"QRTTL", int64(c.QRTTL), int64(time.Second), int64(10 * time.Minute)},
		{"ProofTTL", int64(c.ProofTTL), int64(time.Second), int64(24 * time.Hour)},
		{"MailTTL", int64(c.MailTTL), int64(time.Second), int64(24 * time.Hour)},
		{"PasswordResetWait", int64(c.PasswordResetWait), 1, int64(30 * 24 * time.Hour)},
		{"LoginEmailWait", int64(c.LoginEmailWait), -1 << 63, int64(30 * 24 * time.Hour)},
		{"Limits.SendCodeNumber", c.Limits.SendCodeNumber.badness(), 0, 0},
		{"Limits.SendCodeAddress", c.Limits.SendCodeAddress.badness(), 0, 0},
		{"Limits.ImportBot", c.Limits.ImportBot.badness(), 0, 0},
		{"Limits.ExportAuthorization", c.Limits.ExportAuthorization.badness(), 0, 0},
		{"Limits.GetAuthorizations", c.Limits.GetAuthorizations.badness(), 0, 0},
		{"Limits.ExportLoginToken", c.Limits.ExportLoginToken.badness(), 0, 0},
		{"Limits.AcceptLoginToken", c.Limits.AcceptLoginToken.badness(), 0, 0},
		{"Limits.CheckPassword", c.Limits.CheckPassword.badness(), 0, 0},
		{"Limits.Mail", c.Limits.Mail.badness(), 0, 0},
	} {
		if f.v < f.min || f.v > f.max {
			return &ConfigError{f.name, "out of bounds"}
		}
	}
	if c.RevokedError != "SESSION_REVOKED" && c.RevokedError != "AUTH_KEY_UNREGISTERED" {
		return &ConfigError{"RevokedError", "neither SESSION_REVOKED nor AUTH_KEY_UNREGISTERED"}
	}
	return validChain(c.CodeChain)
}

// validChain checks that every step after the first that sends a code can be announced as a next_type: auth.CodeType has
// no app, word or phrase.
func validChain(chain []CodeType) error {
	if len(chain) == 0 || len(chain) > 16 {
		return &ConfigError{"CodeChain", "wants 1 to 16 steps"}
	}
	announced := false
	for i, t := range chain {
		if t == 0 || t > codeTypeLast {
			return &ConfigError{"CodeChain", "names an unknown code type"}
		}
		if announced && !t.canFollow() {
			return &ConfigError{"CodeChain", "has " + t.String() + " after the first step, which next_type cannot announce"}
		}
		if t == CodeSetUpEmail || t == CodePaid {
			if i == len(chain)-1 {
				return &ConfigError{"CodeChain", "ends with " + t.String() + ", which sends no code"}
			}
			continue
		}
		announced = true
	}
	return nil
}

// badness is 0 for a limit that can be kept: none at all, or 1 to 1000 calls in up to a week.
func (l RateLimit) badness() int64 {
	if l.Calls < 0 || (l.Calls >= 1 && l.Calls <= 1000 && l.Per > 0 && l.Per <= 7*24*time.Hour) {
		return 0
	}
	return 1
}

// def fills *p when it is the zero value.
func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// acceptsApp judges the pair of a login call.
func (c *Config) acceptsApp(id int32, hash string) *Error {
	for _, p := range c.PublishedApps {
		if p == int(id) {
			return errAPIIDPublished
		}
	}
	if id == 0 || hash == "" {
		return errAPIIDInvalid
	}
	if len(c.Apps) == 0 {
		return nil
	}
	for _, a := range c.Apps {
		if a.ID == int(id) && a.Hash == hash {
			return nil
		}
	}
	return errAPIIDInvalid
}

// knowsApp judges an api_id without its hash, as in initConnection.
func (c *Config) knowsApp(id int) bool {
	if id == 0 {
		return false
	}
	for _, a := range c.Apps {
		if a.ID == id {
			return true
		}
	}
	return len(c.Apps) == 0
}
