package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/cmd/manager/tabular"
	"github.com/mtfleet/mtfleet/cmd/manager/wording"
	"github.com/mtfleet/mtfleet/persistence"
)

// statusEvery is how often a watched status is looked at.
const statusEvery = time.Second

func (a *app) statusCommand() *cobra.Command {
	var f accountFlags
	var watch bool
	c := &cobra.Command{
		Use: "status", Short: "Show how the fleet is, and what needs you", Args: exactly(),
		Long: `status shows on one screen how many accounts are in which state, the DCs and by which
family of addresses they were reached, the waits that the server ordered, what waits
for the governor, and the store, and the nodes where there are several; and then what needs somebody, the most urgent first,
each with the command to begin with. Where no manager runs it says what the store knows.

With --watch a terminal shows it anew each second; elsewhere it is printed again when
something has changed. -o name prints the accounts that need somebody; -o wide has, of
each DC and family, how long its last ping was out and in parentheses how long they
usually are, the connections that were lost since the manager started, and who waits.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch {
				return a.watchStatus(c, &f)
			}
			return a.withStatus(c, &f, func(s control.FleetStatus) error { return a.tellStatus(a.out, &f.outputFlags, s) })
		},
	}
	f.registerReading(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it anew, until interrupted")
	return c
}

// withStatus asks once. The store is not kept, where no manager runs: one may be about to start.
func (a *app) withStatus(c *cobra.Command, f *accountFlags, do func(control.FleetStatus) error) error {
	return a.withService(c, f, func(ctx context.Context, s control.Service) error {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		status, err := control.Status.Call(ctx, s, control.Empty{})
		if err != nil {
			return err
		}
		return do(status)
	})
}

func (a *app) watchStatus(c *cobra.Command, f *accountFlags) error {
	screenOf, tty := terminal(a.out)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for last := ""; ; {
		var screen bytes.Buffer
		err := a.withStatus(c, f, func(s control.FleetStatus) error {
			if news := newsOf(s); tty || news != last {
				last = news
				return a.tellStatus(&screen, &f.outputFlags, s)
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case tty && !f.json:
			_, err = io.WriteString(a.out, "\x1b[H\x1b[J"+shortened(screen.String(), screenOf))
		default:
			_, err = a.out.Write(screen.Bytes())
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-c.Context().Done():
			return c.Context().Err()
		}
	}
}

// shortened is as much of a text as a terminal has room for with a line below it: what is drawn in place must not scroll.
func shortened(text string, tty *os.File) string {
	width, height, err := term.GetSize(int(tty.Fd()))
	if err != nil || width <= 0 || height <= 2 {
		return text
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	took, room := make([]int, len(lines)), height-1
	all := 0
	for i, line := range lines {
		took[i] = max(1, (utf8.RuneCountInString(ansi.Strip(strings.TrimSuffix(line, "\n")))+width-1)/width)
		all += took[i]
	}
	if all <= room {
		return text
	}
	var b strings.Builder
	left := len(lines)
	for i, line := range lines {
		if room -= took[i]; room < 1 { // for the line that says so
			break
		}
		left--
		b.WriteString(line)
	}
	return b.String() + fmt.Sprintf("... %d more lines\n", left)
}

// newsOf is what of a status is no news as long as it is the same: all but the time, the room on the disk, permits and pings.
func newsOf(s control.FleetStatus) string {
	s.At, s.Store.Free, s.About.Since, s.About.PID = time.Time{}, 0, time.Time{}, 0
	s.Governor.DCs = append([]control.GovernedDC(nil), s.Governor.DCs...)
	for i := range s.Governor.DCs {
		d := &s.Governor.DCs[i]
		d.Granted, d.Waiting, d.ProbeEvery = control.Permits{}, control.Permits{}, 0
		d.IPv4Trips, d.IPv6Trips = control.RoundTrips{}, control.RoundTrips{}
	}
	s.Nodes = append([]control.Node(nil), s.Nodes...)
	for i := range s.Nodes {
		s.Nodes[i].Lease = 0
	}
	text, _ := json.Marshal(s) // of numbers, texts and times
	return string(text)
}

func (a *app) tellStatus(w io.Writer, o *outputFlags, s control.FleetStatus) error {
	switch {
	case o.json:
		return json.NewEncoder(w).Encode(s)
	case o.format == formatName:
		var b strings.Builder
		for _, need := range s.Needs {
			for _, id := range need.Accounts {
				b.WriteString(id + "\n")
			}
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	var b bytes.Buffer
	p := statusPage{w: &b, look: a.look(o)}
	p.head(s)
	if err := p.dcs(s); err != nil {
		return err
	}
	if len(s.Nodes) > 1 {
		fmt.Fprintln(p.w)
		if err := nodeTable(s.Nodes).Write(p.w, p.look); err != nil {
			return err
		}
	}
	p.needs(s.Needs)
	_, err := w.Write(b.Bytes())
	return err
}

// statusPage writes a status for a person.
type statusPage struct {
	w    io.Writer
	look tabular.Options
}

// labelWidth is what the names in front of the lines take.
const labelWidth = 10

// row writes a name and what belongs to it, which goes on below itself.
func (p *statusPage) row(name, text string) {
	for i, line := range tabular.Wrap(text, max(p.look.Width-labelWidth, 0)) {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(p.w, "%-*s%s\n", labelWidth, name, line)
	}
}

func (p *statusPage) paint(c tabular.Color, text string) string {
	if !p.look.Color {
		return text
	}
	return c.Paint(text)
}

func (p *statusPage) head(s control.FleetStatus) {
	if s.About.Running {
		p.row("manager", fmt.Sprintf("runs for %s, process %d, version %s", ago(s.About.Since), s.About.PID, s.About.Version))
	} else {
		p.row("manager", "none runs")
	}
	var states []string
	for _, state := range s.States {
		states = append(states, fmt.Sprintf("%d %s", state.Accounts, state.State))
	}
	p.row("accounts", strings.TrimSuffix(fmt.Sprintf("%d: %s", s.Accounts, strings.Join(states, ", ")), ": "))
	var waits []string
	for _, w := range s.Waits {
		what := map[string]string{"method": "of a method", "account": "of an account", "subject": "of a number or token"}[w.Scope]
		waits = append(waits, fmt.Sprintf("%d %s until %s", w.Count, cmp.Or(what, w.Scope), clock(w.Last)))
	}
	switch {
	case len(waits) > 0:
		p.row("waits", strings.Join(waits, ", "))
	case s.About.Running:
		p.row("waits", "none that the server ordered")
	}
	if s.About.Running {
		var waiting control.Permits
		for _, d := range s.Governor.DCs {
			waiting.Connects += d.Waiting.Connects
			waiting.KeyCreations += d.Waiting.KeyCreations
			waiting.SignIns += d.Waiting.SignIns
		}
		p.row("governor", fmt.Sprintf("%d connects, %d keys and %d sign-ins wait", waiting.Connects, waiting.KeyCreations, waiting.SignIns))
	}
	p.row("store", storeLine(s.Store)+"; "+s.About.Store)
}

func storeLine(s control.StoreStatus) string {
	line := "takes commits"
	switch {
	case s.Taken:
		line = "claimed by another manager"
	case s.Refuses:
		line = "refuses commits"
		if !s.Since.IsZero() {
			line += " for " + ago(s.Since)
		}
	}
	if s.Needed > 0 {
		line += fmt.Sprintf(", %s free, %s needed", persistence.Size(s.Free), persistence.Size(s.Needed))
	}
	if s.LastBackup.IsZero() {
		return line + ", no backup known"
	}
	return line + ", last backup " + ago(s.LastBackup) + " ago"
}

// clock is a time of today, or a date too.
func clock(t time.Time) string {
	if t = t.Local(); time.Until(t) < 20*time.Hour {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// dcs is a table of the DCs: those that are homes, and those that the governor knows.
func (p *statusPage) dcs(s control.FleetStatus) error {
	columns := []tabular.Column{{Name: "DC"}, {Name: "ONLINE"}, {Name: "IPV4", Leaves: 1}, {Name: "IPV6", Leaves: 2}, {Name: "VIA", Leaves: 3}}
	if p.look.Wide {
		columns = append(columns, tabular.Column{Name: "IPV4 PING"}, tabular.Column{Name: "LOST"}, tabular.Column{Name: "IPV6 PING"}, tabular.Column{Name: "LOST"}, tabular.Column{Name: "WAITING"})
	}
	t := tabular.New(append(columns, tabular.Column{Name: "STATE", Least: whatLeast})...)
	online := map[int]string{}
	for _, h := range s.Homes {
		online[h.DC] = fmt.Sprintf("%d of %d", h.Online, h.Accounts)
	}
	for _, d := range s.Governor.DCs {
		home := "-"
		if !d.Media && online[d.DC] != "" {
			home = online[d.DC]
		}
		delete(online, d.DC)
		state := tabular.Cell{Text: wording.DCState(d, time.Now()), Color: tabular.Green}
		switch {
		case d.Flood:
			state.Color = tabular.Yellow
		case !d.Up:
			state.Color = tabular.Red
		}
		cells := []tabular.Cell{{Text: dcName(d)}, {Text: home}, {Text: cmp.Or(d.IPv4, "-")}, {Text: cmp.Or(d.IPv6, "-")}, {Text: cmp.Or(d.Via, "directly")}}
		if p.look.Wide {
			for _, trips := range []control.RoundTrips{d.IPv4Trips, d.IPv6Trips} {
				cells = append(cells, tabular.Cell{Text: wording.RoundTrip(trips)}, tabular.Cell{Text: fmt.Sprint(trips.Lost)})
			}
			cells = append(cells, tabular.Cell{Text: fmt.Sprint(d.Waiting.Connects + d.Waiting.KeyCreations + d.Waiting.SignIns)})
		}
		t.Cells(append(cells, state)...)
	}
	for _, h := range s.Homes {
		if online[h.DC] != "" {
			row := []string{fmt.Sprint(h.DC), online[h.DC]}
			for range len(columns) - len(row) {
				row = append(row, "-")
			}
			t.Row(append(row, "nobody has asked for it")...)
		}
	}
	if t.Len() == 0 {
		return nil
	}
	fmt.Fprintln(p.w)
	return t.Write(p.w, p.look)
}

func (p *statusPage) needs(all []control.Need) {
	if len(all) == 0 {
		fmt.Fprintln(p.w, "\nNothing needs you.")
		return
	}
	fmt.Fprintln(p.w, "\nNeeds you:")
	colors := map[string]tabular.Color{"now": tabular.Red, "soon": tabular.Yellow}
	for _, need := range all {
		const indent = 7
		what := need.What
		if need.Node != "" {
			what = "On node " + need.Node + ": " + what
		}
		for i, line := range tabular.Wrap(what, max(p.look.Width-indent, 0)) {
			word := ""
			if i == 0 {
				word = need.Urgency
			}
			fmt.Fprintf(p.w, "%s%s%s\n", p.paint(colors[need.Urgency], word), strings.Repeat(" ", indent-len(word)), line)
		}
		if need.Command != "" {
			fmt.Fprintf(p.w, "%*s%s\n", indent, "", need.Command)
		}
	}
}
