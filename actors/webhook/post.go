package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// CheckURL tells whether messages may be sent there: by https, or by http to a
// loopback address.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("a webhook's target is a URL as https://example.com/hook")
	case u.User != nil || u.Fragment != "":
		return errors.New("a webhook's target has no user name, password or fragment: the signature proves who sends")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("a webhook is sent by https, or by http to this machine, not by %q", u.Scheme)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsLoopback() || u.Hostname() == "localhost" {
		return nil
	}
	return errors.New("a webhook is sent by https: http is for a loopback address alone")
}

// ErrNotLoopback refuses a dial: the name of an http target led elsewhere.
var ErrNotLoopback = errors.New("a webhook by http may reach a loopback address alone")

// newClient makes requests to the target.
func newClient(target *url.URL, timeout time.Duration, dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	if dial == nil {
		d := &net.Dialer{Timeout: timeout}
		if target.Scheme == "http" {
			d.Control = func(_, address string, _ syscall.RawConn) error {
				if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
					return ErrNotLoopback
				}
				return nil
			}
		}
		dial = d.DialContext
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: timeout, MaxIdleConnsPerHost: lanes, MaxConnsPerHost: lanes, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// verdict is what became of one attempt.
type verdict struct {
	taken  bool
	gone   bool          // 410: nobody wants messages any more
	reject bool          // the receiver does not want this one
	wait   time.Duration // it asked for, at least
	why    string
}

// bodyMost bounds what is read of an answer, so that its connection can be used again.
const bodyMost = 64 << 10

// post makes one attempt.
func (h *Hook) post(ctx context.Context, m *message) verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.target.String(), bytes.NewReader(m.body))
	if err != nil {
		return verdict{why: plain(err)}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mtfleet-webhook")
	Sign(req.Header, h.o.Secrets, m.id, time.Now(), m.body)
	resp, err := h.http.Do(req)
	if err != nil {
		return verdict{why: plain(err)}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, bodyMost)
	_ = resp.Body.Close()
	return judge(resp.StatusCode, resp.Header.Get("Retry-After"), time.Now())
}

// plain is an error of a request without the URL, which may hold a token.
func plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return "no answer in time"
		}
		err = u.Err
	}
	return err.Error()
}

// judge says what an answer means.
func judge(status int, retryAfter string, now time.Time) verdict {
	v := verdict{why: fmt.Sprintf("the target answered %d %s", status, http.StatusText(status))}
	switch {
	case status >= 200 && status < 300:
		return verdict{taken: true}
	case status == http.StatusGone:
		v.gone = true
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
	case status < 500: // a redirect, too: what it was sent to is not what was configured
		v.reject = true
	}
	if s, err := strconv.ParseUint(retryAfter, 10, 31); err == nil {
		v.wait = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(retryAfter); err == nil {
		v.wait = max(at.Sub(now), 0)
	}
	v.wait = min(v.wait, giveUpAfter)
	return v
}
