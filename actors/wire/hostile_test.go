package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// This file has web servers that do what they should not, written by hand.

const hostileURL = "ws://127.0.0.1:4430/apiws"

// web is a network whose every connection goes to serve.
func web(serve func(c net.Conn), more func(*Config)) *Network {
	cfg := Config{
		Rand: rand.Reader, Dialer: &pipeDialer{serve: func(_ string, c net.Conn) { defer c.Close(); serve(c) }},
		WebSocket: &WebSocket{Addresses: []dc.WebSocket{{DC: 2, URL: hostileURL}}},
	}
	if more != nil {
		more(&cfg)
	}
	return New(cfg)
}

// request reads what a client asks for, and returns the key's answer.
func request(c net.Conn) (r *http.Request, accept string) {
	head, err := readHead(c)
	if err != nil {
		return nil, ""
	}
	r, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil, ""
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return r, base64.StdEncoding.EncodeToString(sum[:])
}

func upgraded(accept, more string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n" + more + "\r\n"
}

const binaryToo = "Sec-WebSocket-Protocol: binary\r\n"

func TestServersThatDoNotUpgrade(t *testing.T) {
	for _, v := range []struct {
		name   string
		answer func(accept string) string
		want   string
	}{
		{"a redirect", func(string) string { return "HTTP/1.1 302 Found\r\nLocation: wss://hunter2/\r\n\r\n" }, "it redirects with status 302"},
		{"another", func(string) string { return "HTTP/1.1 308 hunter2\r\nLocation: ws://127.0.0.1/\r\n\r\n" }, "it redirects with status 308"},
		{"an error", func(string) string {
			return "HTTP/1.1 403 hunter2\r\nContent-Length: 7\r\n\r\nhunter2"
		}, "it refuses with status 403"},
		{"a page", func(string) string { return "HTTP/1.1 200 OK\r\n\r\n<html>hunter2" }, "it refuses with status 200"},
		{"a hint first", func(string) string { return "HTTP/1.1 103 Early Hints\r\n\r\n" }, "it refuses with status 103"},
		{"another protocol", func(string) string { return "SSH-2.0-hunter2\r\n\r\n" }, "does not answer as an HTTP server"},
		{"no header at all", func(string) string { return "HTTP/1.1 101 \r\nhunter2\r\n\r\n" }, "does not answer as an HTTP server"},
		{"no subprotocol", func(a string) string { return upgraded(a, "") }, "does not speak the subprotocol binary"},
		{"another subprotocol", func(a string) string { return upgraded(a, "Sec-WebSocket-Protocol: hunter2\r\n") }, "does not speak the subprotocol binary"},
		{"a wrong key", func(string) string { return upgraded("hunter2", binaryToo) }, "does not upgrade to a WebSocket as RFC 6455 has it"},
		{"compression nobody asked for", func(a string) string {
			return upgraded(a, binaryToo+"Sec-WebSocket-Extensions: permessage-deflate\r\n")
		}, "does not upgrade to a WebSocket as RFC 6455 has it"},
		{"an upgrade to something else", func(a string) string {
			return strings.Replace(upgraded(a, binaryToo), "websocket", "hunter2", 1)
		}, "does not upgrade to a WebSocket as RFC 6455 has it"},
		{"a head without an end", func(string) string { return "HTTP/1.1 101 X\r\nX: " + strings.Repeat("hunter2", 2000) }, "longer than 8 KiB"},
		{"nothing", func(string) string { return "" }, "EOF"},
		{"a half", func(string) string { return "HTTP/1.1 101 Swi" }, "unexpected EOF"},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := web(func(c net.Conn) {
					r, accept := request(c)
					if r == nil || r.URL.String() != "/apiws" || r.Host != "127.0.0.1:4430" || r.Header.Get("Sec-WebSocket-Protocol") != "binary" || r.Header.Get("Origin") != "" {
						t.Errorf("it is asked %+v", r)
					}
					_, _ = io.WriteString(c, v.answer(accept))
				}, nil)
				begun := time.Now()
				_, err := w.dial(t.Context(), nil, 2, nil)
				var by *WebSocketError
				if !errors.As(err, &by) || by.URL != hostileURL || !strings.Contains(err.Error(), v.want) {
					t.Errorf("error %v", err)
				}
				if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
					t.Errorf("the server's words are in %q", err)
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				if n := w.sockets.Load(); n != 0 {
					t.Errorf("%d sockets are left", n)
				}
			})
		})
	}
}

