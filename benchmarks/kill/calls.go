package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1/mtfleetv1connect"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// callEnd is how a call ended, in its caller's eyes.
type callEnd uint8

const (
	endNone       callEnd = iota // not yet
	endOK                        // a result
	endRefused                   // the server's error
	endNotSent                   // it was not executed, the manager says
	endMayHaveRun                // nobody knows, the manager says
	endDead                      // the manager was killed, nobody told the caller
	endLost                      // nobody told the caller, and nobody was killed
)

// call is one call of testdc.echo.
type call struct {
	account string
	once    bool
	end     callEnd
	words   string // of its error
	answers int    // how often its answer came, to whomever
}

// calls is every call of a run: its id is what the ledger counts it by.
type calls struct {
	mu  sync.Mutex
	all []call // of id i+1
}

func (c *calls) begin(account string, once bool) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call{account: account, once: once})
	return int64(len(c.all))
}

// answered notes an answer to a call, which is named by the answer itself.
func (c *calls) answered(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id >= 1 && id <= int64(len(c.all)) {
		c.all[id-1].answers++
	}
}

func (c *calls) ended(id int64, end callEnd, words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id-1].end, c.all[id-1].words = end, words
}

// callTime is how long a caller waits.
const callTime = 20 * time.Second

// echo calls testdc.echo and returns every answer that came: the response is read to
// its end, for a second answer must not go unseen.
func (p *process) echo(ctx context.Context, q control.EchoRequest) (list []control.EchoResult, err error) {
	body, err := protojson.Marshal(&mtfleetv1.EchoRequest{
		Id: q.ID, EchoId: q.EchoID, DelayMs: q.DelayMs, Payload: q.Payload, Dc: int32(q.DC), Media: q.Media, Policy: policies[q.Policy],
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://manager"+mtfleetv1connect.AccountServiceEchoProcedure, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connect-Timeout-Ms", fmt.Sprint(callTime.Milliseconds()))
	resp, err := p.plain.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, said(resp.Body)
	}
	for d := json.NewDecoder(resp.Body); ; {
		var text json.RawMessage
		if err := d.Decode(&text); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return list, err
		}
		var one mtfleetv1.EchoResponse
		if err := protojson.Unmarshal(text, &one); err != nil {
			return list, err
		}
		list = append(list, control.EchoResult{EchoID: one.GetEchoId(), UserID: one.GetUserId(), DC: one.GetDc(), Payload: one.GetPayload()})
	}
}

var policies = map[string]mtfleetv1.CallPolicy{
	"once": mtfleetv1.CallPolicy_CALL_POLICY_ONCE, "repeatable": mtfleetv1.CallPolicy_CALL_POLICY_REPEATABLE,
}

// said reads how a call failed.
func said(body io.Reader) error {
	var told struct {
		Message string
		Details []struct{ Value string }
	}
	if err := json.NewDecoder(body).Decode(&told); err != nil {
		return err
	}
	e := &control.Error{Kind: control.KindInternal, Message: told.Message}
	for _, d := range told.Details {
		value, err := base64.RawStdEncoding.DecodeString(d.Value)
		var detail mtfleetv1.ErrorDetail
		if err == nil {
			err = proto.Unmarshal(value, &detail)
		}
		if err != nil {
			return err
		}
		e.Kind = control.KindOfWire(detail.GetKind())
		if c := detail.GetCall(); c != nil {
			e.Call = &control.CallError{Code: int(c.GetCode()), Type: c.GetType(), Argument: int(c.GetArgument()), MayHaveRun: c.GetMayHaveRun()}
		}
	}
	return e
}

// call makes one call of an account and notes what came of it.
func (w *world) call(ctx context.Context, p *person, q control.EchoRequest) {
	m := w.current()
	if !m.answers() || m.isGone() {
		return // nobody is there to ask
	}
	q.ID = p.name
	q.EchoID = w.calls.begin(p.name, q.Policy == "once")
	kind := opCall
	if q.DC != 0 && q.DC != p.dc {
		kind = opGuest
	}
	if q.Media {
		kind = opMedia
		if m.media.Load() && !p.hasMedia(m) {
			kind = opMediaKey
		}
	}
	defer w.begin(kind)()
	ctx, cancel := context.WithTimeout(ctx, callTime+5*time.Second)
	defer cancel()
	list, err := m.echo(ctx, q)
	for _, got := range list {
		w.calls.answered(got.EchoID)
		if w.plant == plantTwice && q.EchoID%5 == 0 {
			w.calls.answered(got.EchoID)
		}
		if got.EchoID != q.EchoID || got.UserID != p.user || !bytes.Equal(got.Payload, q.Payload) || q.DC != 0 && int(got.DC) != q.DC {
			w.find(foundCall, p.name, "call %d as user %d on DC %d was answered as call %d of user %d on DC %d, with %d bytes", q.EchoID, p.user, q.DC, got.EchoID, got.UserID, got.DC, len(got.Payload))
		}
	}
	if w.plant == plantTwice && q.Policy == "once" && q.EchoID%5 < 2 {
		_, _ = m.echo(ctx, q)
	}
	w.calls.ended(q.EchoID, endOf(m, err), fmt.Sprint(err))
	if err == nil && q.Media && w.cluster.EchoByMedia(q.EchoID) {
		p.mediaIn(m)
	}
}

// hasMedia reports whether a call of the account has gone by a connection for media
// in this life of the manager: there is a key for it then.
func (p *person) hasMedia(m *process) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.media == m.n
}

// mediaIn notes that one has.
func (p *person) mediaIn(m *process) {
	m.media.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.media = m.n
}

// endOf says what a call's error means to its caller.
func endOf(m *process, err error) callEnd {
	var told *control.Error
	switch {
	case err == nil:
		return endOK
	case !errors.As(err, &told):
		if m.killed.Load() {
			return endDead
		}
		return endLost
	case told.Call != nil && told.Call.Code != 0:
		return endRefused
	case told.Call != nil && told.Call.MayHaveRun:
		return endMayHaveRun
	}
	return endNotSent
}
