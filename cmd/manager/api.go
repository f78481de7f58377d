package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
)

func (a *app) apiCommand() *cobra.Command {
	return group("api", "Let others use the manager's API over the network",
		`The API is served on a unix socket, for whoever owns it. Over TCP it is served with
TLS, to those that api.callers of the configuration names (docs/api.md).`,
		a.apiTokenCommand())
}

func (a *app) apiTokenCommand() *cobra.Command {
	var role string
	var asJSON bool
	c := &cobra.Command{
		Use: "token NAME", Short: "Make a token, and what the configuration says of it", Args: exactly("NAME"),
		Long: `token makes a token for the caller NAME and prints it, once: only its hash goes into
the configuration. What it prints under callers: belongs to api: there. Nothing is
written, and no manager is asked.`,
		RunE: func(_ *cobra.Command, args []string) error {
			a.asJSON = asJSON
			if control.RoleNamed(role) == 0 {
				return usage("api token: the role is read, operate or admin, not %q", role)
			}
			token, hash, err := control.NewToken(rand.Reader)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(struct {
					Name  string `json:"name"`
					Role  string `json:"role"`
					Token string `json:"token"`
					Hash  string `json:"token_sha256"`
				}{args[0], role, token, hash})
			}
			return a.sayf("Token of %s, shown once:\n\n  %s\n\nIn the configuration of the manager:\n\napi:\n  callers:\n    - name: %s\n      role: %s\n      token_sha256: %s", args[0], token, args[0], role, hash)
		},
	}
	c.Flags().StringVar(&role, "role", "read", "what it may do: read, operate or admin")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// listenAPI opens the address of the API over TCP; nil when there is none.
func listenAPI(c config.API) (net.Listener, error) {
	if c.Listen == "" {
		return nil, nil
	}
	return control.ListenTCP(control.TCP{Addr: c.Listen, Cert: c.Cert, Key: c.Key, ClientCA: c.ClientCA})
}

// serveAPI begins to answer there.
func serveAPI(l net.Listener, s control.Service, callers *control.Access, log *slog.Logger) *control.Server {
	if l == nil {
		return nil
	}
	log.Info("the API is served over TCP", "addr", l.Addr().String())
	return control.ServeTCP(l, s, callers, log)
}

// grants are those of api.callers.
func grants(callers []config.Caller) (all []control.Grant) {
	for _, c := range callers {
		all = append(all, control.Grant{
			Caller: control.Caller{Name: c.Name, Role: control.RoleNamed(c.Role)}, TokenSHA256: c.Token, Certificate: c.Certificate,
		})
	}
	return all
}

// managerElsewhere reaches the manager that the configuration names.
func managerElsewhere(c config.Remote) (control.Service, error) {
	e := control.Elsewhere{URL: c.URL, CA: c.CA, Cert: c.Cert, Key: c.Key}
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, &exitError{code: exitUsage, kind: control.KindConfig, err: err, text: fmt.Sprintf("remote.token_file: %s cannot be read: %v: put the token there that `manager api token NAME` printed", c.TokenFile, bareError(err))}
		}
		e.Token = strings.TrimSpace(string(text))
	}
	return control.DialTCP(e)
}