func TestAWebServerThatSaysNothingIsGivenUp(t *testing.T) {
	for _, v := range []struct {
		name  string
		serve func(net.Conn)
	}{
		{"at once", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{"in its answer", func(c net.Conn) {
			_, _ = request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 101 ")
			_, _ = io.Copy(io.Discard, c)
		}},
		{"after a wrong answer", func(c net.Conn) {
			_, _ = request(c)
			_, _ = io.WriteString(c, upgraded("x", binaryToo))
			_, _ = io.Copy(io.Discard, c)
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := web(v.serve, nil)
				begun := time.Now()
				if _, err := w.dial(t.Context(), nil, 2, nil); err == nil {
					t.Error("there is a connection")
				}
				if took := time.Since(begun); took > defaultConnectTimeout {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// frame is one of a server's.
func frame(first byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{first, byte(n)}) + payload
	case n < 1<<16:
		return string(binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))) + payload
	default:
		return string(binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))) + payload
	}
}

const (
	fin        = 0x80
	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

// talk upgrades and says what it is told, piece by piece.
func talk(pieces ...string) func(net.Conn) {
	return func(c net.Conn) {
		_, accept := request(c)
		go io.Copy(io.Discard, c)
		_, _ = io.WriteString(c, upgraded(accept, binaryToo))
		for _, p := range pieces {
			_, _ = io.WriteString(c, p)
		}
	}
}

func TestWhatAServerSaysInAWebSocket(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	var tooLong []string
	for range maxMessage>>20 + 1 {
		tooLong = append(tooLong, frame(opContinue, long))
	}
	tooLong[0] = frame(opBinary, long)
	status := func(code uint16, words string) string {
		return frame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, code))+words)
	}
	for _, v := range []struct {
		name string
		says []string
		read int    // bytes that come out
		want string // of the error; empty: io.EOF
	}{
		{"one message", []string{frame(fin|opBinary, "hello")}, 5, ""},
		{"messages, and their bounds mean nothing", []string{frame(fin|opBinary, "he"), frame(fin|opBinary, ""), frame(fin|opBinary, "llo")}, 5, ""},
		{"one in pieces, with a ping between", []string{frame(opBinary, "he"), frame(fin|opPing, "x"), frame(opContinue, ""), frame(fin|opContinue, "llo")}, 5, ""},
		{"a frame that comes byte by byte", strings.Split(frame(fin|opBinary, long[:300]), ""), 300, ""},
		{"a pong nobody asked for", []string{frame(fin|opPong, "x"), frame(fin|opBinary, "a")}, 1, ""},
		{"a long one, that is allowed", append(append([]string{}, tooLong[:maxMessage>>20]...), frame(fin|opContinue, "")), maxMessage, ""},
		{"one that is too long", tooLong, maxMessage + 1, "more than 33554432 bytes"},
		{"text", []string{frame(fin|opBinary, "a"), frame(fin|opText, "hunter2")}, 1, "it sends text"},
		{"an end with status 1000", []string{status(1000, "bye")}, 0, ""},
		{"an end without status", []string{frame(fin|opClose, "")}, 0, ""},
		{"an end with another status", []string{status(1008, "hunter2")}, 0, "closes the WebSocket with status 1008"},
		{"an end with a status that there is not", []string{status(1005, "hunter2")}, 0, "do not follow RFC 6455"},
		{"half a status", []string{frame(fin|opClose, "h")}, 0, "do not follow RFC 6455"},
		{"reserved bits", []string{frame(fin|0x40|opBinary, "hunter2")}, 0, "do not follow RFC 6455"},
		{"an opcode that there is not", []string{frame(fin|3, "hunter2")}, 0, "do not follow RFC 6455"},
		{"a continuation of nothing", []string{frame(fin|opContinue, "hunter2")}, 0, "do not follow RFC 6455"},
		{"a message in a message", []string{frame(opBinary, "a"), frame(fin|opBinary, "hunter2")}, 1, "do not follow RFC 6455"},
		{"a ping in pieces", []string{frame(opPing, "hunter2")}, 0, "do not follow RFC 6455"},
		{"a ping that is too long", []string{frame(fin|opPing, long[:126])}, 0, "do not follow RFC 6455"},
		{"a length below zero", []string{string([]byte{fin | opBinary, 127, 0xff, 0, 0, 0, 0, 0, 0, 0})}, 0, "do not follow RFC 6455"},
		{"nothing more", nil, 0, ""},
		{"half a header", []string{frame(fin|opBinary, long[:300])[:3]}, 0, ""},
		{"half a message", []string{frame(fin|opBinary, long[:300])[:100]}, 96, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := web(talk(v.says...), nil)
				u, err := dc.ParseWebSocketURL(hostileURL)
				if err != nil {
					t.Fatal(err)
				}
				socket, err := w.reach(t.Context(), goal{web: &u}, nil)
				if err != nil {
					t.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{socket}, make([]byte, 8<<10))
				if n != int64(v.read) && v.name != "half a message" {
					t.Errorf("%d bytes came out, want %d", n, v.read)
				}
				var by *WebSocketError
				switch {
				case v.want == "" && err != nil: // io.Copy has no EOF
					t.Errorf("it ends with %v", err)
				case v.want != "" && (!errors.As(err, &by) || by.URL != hostileURL || !strings.Contains(err.Error(), v.want)):
					t.Errorf("it ends with %v, want %q", err, v.want)
				case err != nil && strings.Contains(err.Error(), "hunter2"):
					t.Errorf("the server's words are in %q", err)
				}
				if _, err := socket.Read(make([]byte, 1)); err == nil {
					t.Error("there is more")
				}
			})
		})
	}
}

