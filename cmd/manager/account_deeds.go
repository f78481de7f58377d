package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
)

// by is a deed that one method does.
func by(method control.Method[control.AccountRequest, control.Account]) func(context.Context, control.Service, string) (control.Account, error) {
	return func(ctx context.Context, s control.Service, id string) (control.Account, error) {
		return method.Call(ctx, s, control.AccountRequest{ID: id})
	}
}

func (a *app) logoutCommand() *cobra.Command {
	return a.deedCommand(&deed{verb: "log out", done: "is logged out", ends: "the logins of", do: by(control.LogOut)},
		"logout", "End accounts' authorizations at the server",
		"logout ends the authorization at the server and forgets the keys. The account stays and can be signed in again.")
}

func (a *app) pauseCommand() *cobra.Command {
	return a.deedCommand(&deed{verb: "pause", done: "is paused", do: by(control.Pause)}, "pause", "Disconnect accounts and keep their keys", "")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.deedCommand(&deed{verb: "resume", done: "is resumed", do: by(control.Resume)},
		"resume", "End a pause, or give quarantined accounts another try", "")
}

func (a *app) restoreKeyCommand() *cobra.Command {
	return a.deedCommand(&deed{verb: "restore the key of", done: "has its key back", do: by(control.RestoreKey)},
		"restore-key", "Take the key of a revoked login back", `restore-key puts back the key of a login that was found revoked, within the seven days
that it is kept, for an owner who knows that the server was wrong: a DC that ran with
old data, say. If the server still refuses the key, the account is revoked again.`)
}

func (a *app) removeCommand() *cobra.Command {
	var force bool
	c := a.deedCommand(&deed{
		verb: "remove", done: "is removed", ends: "what the store has of",
		do: func(ctx context.Context, s control.Service, id string) (control.Account, error) {
			_, err := control.Remove.Call(ctx, s, control.RemoveRequest{ID: id, Force: force})
			return control.Account{ID: id}, err
		},
		object: func(acc control.Account) any {
			return struct {
				ID      string `json:"id"`
				Removed bool   `json:"removed"`
			}{acc.ID, true}
		},
	}, "remove", "Delete accounts and their keys from the store", `remove deletes everything the store has of an account. Log it out first: keys that
are deleted while they are authorized leave a session at the server that only
another session of that user can end; --force does it all the same.`)
	c.Flags().BoolVar(&force, "force", false, "also when it is signed in")
	return c
}

func (a *app) clearWaitCommand() *cobra.Command {
	var method string
	d := &deed{verb: "clear the waits of", done: "has no such wait any more"}
	d.do = func(ctx context.Context, s control.Service, id string) (control.Account, error) {
		return control.ClearWait.Call(ctx, s, control.ClearWaitRequest{ID: id, Method: method})
	}
	c := &cobra.Command{
		Use: "clear-wait NAME... [METHOD]", Short: "Forget the waits that the server ordered",
		Long: `clear-wait forgets the waits that the server ordered for a method, as auth.sendCode, or
all of the account's. Waits are obeyed to their end, also after a restart; this is for
one that makes no sense, of many years say. Whoever asks too early waits longer.

` + manyHelp,
		Args: func(c *cobra.Command, args []string) error {
			names, _ := waitArgs(args)
			return d.targets.args(c, names)
		},
		RunE: func(c *cobra.Command, args []string) error {
			var names []string
			names, method = waitArgs(args)
			return a.carryOut(c, d, names)
		},
	}
	d.register(c)
	return c
}

// waitArgs are names, and a method behind them. No account has a name with a capital letter, and most methods have one;
// the others are told by the schema.
func waitArgs(args []string) (names []string, method string) {
	n := len(args)
	if n > 0 && isMethod(args[n-1]) {
		return args[:n-1], args[n-1]
	}
	return args, ""
}

func isMethod(word string) bool {
	if word != strings.ToLower(word) {
		return true
	}
	for name := range actors.Methods() {
		if name == word {
			return true
		}
	}
	return false
}

func (a *app) labelCommand() *cobra.Command {
	var put map[string]string
	var remove []string
	d := &deed{verb: "label"}
	d.do = func(ctx context.Context, s control.Service, id string) (control.Account, error) {
		if len(put)+len(remove) == 0 {
			return control.Show.Call(ctx, s, control.AccountRequest{ID: id})
		}
		return control.Label.Call(ctx, s, control.LabelRequest{ID: id, Put: put, Remove: remove})
	}
	d.line = func(acc control.Account) string {
		if acc.Labels.IsZero() {
			return fmt.Sprintf("Account %s has no labels.", acc.ID)
		}
		return fmt.Sprintf("Account %s has the labels %s.", acc.ID, strings.ReplaceAll(acc.Labels.String(), ",", ", "))
	}
	c := &cobra.Command{
		Use: "label NAME... [KEY=VALUE|KEY-]...", Short: "Put labels on accounts, take them away, or show them",
		Long: `label puts labels on an account, KEY=VALUE in place of one of that key, and takes
those away that are written KEY-. Without any it shows them. They select accounts:
manager events --label env=prod. An account has up to 32, of up to 63 characters.

` + manyHelp,
		Args: func(c *cobra.Command, args []string) (err error) {
			names, changes := labelledNames(args, d.given() || d.all)
			if put, remove, err = labelArgs(changes); err != nil {
				return err
			}
			return d.targets.args(c, names)
		},
		RunE: func(c *cobra.Command, args []string) error {
			names, _ := labelledNames(args, d.given() || d.all)
			return a.carryOut(c, d, names)
		},
	}
	d.register(c)
	return c
}

// labelledNames are names, and what is to be changed behind them. A name may end with a -: the first word is one, unless
// accounts are selected.
func labelledNames(args []string, selected bool) (names, changes []string) {
	for i, arg := range args {
		if strings.Contains(arg, "=") || strings.HasSuffix(arg, "-") && (i > 0 || selected) {
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// labelArgs reads key=value and key-.
func labelArgs(args []string) (put map[string]string, remove []string, err error) {
	put = map[string]string{}
	for _, arg := range args {
		if key, value, ok := strings.Cut(arg, "="); ok {
			put[key] = value
			if err := persistence.CheckLabel(key, value); err != nil {
				return nil, nil, usage("%v", err)
			}
		} else if key, ok := strings.CutSuffix(arg, "-"); ok && key != "" {
			remove = append(remove, key)
		} else {
			return nil, nil, usage("%q is neither KEY=VALUE nor KEY-", arg)
		}
	}
	return put, remove, nil
}
