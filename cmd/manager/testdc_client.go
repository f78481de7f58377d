package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// testdcClient asks a test cluster that runs over its own control.
type testdcClient struct {
	outputFlags
	socket, url string
}

func (t *testdcClient) register(c *cobra.Command) {
	t.outputFlags.register(c)
	t.registerWhere(c)
}

// registerReading is register for a command that lists.
func (t *testdcClient) registerReading(c *cobra.Command) {
	t.outputFlags.registerReading(c)
	t.registerWhere(c)
}

func (t *testdcClient) registerWhere(c *cobra.Command) {
	c.Flags().StringVar(&t.socket, "control-socket", "", "the cluster's unix socket, a `FILE`: what it was given as --control-socket")
	c.Flags().StringVar(&t.url, "control", "", "the cluster's `URL`, as it printed it: http://127.0.0.1:PORT")
}

// testdcPatience is how long a cluster may take to answer; it does at once.
const testdcPatience = 30 * time.Second

// ask sends a request and reads the answer into to.
func (t *testdcClient) ask(ctx context.Context, method, path string, body, to any) error {
	base, transport, err := t.base()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testdcPatience)
	defer cancel()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return usage("testdc: --control %s is no URL: give it as the cluster printed it, http://127.0.0.1:PORT", t.url)
	}
	resp, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil {
		return t.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusedByTestdc(resp)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// base is where to ask, and how to get there: without the environment's proxy.
func (t *testdcClient) base() (string, http.RoundTripper, error) {
	switch {
	case t.socket == "" && t.url == "", t.socket != "" && t.url != "":
		return "", nil, usage("testdc: say which cluster: --control-socket FILE, or --control URL, as that one was started with")
	case t.url != "":
		base := strings.TrimSuffix(t.url, "/")
		if !strings.Contains(base, "://") {
			base = "http://" + base
		}
		return base, &http.Transport{DisableKeepAlives: true}, nil
	}
	return "http://localhost", &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", t.socket)
	}}, nil
}

func (t *testdcClient) unreachable(err error) error {
	where := cmp.Or(t.socket, t.url)
	var bad *url.Error
	if errors.As(err, &bad) {
		err = bad.Err
	}
	text := fmt.Sprintf("testdc: no cluster answers at %s: %v", where, err)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		text = fmt.Sprintf("testdc: no cluster listens at %s: start one with `manager testdc --control-socket FILE`, and name that file here", where)
	}
	return &exitError{code: exitUnreachable, kind: control.KindUnreachable, text: text, err: err}
}

// refusedByTestdc is what the cluster said in place of an answer.
func refusedByTestdc(resp *http.Response) error {
	var said struct {
		Error   string   `json:"error"`
		Field   string   `json:"field"`
		Allowed []string `json:"allowed"`
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &said) != nil || said.Error == "" {
		return &exitError{code: exitFailed, kind: control.KindServer, text: "testdc: what answers is no test cluster: " + resp.Status}
	}
	s := "testdc: "
	if said.Field != "" && !strings.Contains(said.Error, said.Field) {
		s += flagOf(said.Field) + ": "
	}
	s += said.Error
	if len(said.Allowed) > 0 {
		s += ": take one of " + strings.Join(said.Allowed, ", ")
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
		return usage("%s", s)
	case http.StatusConflict:
		return &exitError{code: exitState, kind: control.KindState, text: s}
	}
	return &exitError{code: exitFailed, kind: control.KindServer, text: s}
}

// flagOf is the flag of a field.
func flagOf(field string) string { return "--" + strings.ReplaceAll(field, "_", "-") }

// user reads who is meant: an id, +PHONE, or @USERNAME.
func (t *testdcClient) user(ctx context.Context, text string) (int64, error) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil && !strings.HasPrefix(text, "+") && id > 0 {
		return id, nil
	}
	phone, byPhone := strings.CutPrefix(text, "+")
	name, byName := strings.CutPrefix(text, "@")
	if !byPhone && !byName {
		return 0, usage("testdc: %q is nobody: give a user's id, +PHONE or @USERNAME, as the cluster printed them", text)
	}
	for from := 0; ; {
		var page struct {
			Users []struct {
				ID              int64
				Username, Phone string
			}
		}
		if err := t.ask(ctx, http.MethodGet, fmt.Sprintf("/users?from=%d&limit=10000", from), nil, &page); err != nil {
			return 0, err
		}
		for _, u := range page.Users {
			if byPhone && u.Phone == phone || byName && strings.EqualFold(u.Username, name) {
				return u.ID, nil
			}
		}
		if from += len(page.Users); len(page.Users) == 0 {
			return 0, &exitError{code: exitState, kind: control.KindNoAccount, text: fmt.Sprintf("testdc: nobody there is %s: the cluster prints who is, and so does GET /users", text)}
		}
	}
}

// completeMethod offers the methods that the cluster answers and that begin as the
// word does; none where it does not say.
func (t *testdcClient) completeMethod(_ *cobra.Command, _ []string, word string) (names []string, _ cobra.ShellCompDirective) {
	var got struct{ Methods []struct{ Name string } }
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if t.ask(ctx, http.MethodGet, "/methods", nil, &got) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, m := range got.Methods {
		if strings.HasPrefix(m.Name, word) {
			names = append(names, m.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