// TestAPingIsAnsweredLongAfterTheLastWrite: the deadline of that write is over then.
func TestAPingIsAnsweredLongAfterTheLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pong := make(chan string, 1)
		w := web(func(c net.Conn) {
			_, accept := request(c)
			_, _ = io.WriteString(c, upgraded(accept, binaryToo))
			if n, err := io.ReadAtLeast(c, make([]byte, 1000), 64+8+4+100); err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			time.Sleep(time.Hour)
			_, _ = io.WriteString(c, frame(fin|opPing, "abc"))
			answer := make([]byte, 2+4+3)
			_, _ = io.ReadFull(c, answer)
			for i := range 3 {
				answer[6+i] ^= answer[2+i]
			}
			pong <- fmt.Sprintf("%x %x %s", answer[0], answer[1], answer[6:])
			_, _ = io.Copy(io.Discard, c)
		}, nil)
		conn, err := w.dial(t.Context(), nil, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := newSink()
		conn.Start(h)
		if err := conn.Send(packet(100, 'x')); err != nil {
			t.Fatal(err)
		}
		if got := <-pong; got != "8a 83 abc" {
			t.Errorf("the answer to the ping is %q", got)
		}
		conn.Close()
		if err := <-h.closed; !errors.Is(err, ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
	})
}

// TestWhatIsWrittenComesInSmallMessages: the answer to a ping finds its way between.
func TestWhatIsWrittenComesInSmallMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 1)
		w := web(func(c net.Conn) {
			_, accept := request(c)
			_, _ = io.WriteString(c, upgraded(accept, binaryToo))
			var all []byte
			for len(all) < 40_000 {
				head := make([]byte, 2+2+4) // of more than 125 bytes
				if _, err := io.ReadFull(c, head[:2]); err != nil || head[0] != fin|opBinary {
					t.Errorf("a frame begins with %x, %v", head[:2], err)
					break
				}
				n, mask := int(head[1]&0x7f), head[2:6]
				if n == 126 {
					_, _ = io.ReadFull(c, head[2:])
					n, mask = int(binary.BigEndian.Uint16(head[2:])), head[4:]
				} else {
					_, _ = io.ReadFull(c, mask)
				}
				if n > 4096 {
					t.Errorf("a message of %d bytes", n)
				}
				body := make([]byte, n)
				_, _ = io.ReadFull(c, body)
				for i := range body {
					body[i] ^= mask[i%4]
				}
				all = append(all, body...)
			}
			got <- string(all)
		}, nil)
		u, _ := dc.ParseWebSocketURL(hostileURL)
		socket, err := w.reach(t.Context(), goal{web: &u}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, 40_000)
		_, _ = rand.Read(sent)
		if n, err := socket.Write(sent); n != len(sent) || err != nil {
			t.Errorf("%d bytes written, %v", n, err)
		}
		if <-got != string(sent) {
			t.Error("something else came")
		}
		_ = socket.Close()
	})
}

