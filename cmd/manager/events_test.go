package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/actors/webhook"
)

// sink SECRET VARIABLE FILE serves a webhook's target, whose address goes into the
// variable, and writes a line into the file for each message: "type account text", or
// what is wrong with it. While there is a file of that name with ".gone" behind it, the
// target answers 410 and writes nothing.
func sink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sink SECRET VARIABLE FILE")
	}
	secret, err := webhook.ParseSecret(args[0])
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[2]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(file.Name() + ".gone"); err == nil {
			w.WriteHeader(http.StatusGone)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.Verify(r.Header, []webhook.Secret{secret}, body, time.Now())
		}
		var m struct {
			Type string
			Data struct {
				Account string
				Update  struct{ Message struct{ Message string } }
			}
		}
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			fmt.Fprintln(file, "error", err)
			return
		}
		fmt.Fprintln(file, m.Type, m.Data.Account, m.Data.Update.Message.Message)
	}))
	ts.Defer(func() { s.Close(); _ = file.Close() })
	ts.Setenv(args[1], s.URL)
}
