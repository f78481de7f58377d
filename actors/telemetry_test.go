package actors_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// series reads every series: its name with its attributes, and its value (of a
// histogram the count, and its sum; of seconds whole ones).
func series(t *testing.T, r *metric.ManualReader) map[string]int64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(plain{})] = p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(plain{})] = p.Value
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(plain{})] = int64(math.Round(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					out[m.Name+" "+p.Attributes.Encoded(plain{})] = int64(p.Count)
					out[m.Name+".sum "+p.Attributes.Encoded(plain{})] = int64(math.Round(p.Sum))
				}
			default:
				t.Errorf("%s is of a kind nobody expected: %T", m.Name, data)
			}
		}
	}
	return out
}

// sumOf adds the values of the series of a name that hold some texts.
func sumOf(got map[string]int64, name string, within ...string) (n int64) {
	for text, value := range got {
		ok := strings.HasPrefix(text, name+" ")
		for _, w := range within {
			ok = ok && strings.Contains(text, w)
		}
		if ok {
			n += value
		}
	}
	return n
}

func TestMetricsCountAndNameNoAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Bots = 3
		s, store := cluster(t, cfg), persistence.NewMemory()
		reader := metric.NewManualReader()
		o := options(s, store)
		o.MeterProvider = metric.NewMeterProvider(metric.WithReader(reader))
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		begun := series(t, reader)
		d := s.Descriptor()
		for i, b := range d.Bots {
			a := signInBot(t, m, "robot-"+string(rune('a'+i)), b, actors.AccountOptions{NoPFS: i == 2})
			wait(t, a, actors.Online)
		}
		alice := signInPhone(t, m, "alice", d.Phones[0], actors.AccountOptions{})
		wait(t, alice, actors.Online)
		idle := add(t, m, "idle")
		if err := alice.Pause(soon(t)); err != nil {
			t.Fatal(err)
		}
		a, _ := m.Account("robot-a")
		call(t, a)
		call(t, a)
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 400, Text: "PEER_ID_INVALID", Count: 1})
		_, _ = actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1})
		_, _ = actors.Invoke(soon(t), idle, &echo.EchoRequest{ID: 2})
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(time.Minute)

		got := series(t, reader)
		sum := func(prefix string, within ...string) int64 { return sumOf(got, prefix, within...) }
		counts := s.Counts()
		for _, want := range []struct {
			name   string
			within []string
			n      int64
		}{
			{"mtfleet.accounts", []string{"state=online"}, 3},
			{"mtfleet.accounts", []string{"state=paused"}, 1},
			{"mtfleet.accounts", []string{"state=new"}, 1},
			{"mtfleet.accounts", nil, 5},
			{"mtfleet.calls", []string{"class=repeatable", "result=ok"}, 2},
			{"mtfleet.calls", []string{"result=not_sent"}, 1},
			{"mtfleet.calls", nil, 4},
			{"mtfleet.call.duration", nil, 4},
			{"mtfleet.sign_in_steps", []string{"flow=bot", "step=end", "result=ok"}, 3},
			{"mtfleet.sign_in_steps", []string{"flow=phone", "step=end", "result=ok"}, 1},
			{"mtfleet.sign_in_steps", []string{"flow=phone", "step=code", "result=asked"}, 1},
			{"mtfleet.handshakes", []string{"kind=perm", "result=ok"}, int64(counts.PermKeys)},
			{"mtfleet.handshakes", []string{"kind=temp", "result=ok"}, int64(counts.TempKeys)},
			{"mtfleet.handshakes", []string{"result=failed"}, 0},
			{"mtfleet.binds", []string{"result=ok"}, int64(counts.Binds)},
			{"mtfleet.connections.lost", nil, 3},
			{"mtfleet.connections", nil, 3},
			{"mtfleet.dc.up", nil, 4},
			{"mtfleet.state_changes", []string{"to=online", "reason=answer"}, 4 + 3},
			{"mtfleet.state_changes", []string{"to=connecting", "reason=sign_in"}, 4},
			{"mtfleet.state_changes", []string{"to=connecting", "reason=connection"}, 3},
			{"mtfleet.state_changes", []string{"to=paused", "reason=owner"}, 1},
			{"mtfleet.state_changes", []string{"reason=fault"}, 0},
		} {
			if n := sum(want.name, want.within...); n != want.n {
				t.Errorf("%s %v: %d, want %d", want.name, want.within, n, want.n)
			}
		}
		for name := range got {
			of, _, _ := strings.Cut(name, " ")
			if _, known := begun[name]; !known && !slices.Contains(histograms, strings.TrimSuffix(of, ".sum")) {
				t.Errorf("it was not there from the start: %q", name)
			}
			for _, secret := range []string{
				"robot", "alice", "idle", d.Phones[0].Number, "account=",
				strconv.FormatInt(d.Phones[0].UserID, 10), strconv.FormatInt(d.Bots[0].UserID, 10),
			} {
				if strings.Contains(name, secret) {
					t.Errorf("the series %q names an account", name)
				}
			}
		}
		closeManager(t, m)
		after := series(t, reader)
		if len(after) > len(got) {
			t.Error("a closed manager made new series")
		}
		if n := sumOf(after, "mtfleet.connections"); n != 0 {
			t.Errorf("a closed manager has %d connections", n)
		}
	})
}

// plain writes attributes as name=value, and nothing of what a backend would want.
type plain struct{}

func (plain) Encode(i attribute.Iterator) string {
	var out []string
	for i.Next() {
		kv := i.Attribute()
		out = append(out, string(kv.Key)+"="+kv.Value.String())
	}
	return strings.Join(out, ",")
}

func (plain) ID() attribute.EncoderID { return plainID }

var plainID = attribute.NewEncoderID()
