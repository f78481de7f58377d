package actors_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
)

// metered opens a manager whose series are read.
func metered(t *testing.T, change func(*actors.Options)) (*serve.Cluster, *actors.Manager, func() map[string]int64) {
	t.Helper()
	cfg := small
	cfg.Bots = 6
	s := cluster(t, cfg)
	reader := metric.NewManualReader()
	o := options(s, persistence.NewMemory())
	o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader))
	if change != nil {
		change(&o)
	}
	return s, open(t, o), func() map[string]int64 { return series(t, reader) }
}

func TestSeriesTellWhatHappens(t *testing.T) {
	type scene struct {
		s    *serve.Cluster
		m    *actors.Manager
		a    *actors.Account
		b    serve.Bot
		read func() map[string]int64
	}
	want := func(t *testing.T, got map[string]int64, n int64, name string, within ...string) {
		t.Helper()
		if sum := sumOf(got, name, within...); sum != n {
			t.Errorf("%s %v: %d, want %d", name, within, sum, n)
		}
	}
	for name, play := range map[string]func(*testing.T, scene){
		"a rotation, its key's age, and that the old key was dropped": func(t *testing.T, x scene) {
			time.Sleep(time.Hour)
			if err := x.a.Rotate(soon(t)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			got := x.read()
			want(t, got, 1, "mtfleet.rotations")
			want(t, got, 1, "mtfleet.rotations", "result=ok")
			want(t, got, 1, "mtfleet.temp_key.age")
			want(t, got, 1, "mtfleet.temp_keys.dropped")
			want(t, got, 1, "mtfleet.connections")
		},
		"a rotation whose bind is refused": func(t *testing.T, x scene) {
			inject(t, x.s, dctest.Fault{Kind: dctest.FaultRPC, Method: "auth.bindTempAuthKey", Code: 420, Text: "FLOOD_WAIT_300", Count: 1})
			_ = x.a.Rotate(soon(t))
			got := x.read()
			want(t, got, 1, "mtfleet.rotations")
			want(t, got, 1, "mtfleet.rotations", "result=failed")
			want(t, got, 1, "mtfleet.binds", "result=failed")
			want(t, got, 0, "mtfleet.temp_key.age")
			want(t, got, 1, "mtfleet.waits", "scope=method")
		},
		"a temp key that the server has forgotten": func(t *testing.T, x scene) {
			inject(t, x.s, dctest.Fault{Kind: dctest.FaultForgetTemp})
			inject(t, x.s, dctest.Fault{Kind: dctest.FaultCloseConns})
			call(t, x.a)
			time.Sleep(time.Minute)
			got := x.read()
			want(t, got, 1, "mtfleet.rotations")
			want(t, got, 1, "mtfleet.rotations", "result=lost")
			want(t, got, 1, "mtfleet.temp_key.age")
		},
		"a wait, as long as it lasts": func(t *testing.T, x scene) {
			refuse(t, x.s, "testdc.echo", 420, "FLOOD_WAIT_600")
			_, _ = actors.Invoke(soon(t), x.a, &echo.EchoRequest{ID: 1})
			time.Sleep(100 * time.Second)
			got := x.read()
			want(t, got, 1, "mtfleet.waits")
			want(t, got, 1, "mtfleet.waits", "scope=method")
			if left := sumOf(got, "mtfleet.wait.longest"); left < 490 || left > 500 {
				t.Errorf("the longest wait has %d s left, want about 500", left)
			}
			time.Sleep(501 * time.Second)
			got = x.read()
			want(t, got, 0, "mtfleet.waits")
			want(t, got, 0, "mtfleet.wait.longest")
		},
		"a DC that is down, and who waits for it": func(t *testing.T, x scene) {
			others := int64(0)
			for i, b := range x.s.Descriptor().Bots {
				if i > 0 && b.DC == x.b.DC {
					wait(t, signInBot(t, x.m, fmt.Sprint("robot-", i), b, actors.AccountOptions{}), actors.Online)
					others++
				}
			}
			if err := x.s.StopDC(x.b.DC, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			got := x.read()
			at := fmt.Sprintf("dc=%d", x.b.DC)
			want(t, got, 0, "mtfleet.dc.up", at)
			want(t, got, 2, "mtfleet.dc.up")
			n := sumOf(got, "mtfleet.governor.queue", at, "kind=connect")
			if n < others || n > others+1 { // one may be probing
				t.Errorf("%d wait for a DC that %d accounts are without", n, others+1)
			}
			want(t, got, n, "mtfleet.governor.queue")
			if ok, all := sumOf(got, "mtfleet.connects", at, "result=ok"), sumOf(got, "mtfleet.connects", at); ok < 1 || all < ok+3 {
				t.Errorf("%d of %d attempts to connect worked", ok, all)
			}
		},
		"commits, and the clocks of DCs": func(t *testing.T, x scene) {
			got := x.read()
			if n := sumOf(got, "mtfleet.store.commit"); n < 3 {
				t.Errorf("a sign-in made %d commits", n)
			}
			if off := sumOf(got, "mtfleet.clock.offset", fmt.Sprintf("dc=%d", x.b.DC)); off < -2 || off > 2 {
				t.Errorf("a DC's clock is said to be off by %d s", off)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, m, read := metered(t, nil)
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{})
				wait(t, a, actors.Online)
				time.Sleep(time.Second)
				play(t, scene{s, m, a, b, read})
			})
		})
	}
}

