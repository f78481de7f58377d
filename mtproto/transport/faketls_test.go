package transport

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var (
	tlsSecret = Secret{Key: [16]byte(fromHex("00112233445566778899aabbccddeeff")), Padded: true, Domain: "example.com"}
	tlsNow    = time.Unix(1700000000, 0)
)

func fromHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// The vectors were computed apart from this program; see TDLib's TlsInit.cpp for
// what is signed.
func TestDigestsOfHellosMatchTheVectors(t *testing.T) {
	hello := bytes.Join([][]byte{fromHex("1603010200"), fromHex("000102030405"), make([]byte, 32), bytes.Repeat([]byte{0x55}, 474)}, nil)
	if got := hex.EncodeToString(helloDigest(hello, tlsSecret)); got != "4dfa5fa7493e45d2b112c449e8639150b46d18efd55c66da1ce1499c0470b5c8" {
		t.Errorf("digest %s", got)
	}
	digest := signHello(hello, tlsSecret, tlsNow)
	if got := hex.EncodeToString(hello[11:43]); got != "4dfa5fa7493e45d2b112c449e8639150b46d18efd55c66da1ce1499c0481e6ad" {
		t.Errorf("random %s", got)
	}
	reply := bytes.Join([][]byte{fromHex("160303007a"), fromHex("020000760303"), make([]byte, 32), bytes.Repeat([]byte{0x11}, 84),
		fromHex("140303000101"), fromHex("1703030004"), bytes.Repeat([]byte{0x22}, 4)}, nil)
	if got := hex.EncodeToString(replyDigest(reply, tlsSecret, digest)); got != "ee2581830d68190a5a8b53d1024aca338fc3e0c6598bca12284b431f841d4dcf" {
		t.Errorf("answer's digest %s", got)
	}
}

// twoWay is both ends of a stream that one goroutine drives after the other.
type twoWay struct {
	in  io.Reader
	out bytes.Buffer
}

func (p *twoWay) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *twoWay) Write(b []byte) (int, error) { return p.out.Write(b) }

// shake lets a client and a server meet: what the client said, and both streams.
func shake(t *testing.T, client, server Secret, at, serverAt time.Time) (*TLS, *TLS, *twoWay, *twoWay, error, error) {
	t.Helper()
	var toClient, toServer bytes.Buffer
	c, s := &twoWay{in: &toClient}, &twoWay{in: &toServer}
	// The server is asked when the client first reads.
	var srv *TLS
	var serverErr error
	c.in = readerFunc(func(b []byte) (int, error) {
		if srv == nil && serverErr == nil {
			toServer.Write(c.out.Bytes())
			c.out.Reset()
			if srv, serverErr = ServerTLS(s, server, serverAt, rand.Reader); serverErr == nil {
				toClient.Write(s.out.Bytes())
				s.out.Reset()
			}
		}
		return toClient.Read(b)
	})
	cl, err := ClientTLS(c, client, at, rand.Reader)
	c.in = &toClient
	return cl, srv, c, s, err, serverErr
}

func TestClientAndProxyMeetInsideFakeTLS(t *testing.T) {
	cl, srv, c, s, err, serverErr := shake(t, tlsSecret, tlsSecret, tlsNow, tlsNow.Add(time.Minute))
	if err != nil || serverErr != nil {
		t.Fatal(err, serverErr)
	}
	for _, n := range []int{1, recordOut, recordOut + 1, 100_000} {
		sent := make([]byte, n)
		_, _ = rand.Read(sent)
		if m, err := cl.Write(sent); m != n || err != nil {
			t.Fatal(m, err)
		}
		s.in = iotest.OneByteReader(bytes.NewReader(bytes.Clone(c.out.Bytes())))
		c.out.Reset()
		got := make([]byte, n)
		if _, err := io.ReadFull(srv, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes came as others: %v", n, err)
		}
		if _, err := srv.Write(sent); err != nil {
			t.Fatal(err)
		}
		c.in = bytes.NewReader(bytes.Clone(s.out.Bytes()))
		s.out.Reset()
		if _, err := io.ReadFull(cl, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes came back as others: %v", n, err)
		}
	}
	if _, err := cl.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end of the stream is %v", err)
	}
}

func TestHelloLooksLikeABrowsers(t *testing.T) {
	for _, domain := range []string{"a.io", "example.com", strings.Repeat("d", maxDomain)} {
		hello, err := clientHello(domain, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		// Telegram's own proxy takes no other beginning.
		if !bytes.HasPrefix(hello, fromHex("1603010200010001fc0303")) || len(hello) != helloLen {
			t.Errorf("a hello for %d bytes of domain has %d bytes and begins with %x", len(domain), len(hello), hello[:11])
		}
		if !bytes.Contains(hello, []byte(domain)) || len(sessionID(hello)) != 32 {
			t.Error("domain or session id are missing")
		}
	}
}

func TestFakeTLSIsRefused(t *testing.T) {
	other := tlsSecret
	other.Key[0] ^= 1
	for name, v := range map[string]struct {
		client, server Secret
		off            time.Duration
		want           string // of the server; "" where the client refuses by itself
	}{
		"by a proxy with another secret":       {tlsSecret, other, 0, "the hello was not made with this secret"},
		"when the client's clock is behind":    {tlsSecret, tlsSecret, -time.Hour, "the hello is of another time"},
		"when the client's clock is before":    {tlsSecret, tlsSecret, time.Hour, "the hello is of another time"},
		"with a secret that names no domain":   {tlsSecret.Inner(), tlsSecret, 0, ""},
		"when the clock is three minutes late": {tlsSecret, tlsSecret, -3 * time.Minute, "the hello is of another time"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, _, err, serverErr := shake(t, v.client, v.server, tlsNow.Add(v.off), tlsNow)
			if err == nil {
				t.Fatal("the client was let in")
			}
			if v.want != "" && (serverErr == nil || serverErr.Error() != "transport: fake-TLS: "+v.want) {
				t.Errorf("the proxy says %v", serverErr)
			}
		})
	}
}

