package peers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// engineLink drives our engines by hand over one connection, so that a failure against gotd's server names its layer:
// the framing, the handshake or the session. One goroutine, no actors.
type engineLink struct {
	conn    net.Conn
	codec   *transport.Codec
	packets chan []byte // closed when the connection ends
	readErr error       // why; valid after that
}

func dialEngine(ctx context.Context, t *testing.T, addr net.Addr, cfg transport.Config) *engineLink {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	codec, err := transport.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &engineLink{conn: conn, codec: codec, packets: make(chan []byte)}
	go l.read(ctx)
	return l
}

func (l *engineLink) read(ctx context.Context) {
	defer close(l.packets)
	for {
		p, err := l.codec.ReadPacket(l.conn, nil)
		if err == nil {
			if code, is := transport.ErrorCode(p); is {
				err = transportError(code)
			}
		}
		if err != nil {
			l.readErr = err
			return
		}
		select {
		case l.packets <- p:
		case <-ctx.Done():
			return
		}
	}
}

// transportError is a packet of four bytes in the place of a real one.
type transportError int32

func (e transportError) Error() string { return fmt.Sprintf("transport error %d", int32(e)) }

func (l *engineLink) write(packet []byte) error {
	frame, err := l.codec.Encode(nil, packet)
	if err != nil {
		return err
	}
	_, err = l.conn.Write(frame)
	return err
}

// engine is what handshake.Client and mtproto.Session have in common.
type engine interface {
	Receive(now time.Time, packet []byte)
	Advance(now time.Time)
	Deadline() time.Time
}