// TestAControlFrameThatIsNotFinished ends the connection: nothing could come after it.
func TestAControlFrameThatIsNotFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := web(func(c net.Conn) {
			_, accept := request(c)
			_, _ = io.WriteString(c, upgraded(accept, binaryToo)+frame(fin|opPing, "hello")[:4])
			_, _ = io.Copy(io.Discard, c)
		}, nil)
		conn, err := w.dial(t.Context(), nil, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := newSink()
		begun := time.Now()
		conn.Start(h)
		if err := <-h.closed; !errors.Is(err, errSlow) || time.Since(begun) != 5*time.Second {
			t.Errorf("it ends with %v after %v", err, time.Since(begun))
		}
	})
}

// counted is a dialer of connections that count what is written.
type counted struct {
	*pipeDialer
	n atomic.Int64
}

func (d *counted) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.pipeDialer.DialContext(ctx, network, addr)
	return &countedConn{c, d}, err
}

type countedConn struct {
	net.Conn
	d *counted
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.d.n.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// TestTheFenceHoldsForWhatTheLibraryWrites: in a silenced process not even a ping is
// answered, nor a close.
func TestTheFenceHoldsForWhatTheLibraryWrites(t *testing.T) {
	silenced := errors.New("somebody else has the store")
	for _, v := range []struct{ name, says string }{
		{"a ping", frame(fin|opPing, "abc")}, {"a close", frame(fin|opClose, "")}, {"text", frame(fin|opText, "x")},
		{"frames that are none", frame(fin|3, "")}, {"nothing", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fence atomic.Bool
				say := make(chan struct{})
				var d counted
				w := web(func(c net.Conn) {
					_, accept := request(c)
					go io.Copy(io.Discard, c)
					_, _ = io.WriteString(c, upgraded(accept, binaryToo))
					<-say
					_, _ = io.WriteString(c, v.says)
				}, func(cfg *Config) {
					d.pipeDialer = cfg.Dialer.(*pipeDialer)
					cfg.Dialer = &d
					cfg.Fence = func() error {
						if fence.Load() {
							return silenced
						}
						return nil
					}
				})
				conn, err := w.dial(t.Context(), nil, 2, nil)
				if err != nil {
					t.Fatal(err)
				}
				h := newSink()
				conn.Start(h)
				synctest.Wait()
				fence.Store(true)
				before := d.n.Load()
				if before == 0 {
					t.Fatal("nothing is counted")
				}
				close(say)
				err = <-h.closed
				synctest.Wait()
				if n := d.n.Load() - before; n != 0 {
					t.Errorf("%d bytes left in silence", n)
				}
				var fenced *FencedError
				if v.name == "a ping" && (!errors.As(err, &fenced) || !errors.Is(err, silenced)) {
					t.Errorf("it ended with %v", err)
				}
				if _, err := w.dial(t.Context(), nil, 2, nil); !errors.As(err, &fenced) {
					t.Errorf("another dial: %v", err)
				}
			})
		})
	}
}

// TestTheFenceHoldsDuringAnUpgrade: it is asked for each of its writes.
func TestTheFenceHoldsDuringAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		w := web(talk(), func(cfg *Config) {
			cfg.Fence = func() error {
				if asked++; asked > 1 { // once for the dial
					return errors.New("silence")
				}
				return nil
			}
		})
		_, err := w.dial(t.Context(), nil, 2, nil)
		var fenced *FencedError
		if !errors.As(err, &fenced) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzUpgrade holds that whatever a web server answers is an error without its words,
// or a WebSocket, and that a WebSocket's bytes end.
func FuzzUpgrade(f *testing.F) {
	f.Add("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: binary\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n" + frame(fin|opBinary, "hunter2"))
	f.Add("HTTP/1.1 302 hunter2\r\nLocation: hunter2\r\n\r\n")
	f.Add("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: binary\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n" + frame(fin|opClose, "\x03\xf0hunter2"))
	f.Fuzz(func(t *testing.T, answer string) {
		synctest.Test(t, func(t *testing.T) {
			w := web(func(c net.Conn) {
				_, accept := request(c)
				go io.Copy(io.Discard, c)
				_, _ = io.WriteString(c, strings.Replace(answer, "ACCEPT", accept, 1))
			}, nil)
			u, _ := dc.ParseWebSocketURL(hostileURL)
			socket, err := w.reach(t.Context(), goal{web: &u}, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, struct{ io.Reader }{socket})
				_ = socket.Close()
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")) {
				t.Fatal(err)
			}
		})
	})
}
