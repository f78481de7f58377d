package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
)

// completionPatience bounds what somebody waits for at a Tab.
const completionPatience = time.Second

// complete has the shell offer the names that a manager knows, wherever a command
// begins with one, and the names of settings. Commands that offer words of their own
// go on doing so for what follows.
func (a *app) complete(root *cobra.Command) {
	_ = root.RegisterFlagCompletionFunc("set", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := config.Settings()
		for i := range names {
			names[i] += "="
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		words := strings.Fields(c.Use)
		names := namesOf(c.CommandPath())
		if len(words) < 2 || !strings.HasPrefix(words[1], "NAME") || names == nil {
			return
		}
		rest := c.ValidArgsFunction
		several := strings.HasSuffix(words[1], "...")
		c.ValidArgsFunction = func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 || several {
				return a.known(c.Context(), names), cobra.ShellCompDirectiveNoFileComp
			}
			if rest != nil {
				return rest(c, args, word)
			}
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
	walk(root)
}

// nameList asks a manager for names of one kind.
type nameList func(context.Context, control.Service) ([]string, error)

// namesOf is whose names a command's first argument is one of; nil where that is a
// new one.
func namesOf(command string) nameList {
	switch {
	case command == "manager account add":
		return nil
	case strings.HasPrefix(command, "manager account "), strings.HasPrefix(command, "manager session "):
		return accountNames
	case strings.HasPrefix(command, "manager consumers "), command == "manager events ack":
		return consumerNames
	case strings.HasPrefix(command, "manager webhooks "):
		return webhookNames
	}
	return nil
}

func accountNames(ctx context.Context, s control.Service) (names []string, err error) {
	list, err := control.List.Call(ctx, s, control.ListRequest{})
	for _, acc := range list.Accounts {
		names = append(names, acc.ID)
	}
	return names, err
}

func consumerNames(ctx context.Context, s control.Service) (names []string, err error) {
	list, err := control.Consumers.Call(ctx, s, control.Empty{})
	for _, c := range list.Consumers {
		names = append(names, c.Name)
	}
	return names, err
}

func webhookNames(ctx context.Context, s control.Service) (names []string, err error) {
	list, err := control.Webhooks.Call(ctx, s, control.Empty{})
	for _, w := range list.Webhooks {
		names = append(names, w.Name)
	}
	return names, err
}

// known are the names that the manager that runs knows. There are none where none
// runs: a Tab opens no store.
func (a *app) known(ctx context.Context, names nameList) []string {
	cfg, err := a.load(true)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	remote, err := control.Dial(ctx, cfg.Control.Socket)
	if err != nil {
		return nil
	}
	defer remote.Close()
	list, err := names(ctx, remote)
	if err != nil {
		return nil
	}
	slices.Sort(list)
	return list
}
