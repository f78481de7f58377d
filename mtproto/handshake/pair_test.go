package handshake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

func TestPermAndTemp(t *testing.T) {
	for _, temp := range []bool{false, true} {
		for _, dc := range []int{2, -2} {
			cc := clientConfig(1)
			cc.Temp, cc.DC = temp, dc
			if temp {
				cc.ExpiresIn = 90*time.Minute + 700*time.Millisecond
			}
			p := newPair(t, cc, serverConfig(2))
			p.skew = -25 * time.Hour
			p.run().wantKey()
			c, s := p.clientResult, p.serverResult
			if s.Temp != temp || s.DC != dc || s.Fingerprint != c.Fingerprint || s.Fingerprint != privateKey().Public().Fingerprint() {
				t.Errorf("temp %v dc %d: server has %v %d", temp, dc, s.Temp, s.DC)
			}
			if d := c.TimeOffset - p.skew; d > 0 || d < -time.Second {
				t.Errorf("offset %v, skew %v", c.TimeOffset, p.skew)
			}
			if c.Proven != nil || p.works != 2 {
				t.Errorf("a known prime was proved (%d pieces of work)", p.works)
			}
			if !temp {
				if !c.ExpiresAt.IsZero() || !s.ExpiresAt.IsZero() {
					t.Error("a perm key expires")
				}
				continue
			}
			if want := start.Add(p.skew + 90*time.Minute); !s.ExpiresAt.Equal(want) || c.ExpiresAt.After(s.ExpiresAt) || s.ExpiresAt.Sub(c.ExpiresAt) > 2*time.Second {
				t.Errorf("client says %v, server %v, want %v", c.ExpiresAt, s.ExpiresAt, want)
			}
		}
	}
}

func TestSecretsAreDropped(t *testing.T) {
	p := newPair(t, clientConfig(3), serverConfig(4)).run()
	p.wantKey()
	x := p.server.exchanges[p.client.nonce]
	for name, secret := range map[string][]byte{
		"client new_nonce": p.client.newNonce[:], "client tmp key": p.client.tmpKey[:], "client tmp iv": p.client.tmpIV[:],
		"server new_nonce": x.newNonce[:], "server tmp key": x.tmpKey[:], "server tmp iv": x.tmpIV[:], "a": x.a[:],
	} {
		if !bytes.Equal(secret, make([]byte, len(secret))) {
			t.Errorf("%s is still there", name)
		}
	}
	if p.client.key != nil {
		t.Error("the client still has the key")
	}
}

