package doctor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/handshake"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

// Prober asks DCs, as a manager of the same configuration would reach them, for
// the first answer of a handshake and goes: that shows that there is a DC, that it
// has a key that is known here, and what time it has there. No key is made and no
// account is named.
type Prober struct {
	// Wire is how a manager connects; it refuses what that one would refuse.
	Wire  wire.Config
	Table dc.Table
	// Via is the proxy of all accounts; nil: directly.
	Via *proxy.Server
	// Limit is how long one DC may take, by one family of addresses. All are asked
	// side by side, atOnce at a time.
	Limit time.Duration
}

// atOnce bounds the sockets of a Prober: more than Telegram has DCs and families.
const atOnce = 16

// Way is how a DC was asked.
type Way struct {
	DC dc.ID
	// Family is that of its addresses; 0 where a proxy or a name decides that.
	Family dc.Families
	Addr   string // the first of them, empty without
}

// Answer is what came back.
type Answer struct {
	Way
	Err error
	// Took is from the query to its answer, and Offset the DC's time minus ours: exact
	// to half of Took where the DC gives fractions, and to a second in any case.
	Took, Offset time.Duration
}

// Ask asks every DC of the table by each family of addresses that it has there. It
// returns when all have answered or their time is over, in the order of the DCs.
func (p *Prober) Ask(ctx context.Context) []Answer {
	cfg := p.Wire
	cfg.ConnectTimeout = p.Limit
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	network := wire.New(cfg)
	var keys []*crypt.PublicKey
	for _, text := range p.Table.Keys {
		some, _ := crypt.ParsePublicKeys([]byte(text)) // the configuration was checked
		keys = append(keys, some...)
	}
	ways := p.ways()
	answers := make([]Answer, len(ways))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, w := range ways {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, p.Limit)
			defer cancel()
			answers[i] = p.ask(ctx, network, keys, w)
			answers[i].Way = w.Way
		})
	}
	all.Wait()
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = network.Wait(done) // everything is closed: it ends at once
	return answers
}

type targeted struct {
	Way
	targets []dc.Target
}

// ways lists what there is to ask.
func (p *Prober) ways() (ways []targeted) {
	named := p.Wire.WebSocket != nil || p.Via != nil && p.Via.Kind == proxy.MTProxy
	for _, id := range p.Table.DCs() {
		if named {
			ways = append(ways, targeted{Way{DC: id}, p.Table.Select(dc.Want{DC: id, IPv6: true})})
			continue
		}
		for _, family := range []dc.Families{dc.IPv4, dc.IPv6} {
			targets := p.Table.Select(dc.Want{DC: id, IPv6: family == dc.IPv6, Proxied: p.Via != nil})
			targets = slices.DeleteFunc(targets, func(t dc.Target) bool { return dc.Family(t.Addr.Addr()) != family || t.Media })
			if len(targets) > 0 {
				ways = append(ways, targeted{Way{id, family, targets[0].Addr.String()}, targets})
			}
		}
	}
	return ways
}

// ask asks one.
func (p *Prober) ask(ctx context.Context, network *wire.Network, keys []*crypt.PublicKey, w targeted) (a Answer) {
	socket, err := p.dial(ctx, network, w)
	if err != nil {
		a.Err = err
		return a
	}
	heard := &hearing{packet: make(chan []byte, 1), closed: make(chan error, 1)}
	defer func() {
		socket.Close()
		<-heard.closed
	}()
	client := handshake.NewClient(handshake.ClientConfig{Rand: rand.Reader, Keys: keys, DC: dc.Wire(w.DC, p.Table.Test, false)})
	sent := time.Now()
	client.Start(sent)
	out, _ := client.Next()
	if out.Kind != handshake.OutPacket {
		a.Err = out.Err
		heard.closed <- nil // it was not started
		return a
	}
	a.Err = socket.Send(slices.Clone(out.Packet))
	socket.Start(heard)
	if a.Err != nil {
		return a
	}
	select {
	case packet := <-heard.packet:
		a.Took = time.Since(sent)
		if a.Err = firstAnswer(client, packet); a.Err == nil {
			a.Offset = timeOf(packet).Sub(sent.Add(a.Took / 2))
		}
	case err := <-heard.closed:
		a.Err = err
		heard.closed <- err
	case <-ctx.Done():
		a.Err = handshake.ErrTimeout
	}
	return a
}

// dial connects, within ctx.
func (p *Prober) dial(ctx context.Context, network *wire.Network, w targeted) (wire.Socket, error) {
	var via *proxy.Via
	if p.Via != nil {
		via = &proxy.Via{Server: p.Via, Now: time.Now()}
	}
	type dialed struct {
		socket wire.Socket
		err    error
	}
	done := make(chan dialed, 1)
	cancel := network.Dial(w.targets, dc.Wire(w.DC, p.Table.Test, false), via, func(s wire.Socket, err error) { done <- dialed{s, err} })
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	d := <-done
	if d.err != nil && ctx.Err() != nil {
		d.err = handshake.ErrTimeout
	}
	return d.socket, d.err
}

// firstAnswer is nil for the answer of a DC: it has our nonce, and a key we know.
func firstAnswer(client *handshake.Client, packet []byte) error {
	client.Receive(time.Now(), packet)
	for out, ok := client.Next(); ok; out, ok = client.Next() {
		if out.Kind == handshake.OutFailed {
			return out.Err
		}
	}
	return nil
}

// timeOf is the server's time in the msg_id of a plain packet, whose upper half is
// seconds since 1970. https://core.telegram.org/mtproto/description#message-identifier-msg-id
func timeOf(packet []byte) time.Time {
	id := binary.LittleEndian.Uint64(packet[8:])
	return time.Unix(int64(id>>32), int64((id&(1<<32-1))*1e9>>32))
}

// hearing is what a connection delivers to an ask.
type hearing struct {
	packet chan []byte
	closed chan error
}

// Packet implements wire.Handler: the first one counts.
func (h *hearing) Packet(packet []byte) {
	select {
	case h.packet <- packet:
	default:
	}
}

// Writable implements wire.Handler.
func (h *hearing) Writable() {}

// Closed implements wire.Handler.
func (h *hearing) Closed(err error) { h.closed <- err }
