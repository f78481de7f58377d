package main

import (
	"context"
	"errors"
	"log/slog"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/dashboard"
	"github.com/mtfleet/mtfleet/config"
)

// listenDashboard listens where the configuration wants a dashboard; nil where it wants
// none.
func listenDashboard(cfg *config.Config) (*dashboard.Server, error) {
	d := cfg.Dashboard
	if d.Listen == "" {
		return nil, nil
	}
	if d.Cert == "" {
		s, err := dashboard.Listen(d.Listen)
		if err != nil {
			return nil, addrInUse("dashboard.listen", d.Listen, err)
		}
		return s, nil
	}
	s, err := dashboard.ListenTLS(dashboard.TLS{
		TCP:   control.TCP{Addr: d.Listen, Cert: d.Cert, Key: d.Key, ClientCA: cfg.API.ClientCA},
		Names: d.Names,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, addrInUse("dashboard.listen", d.Listen, err)
	}
	return s, err
}

// serveDashboard serves it, and has the API make links to it. A link goes to a terminal
// alone: a log has other readers.
func (a *app) serveDashboard(s *dashboard.Server, local *control.Local, service control.Service, callers *control.Access, log *slog.Logger) {
	if s == nil {
		return
	}
	s.Serve(dashboard.Options{Service: service, Access: callers, Log: log})
	local.Dashboard = s.Link
	if _, ok := terminal(a.err); ok {
		a.printf("The dashboard, by a link that is good once and for ten minutes: %s\n", s.Link())
		return
	}
	log.Info("the dashboard is served", "address", s.URL(), "advice", "`manager dashboard` prints a link that lets you in")
}

func (a *app) dashboardCommand() *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use: "dashboard", Short: "Print a link to the dashboard of the manager that runs", Args: exactly(),
		Long: `dashboard prints a link that signs a browser in to the dashboard, once and within ten
minutes. Whoever has the link may do everything there. The dashboard is served by
"manager run --dashboard 127.0.0.1:8070", or with dashboard.listen; beyond loopback
with dashboard.cert and dashboard.key, and there api.callers may sign in too.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				link, err := control.DashboardLink.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				if f.json {
					return a.printJSON(link)
				}
				return a.sayf("%s", link.Link)
			})
		},
	}
	f.register(c)
	return c
}
