package peers

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/gotd/log/logslog"
	"github.com/gotd/td/exchange"
	gotd "github.com/gotd/td/tg"
	"github.com/gotd/td/tgtest"
	"github.com/gotd/td/tgtest/services"
	"github.com/gotd/td/transport"
)

// What gotd's test server is, where it differs from Telegram's:
//
//   - It makes temp keys when asked but knows no auth.bindTempAuthKey, so that our side runs without PFS.
//   - It checks no salt, seqno, msg_id or layer, and numbers all its own messages 0.
//   - Its new_session_created names an id of its own clock as first_msg_id. When that is later than our query, the query
//     counts as lost: our session sends it again, as it must, and the server executes it twice.
//   - It answers msgs_ack and msgs_state_req, which it does not know, with an rpc_error for them. What had gone out on a
//     lost connection is then for its policy to decide.
//   - It answers a session on the connection on which it saw it first, until ForceDisconnect ends that one.
//   - It reads the client's first bytes in its accept loop and ends when a connection closes before them.

// foreignUser is whom its handlers sign in.
var foreignUser = gotd.User{ID: 4242, Self: true, Bot: true, AccessHash: 7, FirstName: "peer", Username: "peer_bot"}

// foreignDC is its one DC; not 2, so that a default hides no mistake.
const foreignDC = 3

// foreignPts is where its user's updates stand.
const foreignPts = 10

// foreign is a running gotd server.
type foreign struct {
	addr   *net.TCPAddr
	key    []byte // PEM
	server *tgtest.Server

	mu      sync.Mutex      // guards the following fields
	handled map[uint32]int  // queries by constructor id
	last    *tgtest.Session // of the last query
}

// startForeign starts a server on loopback that ends with the test.
func startForeign(t *testing.T, obfuscated bool) *foreign {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{
		addr:    l.Addr().(*net.TCPAddr),
		key:     pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&private.PublicKey)}),
		handled: map[uint32]int{},
	}
	if obfuscated {
		l = transport.ObfuscatedListener(l)
	}
	handler := tgtest.UnpackInvoke(f.count(f.methods()))
	options := tgtest.ServerOptions{DC: foreignDC}
	if l := testLog(); l != nil {
		options.Logger = logslog.New(l)
	}
	f.server = tgtest.NewServer(exchange.PrivateKey{RSA: private}, handler, options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(ctx, transport.Listen(l)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("gotd's server: %v", err)
		}
	})
	return f
}

// methods are what a bot needs.
func (f *foreign) methods() tgtest.Handler {
	return tgtest.NewDispatcher().
		Result(gotd.HelpGetConfigRequestTypeID, &gotd.Config{
			ThisDC: foreignDC,
			DCOptions: []gotd.DCOption{{
				// tgtest/cluster, too, says that its IPv4 address is an IPv6 one.
				ID: foreignDC, IPAddress: f.addr.IP.String(), Port: f.addr.Port, Static: true, Ipv6: true,
			}},
		}).
		Result(gotd.AuthImportBotAuthorizationRequestTypeID, &gotd.AuthAuthorization{User: &foreignUser}).
		Result(gotd.UpdatesGetStateRequestTypeID, &gotd.UpdatesState{Pts: foreignPts, Seq: 1, Date: 1_700_000_000}).
		Result(gotd.UpdatesGetDifferenceRequestTypeID, &gotd.UpdatesDifferenceEmpty{Seq: 1, Date: 1_700_000_000}).
		Vector(gotd.UsersGetUsersRequestTypeID, &foreignUser).
		Fallback(services.NotImplemented)
}

// count notes what comes.
func (f *foreign) count(next tgtest.Handler) tgtest.Handler {
	return tgtest.HandlerFunc(func(s *tgtest.Server, req *tgtest.Request) error {
		id, err := req.Buf.PeekID()
		if err != nil {
			return err
		}
		session := req.Session
		f.mu.Lock()
		f.handled[id]++
		f.last = &session
		f.mu.Unlock()
		return next.OnMessage(s, req)
	})
}

// seen returns how many queries of a constructor came.
func (f *foreign) seen(id uint32) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handled[id]
}

// session is that of the last query.
func (f *foreign) session(t *testing.T) tgtest.Session {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		t.Fatal("no query has come yet")
	}
	return *f.last
}
