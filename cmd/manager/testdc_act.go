package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	dccontrol "github.com/mtfleet/mtfleet/mtproto/dctest/serve/control"
)

// faultAnswer is what became of a fault.
type faultAnswer struct {
	State string `json:"state"`
	ID    uint64 `json:"id,omitempty"`
	Token string `json:"token,omitempty"`
}

// faultFields are the flags of fault, by the fields of POST /fault; a test holds them
// to the kinds.
var faultFields = []struct {
	name, kind, about string // kind: int, id (an integer in quotes), text, duration, bool or user
}{
	{"dc", "int", "only at this `DC`"},
	{"perm", "id", "only of this perm `KEY`, and its temp keys"},
	{"conn", "int", "only on this `CONNECTION`"},
	{"count", "int", "it ends after so many"},
	{"every", "int", "each `N`th alone"},
	{"for", "duration", "it ends after that `TIME`"},
	{"direction", "text", "only packets `in` from clients, or out to them"},
	{"delay", "duration", "for how long something is held, or the clock is ahead"},
	{"wait", "duration", "seconds of a FLOOD_WAIT"},
	{"bytes", "int", "of a frame, before the cut"},
	{"method", "text", "of the API"},
	{"error", "text", "of the public list, or with its code: \"406 ANYTHING\""},
	{"code", "int", "of a transport error, a bad_msg_notification or an error"},
	{"text", "text", "of an error"},
	{"user_id", "user", "a `USER`: an id, +PHONE or @USERNAME"},
	{"phone", "text", "a number that signs in"},
	{"url", "text", "where a frozen user can appeal"},
	{"keep_temp_keys", "bool", "a DC that stops keeps them"},
	{"media", "bool", "only temp keys made for media"},
}

