package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// controlled FILE puts where a descriptor says that its cluster is controlled into
// CONTROL.
func controlled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: controlled FILE")
	}
	waitFor(ts, false, args)
	var d serve.Descriptor
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &d))
	if !strings.HasPrefix(d.Control, "http://127.0.0.1:") {
		ts.Fatalf("the descriptor says %q", d.Control)
	}
	ts.Setenv("CONTROL", d.Control)
}

// asks STATUS METHOD URL [BODY] [-- TEXT...] sends a request, to the socket FILE where
// the URL begins with unix:FILE:, and wants a status and every text in the answer.
func asks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: asks STATUS METHOD URL [BODY] [-- TEXT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	method, url, body, texts := args[1], args[2], "", args[3:]
	if len(texts) > 0 && texts[0] != "--" {
		body, texts = texts[0], texts[1:]
	}
	client := http.Client{Timeout: eventually, Transport: &http.Transport{DisableKeepAlives: true}}
	if file, ok := strings.CutPrefix(url, "unix:"); ok {
		file, path, _ := strings.Cut(file, ":")
		url = "http://localhost" + path
		client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", ts.MkAbs(file))
		}}
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode != want {
		ts.Fatalf("%s %s: %d %s", method, url, resp.StatusCode, answer)
	}
	for _, text := range texts {
		if text != "--" && !strings.Contains(string(answer), text) {
			ts.Fatalf("%s %s does not have %q: %s", method, url, text, answer)
		}
	}
}