func TestAnAnswerWithoutTheSecretIsRefused(t *testing.T) {
	answer := func(reply ...string) error {
		_, err := ClientTLS(&twoWay{in: bytes.NewReader(fromHex(strings.Join(reply, "")))}, tlsSecret, tlsNow, rand.Reader)
		return err
	}
	hello := "160303007a02000076" + "0303" + strings.Repeat("00", 116)
	ccs, data := "140303000101", "170303000422222222"
	for name, v := range map[string]struct {
		reply []string
		want  string
	}{
		"a real TLS server's":           {[]string{hello, ccs, data}, "the answer does not come from a proxy with this secret"},
		"an alert":                      {[]string{"15030300020228"}, "the other side sent an alert"},
		"HTTP":                          {[]string{hex.EncodeToString([]byte("HTTP/1.1 400 Bad Request\r\n"))}, "what came is no TLS record"},
		"data before a hello":           {[]string{data, data, data, data, data, data}, "the answer is no hello of a server"},
		"a record without length":       {[]string{"1603030000"}, "a record's length is not allowed"},
		"nothing but changes of cipher": {append([]string{hello}, strings.Split(strings.Repeat(ccs+",", 16), ",")...), "the answer has too many records"},
	} {
		var bad *TLSError
		if err := answer(v.reply...); !errors.As(err, &bad) || bad.Reason != v.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := answer(hello, "1403"); err != io.ErrUnexpectedEOF {
		t.Errorf("a cut answer: %v", err)
	}
}

func TestRecordsBetweenDataAreSkippedOrEndTheStream(t *testing.T) {
	for _, v := range []struct{ name, in, want, err string }{
		{"changes of cipher are skipped", "140303000101" + "1703030002aabb" + "140303000101" + "1703030001cc", "aabbcc", "EOF"},
		{"an alert ends it", "1703030001aa" + "15030300020100", "aa", "transport: fake-TLS: the other side sent an alert"},
		{"a second hello ends it", "1703030001aa" + "160303000100", "aa", "transport: fake-TLS: a record is neither application data nor a change of cipher"},
		{"a longer change of cipher ends it", "14030300020101", "", "transport: fake-TLS: a record is neither application data nor a change of cipher"},
		{"a cut record is noticed", "1703030004aa", "aa", "unexpected EOF"},
		{"a cut header is noticed", "1703", "", "unexpected EOF"},
	} {
		got, err := io.ReadAll(&TLS{rw: &twoWay{in: bytes.NewReader(fromHex(v.in))}})
		if err == nil {
			err = io.EOF // ReadAll swallows it
		}
		if hex.EncodeToString(got) != v.want || err.Error() != v.err {
			t.Errorf("%s: %x, %v", v.name, got, err)
		}
	}
}

// FuzzTLS holds that how a stream is cut into reads does not matter, and that what
// was refused is named.
func FuzzTLS(f *testing.F) {
	f.Add(fromHex("140303000101" + "1703030002aabb" + "1703030001cc"))
	f.Add(fromHex("15030300020100"))
	f.Add(fromHex("1703034101"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, e1 := io.ReadAll(&TLS{rw: &twoWay{in: bytes.NewReader(b)}})
		bytewise, e2 := io.ReadAll(&TLS{rw: &twoWay{in: iotest.OneByteReader(bytes.NewReader(b))}})
		if !bytes.Equal(whole, bytewise) || (e1 == nil) != (e2 == nil) || e1 != nil && e1.Error() != e2.Error() {
			t.Fatalf("whole: %x, %v; byte by byte: %x, %v", whole, e1, bytewise, e2)
		}
		var bad *TLSError
		if e1 != nil && e1 != io.ErrUnexpectedEOF && !errors.As(e1, &bad) {
			t.Fatalf("untyped error %v", e1)
		}
		if len(whole) > len(b) {
			t.Fatal("more came out than went in")
		}
	})
}

// FuzzHello gives both sides any opening: none lets anybody in who does not have
// the secret, and none makes either panic.
func FuzzHello(f *testing.F) {
	hello, _ := clientHello("example.com", rand.Reader)
	f.Add(hello)
	reply, _ := serverHello(hello, rand.Reader)
	f.Add(reply)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ServerTLS(&twoWay{in: bytes.NewReader(b)}, tlsSecret, tlsNow, rand.Reader); err == nil {
			t.Error("a client without the secret was let in")
		}
		if _, err := ClientTLS(&twoWay{in: bytes.NewReader(b)}, tlsSecret, tlsNow, rand.Reader); err == nil {
			t.Error("a proxy without the secret was believed")
		}
	})
}
