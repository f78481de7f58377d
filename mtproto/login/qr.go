package login

import (
	"encoding/base64"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The sign-in by QR code: a token is shown, an app that is signed in scans it,
// and the next export says so. Whoever scanned may live on another DC; then the
// sign-in moves there and imports what it was given. A token that is refused
// there is exported anew where we are: any DC shows one.
// https://core.telegram.org/api/qr-login

const (
	callExportToken call = "exportLoginToken"
	callImportToken call = "importLoginToken"
)

const (
	// scanPatience is how long codes are shown before nobody seems to be there.
	scanPatience = 10 * time.Minute
	// qrEarly is how long before its end a code is replaced: the way to the
	// server and to the eye.
	qrEarly = 2 * time.Second
	// qrMost is the longest a code is shown, whatever the clocks say. They live
	// for half a minute.
	qrMost = time.Minute
	// importsMost bounds the tokens that are refused in a row after a scan.
	importsMost = 3
)

// QRPart is what is stored of a sign-in by QR code; the codes are not.
type QRPart struct {
	Since     time.Time `json:"since,omitzero"`      // the first one was shown
	RefreshAt time.Time `json:"refresh_at,omitzero"` // the one that is shown is replaced
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Again: a scan was pushed while an export was under way.
	Again bool `json:"again,omitempty"`
}

func (m *Machine) qrMethod(c call) (method, bool) {
	switch c {
	case callExportToken:
		return method{
			// An export more changes nothing: the server shows the same code or the
			// next. But its answer may be an authorization.
			state: StateExporting, repeatable: true, moves: true, patient: true, signsIn: true,
			query: func(m *Machine) tl.Object {
				return &tg.AuthExportLoginTokenRequest{APIID: m.cfg.APIID, APIHash: m.cfg.APIHash, ExceptIDs: m.cfg.others()}
			},
			answer:  reads(tg.ParseAnyAuthLoginToken, (*Machine).onLoginToken),
			refused: (*Machine).onTokenError,
			lost:    repeat(callExportToken),
		}, true
	case callImportToken:
		return method{
			state: StateImportingToken, moves: true, signsIn: true,
			query: func(m *Machine) tl.Object {
				if len(m.secret.login) == 0 {
					return nil
				}
				return &tg.AuthImportLoginTokenRequest{Token: m.secret.login}
			},
			answer:  reads(tg.ParseAnyAuthLoginToken, (*Machine).onLoginToken),
			refused: (*Machine).onTokenError,
			lost:    func(m *Machine, _ time.Time) { m.secret.login = nil; m.call(callExportToken) },
			// The process died on the way: another code, where we are now.
			forgotten: func(m *Machine) { m.call(callExportToken) },
			late: func(m *Machine, until time.Time) {
				m.secret.login = nil
				m.s.Pending = string(callExportToken)
				m.waitUntil(until, until, true)
			},
		}, true
	}
	return method{}, false
}

// onLoginToken takes the answer of both calls.
func (m *Machine) onLoginToken(now time.Time, v tg.AnyAuthLoginToken) {
	switch v := v.(type) {
	case *tg.AuthLoginToken:
		m.onQR(now, v)
	case *tg.AuthLoginTokenMigrateTo:
		if m.s.Canceled {
			m.endCanceled(nil) // nothing is authorized before the import
			return
		}
		m.secret.login, m.s.LastError = append([]byte(nil), v.Token...), ""
		m.s.Pending = string(callImportToken)
		if to := dc.ID(v.DCID); to != m.s.DC {
			m.migrate(to, nil)
		} else {
			m.call(callImportToken)
		}
	case *tg.AuthLoginTokenSuccess:
		m.onAuthorization(now, v.Authorization)
	default:
		m.unreadable()
	}
}

// onQR shows a code until shortly before it expires.
func (m *Machine) onQR(now time.Time, v *tg.AuthLoginToken) {
	if m.s.Canceled {
		m.endCanceled(nil)
		return
	}
	if m.s.QR.Since.IsZero() {
		m.s.QR.Since = now
	}
	m.secret.login = nil
	if m.s.QR.Again { // the scan came while this was on its way
		m.s.QR.Again = false
		m.call(callExportToken)
		return
	}
	left := time.Unix(int64(v.Expires), 0).Add(-m.clock).Sub(now)
	left = min(max(left, time.Second), qrMost)
	m.secret.link = "tg://login?token=" + base64.RawURLEncoding.EncodeToString(v.Token)
	m.s.QR.ExpiresAt = now.Add(left)
	m.s.QR.RefreshAt = now.Add(max(left-qrEarly, time.Second))
	m.wait(StateWaitScan)
}

// qrRefresh replaces a code that is about to expire, while somebody may be
// there.
func (m *Machine) qrRefresh(now time.Time) {
	if m.secret.link = ""; now.Sub(m.s.QR.Since) >= scanPatience {
		m.fail(&Error{Reason: ReasonExpired, Retry: true, Message: "nobody scanned the QR code for ten minutes; begin the sign-in anew when somebody is there"})
		return
	}
	m.s.LastError, m.s.Repeats = "", 0
	m.call(callExportToken)
}

// qrAgain shows another code, for as long as the first one was.
func (m *Machine) qrAgain(why string) {
	m.s.QR, m.s.LastError = QRPart{}, why
	m.call(callExportToken)
}

// onTokenError sorts the refusals of a code.
func (m *Machine) onTokenError(now time.Time, e *tgerr.Error) bool {
	switch e.Type {
	case "AUTH_TOKEN_ALREADY_ACCEPTED", "AUTH_TOKEN_EXPIRED", "AUTH_TOKEN_EXCEPTION",
		"AUTH_TOKEN_INVALID", "AUTH_TOKEN_INVALIDX", "AUTH_TOKEN_INVALID1", "AUTH_TOKEN_INVALID2":
	default:
		switch e.Class() {
		case tgerr.ClassBadRequest, tgerr.ClassForbidden:
			m.trouble(now, e) // nothing is lost by another try
			return true
		}
		return false
	}
	if m.s.Repeats >= importsMost {
		m.fail(&Error{Reason: ReasonServer, Err: e, Retry: true, Message: "the server refuses the QR code again and again; try later"})
		return true
	}
	m.s.Repeats++
	m.secret.login, m.s.LastError = nil, e.Type
	m.call(callExportToken)
	return true
}
