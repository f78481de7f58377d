package main

import (
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mtfleet/mtfleet/cmd/manager/certtest"
)

// certs makes ca.pem, and server.pem and ops.pem with their keys: of a server on
// 127.0.0.1, and of a client.
func certs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: certs")
	}
	ca, err := certtest.New(ts.MkAbs("."))
	ts.Check(err)
	_, err = ca.Server("server")
	ts.Check(err)
	_, err = ca.Client("ops")
	ts.Check(err)
}

// token NAME ROLE makes a token, in NAME.token, and adds it to the callers that dc.yaml ends with.
func token(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: token NAME ROLE")
	}
	ts.Check(ts.Exec("manager", "api", "token", args[0], "--role", args[1], "--json"))
	var made map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &made))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".token"), []byte(made["token"]+"\n"), 0o600))
	f, err := os.OpenFile(ts.MkAbs("dc.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString("    - {name: " + args[0] + ", role: " + args[1] + ", token_sha256: " + made["token_sha256"] + "}\n")
	ts.Check(err)
	ts.Check(f.Close())
}

// appendTo FILE TEXTFILE puts one file's text behind another's.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE TEXTFILE")
	}
	text := ts.ReadFile(args[0]) + ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
