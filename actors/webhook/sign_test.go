package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The example of the Standard Webhooks specification.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secret(t *testing.T, text string) Secret {
	t.Helper()
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	header, at := http.Header{}, time.Unix(vectorTime, 0)
	one, other := secret(t, vectorSecret), secret(t, "whsec_"+strings.Repeat("AAAA", 8))
	Sign(header, []Secret{one}, vectorID, at, []byte(vectorBody))
	if got := header.Get(HeaderSignature); got != vectorSignature || header.Get(HeaderID) != vectorID || header.Get(HeaderTimestamp) != "1614265330" {
		t.Errorf("signed so: %v", header)
	}
	Sign(header, []Secret{other, one}, vectorID, at, []byte(vectorBody))
	if got := header.Get(HeaderSignature); !strings.HasSuffix(got, " "+vectorSignature) {
		t.Errorf("signed with two secrets: %s", got)
	}
	for _, c := range []struct {
		name    string
		secrets []Secret
		body    string
		now     time.Time
		change  func(http.Header)
		want    error
	}{
		{"one of two signatures", []Secret{one}, vectorBody, at, nil, nil},
		{"one of two secrets", []Secret{secret(t, "whsec_"+strings.Repeat("BBBB", 8)), other}, vectorBody, at.Add(Tolerance), nil, nil},
		{"another body", []Secret{one, other}, vectorBody + " ", at, nil, ErrSignature},
		{"another id", []Secret{one}, vectorBody, at, func(h http.Header) { h.Set(HeaderID, "msg_x") }, ErrSignature},
		{"another time", []Secret{one}, vectorBody, at, func(h http.Header) { h.Set(HeaderTimestamp, "1614265331") }, ErrSignature},
		{"another version", []Secret{one}, vectorBody, at, func(h http.Header) { h.Set(HeaderSignature, "v2"+vectorSignature[2:]) }, ErrSignature},
		{"no signature", []Secret{one}, vectorBody, at, func(h http.Header) { h.Del(HeaderSignature) }, ErrSignature},
		{"too late", []Secret{one}, vectorBody, at.Add(Tolerance + time.Second), nil, ErrTimestamp},
		{"too early", []Secret{one}, vectorBody, at.Add(-Tolerance - time.Second), nil, ErrTimestamp},
		{"no time", []Secret{one}, vectorBody, at, func(h http.Header) { h.Del(HeaderTimestamp) }, ErrTimestamp},
	} {
		h := header.Clone()
		if c.change != nil {
			c.change(h)
		}
		if err := Verify(h, c.secrets, []byte(c.body), c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestASecretDoesNotPrint(t *testing.T) {
	s := secret(t, vectorSecret)
	text, err := json.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %q %s", s, s, s, s, s, s, text)
	if strings.Contains(all, "MfKQ") || strings.Contains(all, "31f290") || strings.Contains(all, "0x31") {
		t.Error(all)
	}
	for _, bad := range []string{"", "whsec_", "whsec_short", vectorSecret[6:], "whsec_" + strings.Repeat("A", 200), "whsec_!!!!"} {
		if _, err := ParseSecret(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) && len(bad) > 6 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTargetsAreHTTPSOrLoopback(t *testing.T) {
	for target, ok := range map[string]bool{
		"https://example.com/hook?x=1": true, "https://10.0.0.1": true, "http://127.0.0.1:8080/": true, "http://[::1]:1/": true, "http://localhost/x": true,
		"http://example.com/": false, "http://10.0.0.1/": false, "http://localhost.example.com/": false, "ftp://127.0.0.1/": false,
		"https://u:p@example.com/": false, "https://example.com/#a": false, "": false, "https:///x": false, "example.com": false, "https:opaque": false,
	} {
		if err := CheckURL(target); (err == nil) != ok {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status int
		after  string
		want   verdict
	}{
		{200, "", verdict{taken: true}},
		{204, "7", verdict{taken: true}},
		{302, "", verdict{reject: true}},
		{400, "", verdict{reject: true}},
		{408, "", verdict{}},
		{410, "", verdict{gone: true}},
		{429, "7", verdict{wait: 7 * time.Second}},
		{503, now.Add(time.Hour).Format(http.TimeFormat), verdict{wait: time.Hour}},
		{503, now.Add(-time.Hour).Format(http.TimeFormat), verdict{}},
		{503, "999999999", verdict{wait: giveUpAfter}},
		{500, "soon", verdict{}},
	} {
		got := judge(c.status, c.after, now)
		if (got.why == "") != c.want.taken {
			t.Errorf("%d is explained by %q", c.status, got.why)
		}
		if got.why = ""; got != c.want {
			t.Errorf("%d, Retry-After %q: %+v, want %+v", c.status, c.after, got, c.want)
		}
	}
}