func TestNothingSecretPrints(t *testing.T) {
	p := newPair(t, clientConfig(3), serverConfig(4))
	p.client.Start(start)
	out, _ := p.client.Next()
	r := p.server.Receive(start, out.Packet)
	p.client.Receive(start, r.Packet)
	work, _ := p.client.Next()
	result := work.Work()
	p.client.Done(start, result)
	for x, want := range map[any]string{
		p.client: "handshake.Client(server_DH_params)", p.server: "handshake.Server(1 pending)",
		result: "handshake.WorkResult(req_DH_params)", WorkResult{}: "handshake.WorkResult",
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
			if got := fmt.Sprintf(verb, x); got != want {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

// Two handshakes, perm and temp, follow each other on one connection. A late repetition for the first must not end the
// second.
func TestLeftoversOfAnEarlierHandshakeAreIgnored(t *testing.T) {
	var old [][]byte
	first := newPair(t, clientConfig(26), serverConfig(27))
	first.toClient = func(packet []byte) [][]byte { old = append(old, packet); return [][]byte{packet} }
	first.run().wantKey()

	second := newPair(t, clientConfig(28), serverConfig(29))
	answers := 0
	second.toClient = func(packet []byte) [][]byte {
		all := [][]byte{packet}
		for i, stale := range old {
			if i != answers { // the awaited message with another nonce is a lie
				all = append([][]byte{stale}, all...)
			}
		}
		answers++
		return all
	}
	second.run().wantKey()
}

// A packet lost on either way is sent again after three seconds, unchanged, and answered; one that arrives twice is
// answered twice. Either way there is one key.
func TestLostAndRepeatedPackets(t *testing.T) {
	type fault func(packet []byte, number int) [][]byte
	faults := map[string]fault{
		"lost":    func([]byte, int) [][]byte { return nil },
		"doubled": func(p []byte, _ int) [][]byte { return [][]byte{p, p} },
	}
	for name, f := range faults {
		for number := range 6 {
			t.Run(fmt.Sprint(name, number), func(t *testing.T) {
				p := newPair(t, clientConfig(5), serverConfig(6))
				way := func(mine int) func([]byte) [][]byte {
					count := 0
					return func(packet []byte) [][]byte {
						count++
						if mine == number%2 && count-1 == number/2 {
							return f(packet, number)
						}
						return [][]byte{packet}
					}
				}
				p.toServer, p.toClient = way(0), way(1)
				p.runOut().wantKey()
				if name == "lost" && p.now.Sub(start) != resendAfter {
					t.Errorf("it took %v", p.now.Sub(start))
				}
			})
		}
	}
}

func TestEverythingLostEndsInTimeout(t *testing.T) {
	for step, want := range []Step{StepResPQ, StepServerDHParams, StepDHGen} {
		p := newPair(t, clientConfig(7), serverConfig(8))
		count := 0
		p.toServer = func(packet []byte) [][]byte {
			if count++; count > step {
				return nil
			}
			return [][]byte{packet}
		}
		p.runOut()
		wantStep(t, "client", p.clientErr, want, ErrTimeout)
		if d := p.now.Sub(start); d != 10*time.Second {
			t.Errorf("gave up after %v", d)
		}
		if sent := p.packets[0]; sent != step+1+3 {
			t.Errorf("%d packets", sent)
		}
		if !p.client.Deadline().IsZero() {
			t.Error("an ended client has a deadline")
		}
	}
}

func TestTimeoutDuringWork(t *testing.T) {
	p := newPair(t, clientConfig(9), serverConfig(10))
	p.client.Start(start)
	out, _ := p.client.Next()
	p.client.Receive(start, p.server.Receive(start, out.Packet).Packet)
	work, _ := p.client.Next()
	if work.Kind != OutWork || p.client.Deadline() != start.Add(10*time.Second) {
		t.Fatal("no work")
	}
	p.client.Advance(start.Add(5 * time.Second))
	if _, ok := p.client.Next(); ok {
		t.Error("something was sent during work")
	}
	p.client.Done(start.Add(10*time.Second), work.Work())
	out, _ = p.client.Next()
	wantStep(t, "client", out.Err, StepReqDHParams, ErrTimeout)
	p.client.Done(start, work.Work())
	p.client.Receive(start, nil)
	p.client.Start(start)
	if out, ok := p.client.Next(); ok {
		t.Errorf("an ended client put out %v", out.Kind)
	}
}

func TestRefusalNamesTheMessage(t *testing.T) {
	for n, want := range []Step{StepReqPQ, StepReqDHParams, StepSetClientDHParams} {
		p := newPair(t, clientConfig(11), serverConfig(12))
		count := 0
		p.toServer = func(packet []byte) [][]byte {
			if count++; count > n {
				p.client.Refused(p.now, -404)
				return nil
			}
			return [][]byte{packet}
		}
		p.run()
		wantStep(t, "client", p.clientErr, want, nil)
		var refused *RefusedError
		if !errors.As(p.clientErr, &refused) || refused.Code != -404 {
			t.Errorf("%v", p.clientErr)
		}
	}
}

func TestRetries(t *testing.T) {
	for _, test := range []struct {
		name   string
		forced Forced
		err    error
	}{
		{"two retries", Forced{Retries: 2}, nil},
		{"five retries", Forced{Retries: 5}, nil},
		{"six retries", Forced{Retries: 6}, ErrRetries},
		{"failure", Forced{Fail: true}, ErrDeclined},
		{"a retry, then failure", Forced{Retries: 1, Fail: true}, ErrDeclined},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, clientConfig(13), serverConfig(14))
			p.server.Force(test.forced)
			p.toServer = func(packet []byte) [][]byte { return [][]byte{packet, packet} } // repetitions must not disturb
			p.run()
			if test.err == nil {
				p.wantKey()
				if x := p.server.exchanges[p.client.nonce]; x.retries != test.forced.Retries {
					t.Errorf("%d retries", x.retries)
				}
				return
			}
			wantStep(t, "client", p.clientErr, StepDHGen, test.err)
			if p.serverResult != nil {
				t.Error("the server has a key")
			}
		})
	}
}

