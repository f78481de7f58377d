package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

var (
	errNoProxy   error = noProxy{}
	errNotHTTP         = errors.New("it does not answer as an HTTP proxy")
	errLongReply       = errors.New("its answer is longer than 8 KiB")
	errNoAuth          = errors.New("it wants other credentials (407)")
)

type noProxy struct{}

func (noProxy) Error() string { return "it is no proxy that is known here" }

// BlamesNobody says that the DC was not asked.
func (noProxy) BlamesNobody() {}

// maxReply bounds what an HTTP proxy may say before the connection stands.
const maxReply = 8 << 10

// connect has an HTTP proxy open a tunnel: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6.
func connect(rw io.ReadWriter, addr string, p *proxy.Server) error {
	var b strings.Builder
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", addr, addr)
	if p.User != "" {
		b.WriteString("Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(p.User+":"+p.Password)) + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(rw, b.String()); err != nil {
		return err
	}
	head, err := readHead(rw)
	if err != nil {
		return err
	}
	switch status, err := statusOf(head); {
	case err != nil:
		return err
	case status == 407:
		return errNoAuth
	case status < 200 || status > 299:
		return fmt.Errorf("it refuses the connection with status %d", status)
	}
	return nil
}

// readHead reads an answer up to its empty line, and no byte of what follows:
// that belongs to the stream. A head is short, and read once a connection.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, 0, 256)
	for len(head) < maxReply {
		head = head[:len(head)+1]
		if _, err := io.ReadFull(r, head[len(head)-1:]); err != nil {
			if err == io.EOF && len(head) > 1 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if bytes.HasSuffix(head, []byte("\n\r\n")) || bytes.HasSuffix(head, []byte("\n\n")) {
			return head, nil
		}
		if len(head) == cap(head) {
			head = append(head, 0)[:len(head)]
		}
	}
	return nil, errLongReply
}

// statusOf reads the status out of an answer's first line. Its other words are
// the proxy's, and are not repeated.
func statusOf(head []byte) (int, error) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	version, rest, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !ok || !strings.HasPrefix(version, "HTTP/1.") || err != nil || status < 100 || status > 999 {
		return 0, errNotHTTP
	}
	return status, nil
}