// histograms begin with their first value.
var histograms = []string{"mtfleet.temp_key.age", "mtfleet.call.duration", "mtfleet.update.lag", "mtfleet.store.commit"}

// unheard is a call of a method that nobody has heard of, made anew each time.
type unheard struct{ n int }

func (q unheard) TypeID() uint32         { return 0xf0000000 + uint32(q.n) }
func (q unheard) TypeName() string       { return fmt.Sprintf("nobody.knows%d", q.n) }
func (q unheard) Append(b []byte) []byte { return tl.AppendUint32(b, q.TypeID()) }
func (q unheard) Parse(*tl.Reader)       {}

func TestNobodyMakesSeriesWithoutBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, m, read := metered(t, nil)
		begun := read()
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		harm := func(from, to int) {
			for i := from; i < to; i++ {
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 400 + i, Text: fmt.Sprintf("MADE_UP_%c%d", 'A'+i%26, i), Count: 1})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, _ = actors.Invoke(ctx, a, &echo.EchoRequest{ID: int64(i)})
				_, _ = a.InvokeRaw(ctx, unheard{i})
				_, _ = a.InvokeRaw(ctx, unheard{i}, actors.OnDC(dcID(1000+i)))
				cancel()
			}
		}
		harm(0, 120)
		all := read()
		for name := range all {
			for _, hostile := range []string{"nobody", "MADE", "10", "mtfleet.calls class=,"} {
				if strings.Contains(name, hostile) {
					t.Errorf("the series %q was made by a stranger", name)
				}
			}
		}
		if sumOf(all, "mtfleet.calls", "dc=other") < 100 {
			t.Error("calls to DCs that do not exist are not counted as other")
		}
		for name := range all {
			of, _, _ := strings.Cut(name, " ")
			if _, known := begun[name]; !known && !slices.Contains(histograms, strings.TrimSuffix(of, ".sum")) {
				t.Errorf("it was not there from the start: %q", name)
			}
		}
	})
}

func TestSpansOfSignInsAndRotationsAreLinkedToTheirCause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		seen := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen))
		s, m, _ := metered(t, func(o *actors.Options) { o.TracerProvider = provider })
		mine := provider.Tracer("embedder")
		a := add(t, m, "robot")
		ctx, signing := mine.Start(soon(t), "onboarding")
		if _, err := a.SignIn(ctx, actors.BotToken(s.Descriptor().Bots[0].Token)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		ctx, hour := mine.Start(soon(t), "hourly")
		if err := a.Rotate(ctx); err != nil {
			t.Fatal(err)
		}
		ctx, asking := mine.Start(soon(t), "asking")
		if _, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(36 * time.Hour) // one more rotation that nobody asked for
		named := map[string][]sdktrace.ReadOnlySpan{}
		for _, span := range seen.Ended() {
			named[span.Name()] = append(named[span.Name()], span)
			for _, kv := range span.Attributes() {
				if strings.Contains(kv.Value.String(), "robot") {
					t.Errorf("a span names an account: %v", kv)
				}
			}
		}
		if n := len(named["mtfleet.sign_in"]); n != 1 {
			t.Fatalf("%d spans of sign-ins, want 1", n)
		}
		if n := len(named["mtfleet.rotation"]); n != 2 {
			t.Fatalf("%d spans of rotations, want 2", n)
		}
		for what, links := range map[string][2]any{
			"the sign-in":         {named["mtfleet.sign_in"][0].Links(), signing.SpanContext().SpanID()},
			"the rotation":        {named["mtfleet.rotation"][0].Links(), hour.SpanContext().SpanID()},
			"the second rotation": {named["mtfleet.rotation"][1].Links(), nil},
		} {
			list := links[0].([]sdktrace.Link)
			switch {
			case links[1] == nil && len(list) != 0:
				t.Errorf("%s is linked to %v, and nobody asked for it", what, list)
			case links[1] != nil && (len(list) != 1 || list[0].SpanContext.SpanID() != links[1]):
				t.Errorf("%s is linked to %v, want %v", what, list, links[1])
			}
		}
		var events []string
		for _, ev := range named["mtfleet.rotation"][0].Events() {
			events = append(events, ev.Name)
		}
		if want := []string{"key made", "held"}; !slices.Equal(events, want) {
			t.Errorf("the rotation says %q, want %q", events, want)
		}
		if calls := named["mtfleet.invoke"]; len(calls) != 1 || calls[0].Parent().SpanID() != asking.SpanContext().SpanID() {
			t.Errorf("the call's span is not below its caller's")
		}
	})
}