// drive feeds an engine until step says that it is done or failed. step takes the outputs.
func (l *engineLink) drive(ctx context.Context, e engine, step func() (done bool, err error)) error {
	for {
		if done, err := step(); done || err != nil {
			return err
		}
		var due <-chan time.Time
		if at := e.Deadline(); !at.IsZero() {
			due = time.After(time.Until(at))
		}
		select {
		case p, ok := <-l.packets:
			if !ok {
				return fmt.Errorf("the connection ended: %w", l.readErr)
			}
			e.Receive(time.Now(), p)
		case <-due:
			e.Advance(time.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makeKey goes through a handshake.
func (l *engineLink) makeKey(ctx context.Context, cfg handshake.ClientConfig) (*handshake.Result, error) {
	c := handshake.NewClient(cfg)
	c.Start(time.Now())
	var result *handshake.Result
	err := l.drive(ctx, c, func() (bool, error) {
		for out, ok := c.Next(); ok; out, ok = c.Next() {
			switch out.Kind {
			case handshake.OutPacket:
				if err := l.write(out.Packet); err != nil {
					return false, err
				}
			case handshake.OutWork:
				c.Done(time.Now(), out.Work())
			case handshake.OutDone:
				result = out.Result
				return true, nil
			case handshake.OutFailed:
				return false, out.Err
			}
		}
		return false, nil
	})
	return result, err
}

// call sends one query and waits for its answer.
func (l *engineLink) call(ctx context.Context, s *mtproto.Session, id mtproto.QueryID, q tl.Object) ([]byte, error) {
	s.Send(time.Now(), id, q.Append(nil), mtproto.Repeatable)
	var body []byte
	err := l.drive(ctx, s, func() (bool, error) {
		for out, ok := s.Next(); ok; out, ok = s.Next() {
			switch out.Kind {
			case mtproto.OutPacket:
				if err := l.write(out.Packet); err != nil {
					return false, err
				}
			case mtproto.OutResult:
				if out.Query == id {
					body = append([]byte(nil), out.Body...)
					return true, nil
				}
			case mtproto.OutFailed, mtproto.OutReconnect:
				return false, out.Err
			}
		}
		return false, nil
	})
	return body, err
}

// header is invokeWithLayer and initConnection without the query: they are built around help.getConfig, whose four bytes
// are cut off.
func header() []byte {
	query := (&tg.HelpGetConfigRequest{}).Append(nil)
	inner := &tg.InitConnectionRequest{
		APIID: 1, DeviceModel: "mtfleet peers", SystemVersion: "none", AppVersion: "0", SystemLangCode: "en", LangCode: "en",
		Query: query,
	}
	whole := (&tg.InvokeWithLayerRequest{Layer: tg.Layer, Query: inner.Append(nil)}).Append(nil)
	return whole[:len(whole)-len(query)]
}

// parse reads a whole answer.
func parse[R any](q tl.Query[R], body []byte) (R, error) {
	r := tl.NewReader(body)
	result := q.ParseResult(r)
	return result, r.End()
}

// TestEnginesAgainstGotd takes handshake.Client and mtproto.Session through every framing to gotd's server.
func TestEnginesAgainstGotd(t *testing.T) {
	plain, obfuscated := startForeign(t, false), startForeign(t, true)
	group := crypt.WellKnownGroup()
	for _, k := range []struct {
		kind       transport.Kind
		obfuscated bool
	}{
		{transport.Abridged, false},
		{transport.Intermediate, false},
		{transport.Padded, false},
		{transport.Full, false},
		{transport.Abridged, true},
		{transport.Intermediate, true},
		{transport.Padded, true},
	} {
		t.Run(fmt.Sprintf("%v obfuscated=%v", k.kind, k.obfuscated), func(t *testing.T) {
			t.Parallel()
			f := plain
			if k.obfuscated {
				f = obfuscated
			}
			// gotd's half of the padded framing is the same for clients and servers, see shortPadding.
			l := dialEngine(within(t, limit), t, f.addr,
				transport.Config{Kind: k.kind, Obfuscated: k.obfuscated, DC: foreignDC, Rand: shortPadding{}})
			f.exercise(t, l, group)
		})
	}
}

// exercise makes a perm and a temp key and calls under the perm key.
func (f *foreign) exercise(t *testing.T, l *engineLink, group *crypt.Group) {
	ctx := within(t, limit)
	keys, err := crypt.ParsePublicKeys(f.key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := handshake.ClientConfig{Rand: rand.Reader, Keys: keys, Group: group, DC: foreignDC, Timeout: limit}
	perm, err := l.makeKey(ctx, cfg)
	if err != nil {
		t.Fatalf("handshake for a perm key: %v", err)
	}
	temp := cfg
	temp.Temp, temp.ExpiresIn = true, time.Hour
	if made, err := l.makeKey(ctx, temp); err != nil {
		t.Fatalf("handshake for a temp key: %v", err)
	} else if left := time.Until(made.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the temp key lives %s, asked for an hour", left)
	}

	s, err := mtproto.NewSession(mtproto.Config{
		Rand: rand.Reader, Header: header(), Perm: true, TimeOffset: perm.TimeOffset, OffsetKnown: true,
		Salts: []mtproto.Salt{{Value: perm.ServerSalt}},
	}, perm.Key)
	if err != nil {
		t.Fatal(err)
	}
	s.Connected(time.Now())
	config := &tg.HelpGetConfigRequest{}
	body, err := l.call(ctx, s, 1, config)
	if err != nil {
		t.Fatalf("help.getConfig: %v", err)
	}
	if c, err := parse(config, body); err != nil || c.ThisDC != foreignDC || len(c.DCOptions) != 1 {
		t.Errorf("help.getConfig: %+v, %v", c, err)
	}
	users := &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}}
	if body, err = l.call(ctx, s, 2, users); err != nil {
		t.Fatalf("users.getUsers: %v", err)
	}
	if list, err := parse(users, body); err != nil || len(list) != 1 || list[0].(*tg.User).ID != foreignUser.ID {
		t.Errorf("users.getUsers: %+v, %v", list, err)
	}
	// What the server does not know is an error of the query, not of the session.
	if _, err = l.call(ctx, s, 3, &tg.HelpGetNearestDCRequest{}); !tgerr.Is(err, "INPUT_METHOD_INVALID") {
		t.Errorf("help.getNearestDc, which it does not have: %v", err)
	}
	if _, err = l.call(ctx, s, 4, config); err != nil {
		t.Errorf("help.getConfig again: %v", err)
	}
}

// TestUnknownKeyAtGotd: a key that the server does not know is answered -404, which our framing tells from a packet.
func TestUnknownKeyAtGotd(t *testing.T) {
	f := startForeign(t, false)
	ctx := within(t, limit)
	l := dialEngine(ctx, t, f.addr, transport.Config{Kind: transport.Intermediate})
	packet := append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 16+48)...)
	if err := l.write(packet); err != nil {
		t.Fatal(err)
	}
	var refused transportError
	if p, ok := <-l.packets; ok || !errors.As(l.readErr, &refused) || refused != -404 {
		t.Errorf("packet %x, error %v; want transport error -404", p, l.readErr)
	}
}
