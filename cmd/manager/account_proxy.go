package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) proxyCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "proxy NAME [URL|none|default]", Short: "Have an account connect through a proxy, or show through which",
		Long: `proxy has an account connect through a proxy and in no other way, at once and after
restarts: socks5://user:password@host:port, http://user:password@host:port (CONNECT),
mtproxy://host:port?secret=..., or a link, tg://proxy?... or https://t.me/proxy?...
none: directly. default: as the setting proxy says. -: read it from standard input,
where no other user of this machine sees it. Calls under way are answered by the new
way. Without any it shows which proxy it is, without what opens it.`,
		Example: `  manager account proxy alice socks5://10.0.0.1:1080
  manager account proxy alice - < proxy.txt
  manager account proxy alice none`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				acc, err := a.proxy(ctx, s, args)
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(acc)
				}
				if acc.Proxy == "" {
					return a.sayf("Account %s connects directly.", acc.ID)
				}
				return a.sayf("Account %s connects through %s.", acc.ID, acc.Proxy)
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) proxy(ctx context.Context, s control.Service, args []string) (control.Account, error) {
	if len(args) == 1 {
		return control.Show.Call(ctx, s, control.AccountRequest{ID: args[0]})
	}
	text, err := a.proxyText(ctx, cmp.Or(args[1], "-"))
	if err != nil {
		return control.Account{}, err
	}
	return control.Proxy.Call(ctx, s, control.ProxyRequest{ID: args[0], Proxy: text})
}

// proxyText is what a person wrote for a proxy, as requests have it.
func (a *app) proxyText(ctx context.Context, text string) (string, error) {
	switch text {
	case "default":
		return "", nil
	case "-":
		line, err := newInput(a.in, true).next(ctx)
		if line = strings.TrimSpace(line); line == "" || line == "-" {
			if err == nil || errors.Is(err, io.EOF) {
				err = usage("there is no proxy on standard input")
			}
			return "", err
		}
		return a.proxyText(ctx, line)
	}
	return text, nil
}
