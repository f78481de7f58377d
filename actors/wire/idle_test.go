package wire

import (
	"bufio"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// idleServer is set in the process that serves BenchmarkCarriers, whose memory is not to
// count.
const idleServer = "MTFLEET_TEST_IDLE_SERVER"

// TestIdleServer is that process; it ends when its standard input closes.
func TestIdleServer(t *testing.T) {
	if os.Getenv(idleServer) == "" {
		t.Skip("it serves BenchmarkCarriers")
	}
	s, err := serve.Start(serve.Config{WebSockets: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := json.NewEncoder(os.Stdout).Encode(s.Descriptor()); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// BenchmarkCarriers measures what an idle connection costs this process, after one
// exchange: heap and stacks, as the run-time counts them. Run it with
// -bench Carriers/wss -benchtime 2000x, each carrier by itself.
func BenchmarkCarriers(b *testing.B) {
	c := exec.Command(os.Args[0], "-test.run", "^TestIdleServer$")
	c.Env = append(os.Environ(), idleServer+"=1")
	stdin, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stdin.Close(); _ = c.Wait() }()
	var d serve.Descriptor
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&d); err != nil {
		b.Fatal(err)
	}
	table, err := d.Table()
	if err != nil {
		b.Fatal(err)
	}
	for _, scheme := range []string{"tcp", "ws", "wss"} {
		b.Run(scheme, func(b *testing.B) {
			cfg := Config{Rand: rand.Reader, Obfuscated: true}
			if scheme != "tcp" {
				cfg.WebSocket = &WebSocket{RootCAs: x509.NewCertPool()}
				cfg.WebSocket.RootCAs.AppendCertsFromPEM([]byte(d.WebSocketCA))
				for _, w := range d.WebSockets {
					if strings.HasPrefix(w.URL, scheme+"://") {
						cfg.WebSocket.Addresses = append(cfg.WebSocket.Addresses, dc.WebSocket{DC: dc.ID(w.ID), URL: w.URL})
					}
				}
			}
			w := New(cfg)
			heap, stack := memory()
			ended := make(chan error, b.N)
			var conns []*Conn
			for b.Loop() {
				conn, err := w.dial(b.Context(), table.Select(dc.Want{DC: 2}), 2, nil)
				if err != nil {
					b.Fatal(err)
				}
				h := &idler{make(chan struct{}, 1), ended}
				conn.Start(h)
				req, _ := hex.DecodeString("000000000000000004000000fdc0ab6514000000f18e7ebe15a084b3b9ca2a17f03925f44b78fe68")
				if err := conn.Send(req); err != nil {
					b.Fatal(err)
				}
				<-h.answered
				conns = append(conns, conn)
			}
			after, stacks := memory()
			n := float64(len(conns))
			b.ReportMetric(float64(after-heap)/n, "heap-B/conn")
			b.ReportMetric(float64(stacks-stack)/n, "stack-B/conn")
			b.ReportMetric(float64(goruntime.NumGoroutine())/n, "goroutines/conn")
			for _, conn := range conns {
				conn.Close()
			}
			for range conns {
				<-ended
			}
		})
	}
}

// idler is a handler that keeps nothing.
type idler struct {
	answered chan struct{}
	ended    chan error
}

func (i *idler) Packet([]byte)  { i.answered <- struct{}{} }
func (*idler) Writable()        {}
func (i *idler) Closed(e error) { i.ended <- e }

func memory() (heap, stack int64) {
	for range 3 { // stacks shrink at a collection
		goruntime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}
