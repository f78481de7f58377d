package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

func (a *app) callCommand() *cobra.Command {
	var f accountFlags
	var params string
	r := control.CallRequest{}
	c := &cobra.Command{
		Use: "call NAME METHOD", Short: "Call a method of the API as an account", Args: exactly("NAME", "METHOD"),
		Long: `call calls one method of the API, named as in the schema, and prints its result as
JSON: laid out for a terminal, on one line for anything else. With --json an error is
one JSON object on standard error, unless that is a terminal; "call" in it has the
server's code, type and argument, path, retry_at and may_have_run.

--json takes the method's fields. 64-bit integers are strings, bytes are base64,
objects say their constructor in "_". What is secret belongs in standard input
(--json -): a command line can be read by other users of the machine.`,
		Example: `  manager account call alice help.getNearestDc
  manager account call alice users.getUsers --json '{"id":[{"_":"inputUserSelf"}]}'
  manager account call alice messages.sendMessage --json '{"peer":{"_":"inputPeerSelf"},
      "message":"hi","random_id":"123"}'`,
		ValidArgsFunction: completeMethod,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("json") {
				_, tty := terminal(a.err)
				f.json = !tty
			}
			a.asJSON = f.json
			r.ID, r.Method = args[0], args[1]
			var err error
			if r.Params, err = a.params(params); err != nil {
				return err
			}
			return a.call(c, &f, r)
		},
	}
	c.Flags().StringVar(&params, "json", "", "the method's fields as a JSON `OBJECT`; - reads it from standard input")
	c.Flags().IntVar(&r.DC, "dc", 0, "the `NUMBER` of the DC to call (default: the account's home)")
	c.Flags().BoolVar(&r.Media, "media", false, "it moves a file (upload.*): call it on the connection for media")
	c.Flags().StringVar(&r.Policy, "policy", "", "once, or repeatable: whether it may run twice when an answer is lost (default: as the method is)")
	c.Flags().DurationVar(&f.timeout, "wait", defaultTimeout, "how long to wait for the answer")
	return c
}

// completeMethod offers the methods that begin as the word does.
func completeMethod(_ *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) == 1 {
		for name := range actors.Methods() {
			if strings.HasPrefix(name, word) {
				names = append(names, name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// params are the fields of a method: what --json says, or standard input.
func (a *app) params(text string) (json.RawMessage, error) {
	if text != "-" {
		return json.RawMessage(text), nil
	}
	read, err := io.ReadAll(io.LimitReader(a.in, tljson.MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("standard input cannot be read: %w", err)
	}
	return read, nil
}

// call makes a call and prints its result. What is wrong with it is said before
// anything is opened.
func (a *app) call(c *cobra.Command, f *accountFlags, r control.CallRequest) error {
	if err := actors.CheckJSON(r.Method, r.Params); err != nil {
		return control.WrapCall(err)
	}
	return a.asking(c, f, func(ctx context.Context, s control.Service) error {
		got, err := control.Call.Call(ctx, s, r)
		if err != nil {
			return refusedCall(err)
		}
		return a.printResult(got.Result)
	})
}

// refusedCall gives what the server refused its exit code.
func refusedCall(err error) error {
	if control.KindOf(err) != control.KindServer {
		return err
	}
	return &exitError{code: exitRefused, kind: control.KindServer, text: describe(err), err: err}
}

// printResult prints JSON with its fields by name, whoever made the call: laid out at a
// terminal, else on one line.
func (a *app) printResult(result json.RawMessage) error {
	var v any
	if err := json.Unmarshal(result, &v); err != nil {
		return err
	}
	out := json.NewEncoder(a.out)
	out.SetEscapeHTML(false) // it is not for a page
	if _, tty := terminal(a.out); tty {
		out.SetIndent("", "  ")
	}
	return out.Encode(v)
}