func (a *app) testdcFaultCommand() *cobra.Command {
	var t testdcClient
	var list, clear bool
	var ids []uint
	c := &cobra.Command{
		Use: "fault [KIND]", Short: "Let something go wrong in a test cluster that runs",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("manager testdc fault takes one KIND; `manager testdc fault --list` lists them")
			}
			return nil
		},
		Long: `fault lets something go wrong in a test cluster that runs with --control or
--control-socket. Without a KIND it lists the faults that wait, --list the kinds with
what each needs, and --clear ends all, or those of --id.

  manager testdc fault error --method auth.signIn --error FLOOD_WAIT_3 --control-socket c.sock
  manager testdc fault stop_dc --dc 2 --control-socket c.sock`,
		ValidArgsFunction: completeFault,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = t.json
			if err := t.check(); err != nil {
				return err
			}
			switch {
			case list && (clear || len(args) > 0), clear && len(args) > 0, len(ids) > 0 && !clear:
				return usage("testdc: --list and --clear stand alone, and --id goes with --clear")
			case list:
				return a.printFaultKinds(&t.outputFlags)
			case clear:
				return a.clearFaults(c.Context(), &t, ids)
			case len(args) == 0:
				return a.waitingFaults(c.Context(), &t)
			}
			body, err := faultBody(c, &t, args[0])
			if err != nil {
				return err
			}
			return a.fault(c.Context(), &t, body)
		},
	}
	t.registerReading(c)
	c.Flags().BoolVar(&list, "list", false, "list the kinds with what each needs and may have")
	c.Flags().BoolVar(&clear, "clear", false, "end faults that wait: all, or those of --id")
	c.Flags().UintSliceVar(&ids, "id", nil, "of the fault to clear (repeatable)")
	for _, f := range faultFields {
		name := strings.TrimPrefix(flagOf(f.name), "--")
		switch f.kind {
		case "int":
			c.Flags().Int(name, 0, f.about)
		case "id":
			c.Flags().Int64(name, 0, f.about)
		case "duration":
			c.Flags().Duration(name, 0, f.about)
		case "bool":
			c.Flags().Bool(name, false, f.about)
		default:
			c.Flags().String(name, "", f.about)
		}
	}
	_ = c.RegisterFlagCompletionFunc("method", t.completeMethod)
	_ = c.RegisterFlagCompletionFunc("direction", cobra.FixedCompletions([]string{"in", "out"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// completeFault offers the kinds that begin as the word does.
func completeFault(_ *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
	for _, k := range dccontrol.FaultKinds() {
		if len(args) == 0 && strings.HasPrefix(k.Kind, word) {
			names = append(names, k.Kind+"\t"+k.About)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// faultBody is the request of the flags that were given.
func faultBody(c *cobra.Command, t *testdcClient, kind string) (map[string]any, error) {
	body := map[string]any{"kind": kind}
	for _, f := range faultFields {
		flag := c.Flags().Lookup(strings.TrimPrefix(flagOf(f.name), "--"))
		if !flag.Changed {
			continue
		}
		text := flag.Value.String()
		switch f.kind {
		case "int":
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, err
			}
			body[f.name] = n
		case "bool":
			body[f.name] = text == "true"
		case "user":
			id, err := t.user(c.Context(), text)
			if err != nil {
				return nil, err
			}
			body[f.name] = id
		default:
			body[f.name] = text
		}
	}
	return body, nil
}

// fault asks for one and says what became of it.
func (a *app) fault(ctx context.Context, t *testdcClient, body map[string]any) error {
	var got faultAnswer
	if err := t.ask(ctx, http.MethodPost, "/fault", body, &got); err != nil {
		return err
	}
	switch {
	case t.json:
		return a.printJSON(got)
	case got.Token != "":
		return a.sayf("It has happened. The new token is %s", got.Token)
	case got.State != "waits":
		return a.sayf("It has happened.")
	case got.ID == 0:
		return a.sayf("It waits for its next candidate.")
	}
	return a.sayf("It waits for its next candidate. End it with: manager testdc fault --clear --id %d", got.ID)
}

func (a *app) printFaultKinds(o *outputFlags) error {
	kinds := dccontrol.FaultKinds()
	if o.json {
		return a.printJSON(struct {
			Kinds []dccontrol.FaultKind `json:"kinds"`
		}{kinds})
	}
	flags := func(fields []string) string {
		var all []string
		for _, f := range fields {
			all = append(all, flagOf(f))
		}
		return strings.Join(all, " ")
	}
	for _, k := range kinds {
		if o.format == formatName {
			if err := a.sayf("%s", k.Kind); err != nil {
				return err
			}
			continue
		}
		if err := a.sayf("%s  %s", k.Kind, k.About); err != nil {
			return err
		}
		for _, part := range []struct {
			what   string
			fields []string
		}{{"needs", k.Needs}, {"takes", k.Fields}} {
			if len(part.fields) == 0 {
				continue
			}
			if err := a.sayf("    %s %s", part.what, flags(part.fields)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) waitingFaults(ctx context.Context, t *testdcClient) error {
	got := struct {
		Waiting []dctest.WaitingFault `json:"waiting"`
	}{}
	if err := t.ask(ctx, http.MethodGet, "/fault", nil, &got); err != nil {
		return err
	}
	got.Waiting = append([]dctest.WaitingFault{}, got.Waiting...) // a list that is empty, never null
	rows := tabular.New(tabular.Column{Name: "ID"}, tabular.Column{Name: "KIND"}, tabular.Column{Name: "LEFT", Leaves: 1}, tabular.Column{Name: "UNTIL", Leaves: 2},
		tabular.Column{Name: "WHERE", Least: whatLeast})
	for _, f := range got.Waiting {
		left, until := "-", "-"
		if f.Left > 0 {
			left = strconv.Itoa(f.Left)
		}
		if !f.Until.IsZero() {
			until = f.Until.Local().Format(time.TimeOnly)
		}
		rows.Row(fmt.Sprint(f.ID), string(f.Fault.Kind), left, until, faultWhere(f.Fault))
	}
	return a.tell(&t.outputFlags, got, rows, "No fault waits. `manager testdc fault --list` lists the kinds.")
}

// faultWhere says what a fault is kept to.
func faultWhere(f dctest.Fault) string {
	var parts []string
	add := func(given bool, format string, args ...any) {
		if given {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.DC != 0, "DC %d", f.DC)
	add(f.Perm != 0, "perm key %d", f.Perm)
	add(f.Conn != 0, "connection %d", f.Conn)
	add(f.Method != "", "%s", f.Method)
	add(f.Direction != "", "%s", f.Direction)
	if len(parts) == 0 {
		return "everywhere"
	}
	return strings.Join(parts, ", ")
}

func (a *app) clearFaults(ctx context.Context, t *testdcClient, ids []uint) error {
	q := url.Values{}
	for _, id := range ids {
		q.Add("id", strconv.FormatUint(uint64(id), 10))
	}
	path := "/fault"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	var got faultAnswer
	if err := t.ask(ctx, http.MethodDelete, path, nil, &got); err != nil {
		return err
	}
	if t.json {
		return a.printJSON(got)
	}
	return a.sayf("Cleared. What has happened stays so: a DC that was stopped is started with `fault start_dc`, a clock set right with `fault clock_skew --delay 0s`.")
}

func (a *app) testdcPushCommand() *cobra.Command {
	var t testdcClient
	var text, typ string
	kinds := dccontrol.PushKinds()
	c := &cobra.Command{
		Use: "push KIND USER", Short: "Push something to a user of a test cluster that runs", Args: exactly("KIND", "USER"),
		Long: `push pushes an update, a text from 777000 (--text) or a service notification (--text,
--type) to a user of a test cluster that runs; a lost_update is in the user's log, and
pushed to nobody. USER is an id, +PHONE or @USERNAME.

  manager testdc push text +9996610000 --text hello --control-socket c.sock`,
		ValidArgs: kinds,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = t.json
			id, err := t.user(c.Context(), args[1])
			if err != nil {
				return err
			}
			body := map[string]any{"kind": args[0], "user_id": id}
			for name, value := range map[string]string{"text": text, "type": typ} {
				if value != "" {
					body[name] = value
				}
			}
			var got struct {
				Pts int32 `json:"pts,omitempty"`
			}
			if err := t.ask(c.Context(), http.MethodPost, "/push", body, &got); err != nil {
				return err
			}
			switch {
			case t.json:
				return a.printJSON(got)
			case got.Pts == 0:
				return a.sayf("Pushed.")
			case args[0] == "lost_update":
				return a.sayf("It is in the log, and was pushed to nobody; pts is %d after it.", got.Pts)
			}
			return a.sayf("Pushed; pts is %d after it.", got.Pts)
		},
	}
	t.register(c)
	c.Flags().StringVar(&text, "text", "", "what a text or a notification says")
	c.Flags().StringVar(&typ, "type", "", "the type of a notification")
	return c
}

func (a *app) testdcRevokeCommand() *cobra.Command {
	var t testdcClient
	var dc int
	var perm int64
	c := &cobra.Command{
		Use: "revoke [USER]", Short: "End a user's authorizations in a test cluster that runs",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("manager testdc revoke takes one USER, or --dc and --perm")
			}
			return nil
		},
		Long: `revoke ends the authorizations of a user of a test cluster that runs, as another
session of the user would, or that of one key: --dc and --perm, as GET
/ledger?list=authorizations has them. USER is an id, +PHONE or @USERNAME.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = t.json
			byKey := c.Flags().Changed("dc") && c.Flags().Changed("perm")
			if byKey == (len(args) == 1) || !byKey && (dc != 0 || perm != 0) {
				return usage("testdc: revoke takes a USER, or --dc and --perm of one key")
			}
			body := map[string]any{"dc": dc, "perm": strconv.FormatInt(perm, 10)}
			if !byKey {
				id, err := t.user(c.Context(), args[0])
				if err != nil {
					return err
				}
				body = map[string]any{"user_id": id}
			}
			var got struct {
				OK bool `json:"ok"`
			}
			if err := t.ask(c.Context(), http.MethodPost, "/revoke", body, &got); err != nil {
				return err
			}
			if t.json {
				return a.printJSON(got)
			}
			return a.sayf("Revoked.")
		},
	}
	t.register(c)
	c.Flags().IntVar(&dc, "dc", 0, "the `DC` of the key")
	c.Flags().Int64Var(&perm, "perm", 0, "the perm `KEY`")
	return c
}

func (a *app) testdcBanCommand() *cobra.Command {
	var t testdcClient
	c := &cobra.Command{
		Use: "ban USER", Short: "Ban a user of a test cluster that runs, for good", Args: exactly("USER"),
		Long: "ban bans a user of a test cluster that runs: every call answers USER_DEACTIVATED_BAN. USER is an id, +PHONE or @USERNAME.",
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = t.json
			return a.befall(c.Context(), &t, args[0], map[string]any{"kind": "ban"})
		},
	}
	t.register(c)
	return c
}

func (a *app) testdcFreezeCommand() *cobra.Command {
	var t testdcClient
	var lasts time.Duration
	var appeal string
	var end bool
	c := &cobra.Command{
		Use: "freeze USER", Short: "Freeze a user of a test cluster that runs, for a while", Args: exactly("USER"),
		Long: `freeze freezes a user of a test cluster that runs: what changes something answers
FROZEN_METHOD_INVALID. --end ends it before its time. USER is an id, +PHONE or @USERNAME.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = t.json
			if end {
				if c.Flags().Changed("for") || appeal != "" {
					return usage("testdc: freeze --end takes neither --for nor --url")
				}
				return a.befall(c.Context(), &t, args[0], map[string]any{"kind": "unfreeze"})
			}
			body := map[string]any{"kind": "freeze", "for": lasts.String()}
			if appeal != "" {
				body["url"] = appeal
			}
			return a.befall(c.Context(), &t, args[0], body)
		},
	}
	t.register(c)
	c.Flags().DurationVar(&lasts, "for", time.Hour, "for how long")
	c.Flags().StringVar(&appeal, "url", "", "where the user can appeal")
	c.Flags().BoolVar(&end, "end", false, "end it now")
	return c
}

// befall has something happen to a user.
func (a *app) befall(ctx context.Context, t *testdcClient, user string, body map[string]any) error {
	id, err := t.user(ctx, user)
	if err != nil {
		return err
	}
	body["user_id"] = id
	return a.fault(ctx, t, body)
}

// testdcCommands are those about a cluster that runs.
func (a *app) testdcCommands() []*cobra.Command {
	return []*cobra.Command{
		a.testdcFaultCommand(), a.testdcPushCommand(), a.testdcRevokeCommand(), a.testdcBanCommand(), a.testdcFreezeCommand(),
	}
}