func TestTakenKeyIDIsRefused(t *testing.T) {
	sc := serverConfig(16)
	var asked []crypt.KeyID
	sc.Exists = func(id crypt.KeyID) bool {
		asked = append(asked, id)
		return len(asked) == 1
	}
	p := newPair(t, clientConfig(15), sc).run()
	p.wantKey()
	if len(asked) != 2 || asked[0] == asked[1] || asked[1] != p.clientResult.Key.ID() {
		t.Errorf("asked for %v", asked)
	}

	sc = serverConfig(16)
	sc.Exists = func(crypt.KeyID) bool { return true }
	p = newPair(t, clientConfig(15), sc).run()
	wantStep(t, "client", p.clientErr, StepDHGen, ErrDeclined)
}

// group14 is the prime of RFC 3526 section 3: a safe prime that is not Telegram's. 2 fits it: p mod 8 = 7.
func group14(t testing.TB, g int) *crypt.Group {
	t.Helper()
	gr, err := crypt.NewGroup(readVectors(t, "group14.txt")["prime"], g)
	if err != nil {
		t.Fatal(err)
	}
	return gr
}

func TestUnknownPrimeIsProvedOnce(t *testing.T) {
	sc := serverConfig(18)
	sc.Group = group14(t, 2)
	p := newPair(t, clientConfig(17), sc).run()
	p.wantKey()
	proven := p.clientResult.Proven
	if proven == nil || !proven.HasPrime(sc.Group.Prime()) || proven.G() != 2 {
		t.Fatal("the proved group was not handed out")
	}

	asked := 0
	cc := clientConfig(19)
	cc.Proven = func(prime []byte, g int) *crypt.Group {
		if asked++; !bytes.Equal(prime, sc.Group.Prime()) || g != 2 {
			t.Errorf("asked for %x, g %d", prime, g)
		}
		return proven
	}
	p = newPair(t, cc, sc).run()
	p.wantKey()
	if p.clientResult.Proven != nil || asked != 1 {
		t.Errorf("proved again; asked %d times", asked)
	}
	// What the callback returns is checked: another prime's group is not used.
	cc = clientConfig(19)
	cc.Proven = func([]byte, int) *crypt.Group { return wellKnown() }
	p = newPair(t, cc, sc).run()
	p.wantKey()
	if p.clientResult.Proven == nil {
		t.Error("a foreign group was believed")
	}
}

func TestKnownPrimeWithAnotherGenerator(t *testing.T) {
	for _, g := range []int{4, 7} {
		gr, err := crypt.NewGroup(wellKnown().Prime(), g)
		if err != nil {
			t.Fatal(err)
		}
		sc := serverConfig(20)
		sc.Group = gr
		p := newPair(t, clientConfig(21), sc).run()
		p.wantKey()
		if p.clientResult.Proven != nil {
			t.Errorf("g = %d: proved a known prime", g)
		}
	}
}

func TestNoKnownGroupAtAll(t *testing.T) {
	cc := clientConfig(22)
	cc.Group = nil
	p := newPair(t, cc, serverConfig(23)).run()
	p.wantKey()
	if p.clientResult.Proven == nil {
		t.Error("not proved")
	}
}

func TestBrokenRandomnessIsAnErrorNotAKey(t *testing.T) {
	for n := 0; n < 700; n += 70 {
		cc := clientConfig(24)
		cc.Rand = io.LimitReader(cc.Rand, int64(n))
		p := newPair(t, cc, serverConfig(25)).run()
		if p.clientErr == nil && n < 16+32+48+32+256+12 {
			t.Errorf("%d bytes of randomness made a key", n)
		}
		sc := serverConfig(25)
		sc.Rand = io.LimitReader(sc.Rand, int64(n))
		p = newPair(t, clientConfig(24), sc).run()
		if p.serverErr == nil && n < 16+16+256+8 {
			t.Errorf("%d bytes of randomness made a key on the server", n)
		}
	}
}
