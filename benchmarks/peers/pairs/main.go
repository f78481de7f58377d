package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// plan is what is asked for on the command line.
type plan struct {
	only                 string
	rounds               int
	logins, calls, conns int
	idle, storm          int
	idleFor, outage      time.Duration
	json                 bool
	js                   string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == orderOfTurn {
		if err := take(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var p plan
	flag.StringVar(&p.only, "only", "logins,calls,idle,storm", "which scenarios, with commas")
	flag.IntVar(&p.rounds, "rounds", 3, "how often each client takes its turn")
	flag.IntVar(&p.logins, "logins", 8, "sign-ins of a turn")
	flag.IntVar(&p.calls, "calls", 20_000, "calls of a turn")
	flag.IntVar(&p.conns, "connections", 100, "connections of the third kind of calls")
	flag.IntVar(&p.idle, "idle", 50, "idle accounts")
	flag.DurationVar(&p.idleFor, "for", time.Minute, "how long idle accounts are measured")
	flag.IntVar(&p.storm, "storm", 30, "accounts that are cut off")
	flag.DurationVar(&p.outage, "outage", 5*time.Second, "and for how long")
	flag.BoolVar(&p.json, "json", false, "print the result as JSON on the last line of standard output")
	flag.StringVar(&p.js, "js", "js", "the folder of the clients in JavaScript; without mtcute in it, mtcute is left out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := p.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pairs:", err)
		os.Exit(1)
	}
}

// clients are those that are there; the first of a round is another each time.
func (p *plan) clients() []string {
	list := []string{"gotd", "mtfleet"}
	_, err := os.Stat(filepath.Join(p.js, "node_modules", "@mtcute", "node"))
	if _, node := exec.LookPath("node"); node == nil && err == nil {
		list = append(list, "mtcute")
	}
	return list
}

// scenarios are the orders of one turn each.
func (p *plan) scenarios() (list []Orders, err error) {
	for _, name := range strings.Split(p.only, ",") {
		switch strings.TrimSpace(name) {
		case scenarioLogins:
			for _, pfs := range []bool{false, true} {
				for _, atOnce := range []int{1, 8} {
					list = append(list, Orders{Scenario: scenarioLogins, PFS: pfs, Accounts: p.logins, AtOnce: atOnce})
				}
			}
		case scenarioCalls:
			for _, c := range [][2]int{{1, 1}, {1, 64}, {p.conns, 1}} {
				list = append(list, Orders{Scenario: scenarioCalls, PFS: c[0] == 1, Accounts: c[0], AtOnce: c[1], Calls: p.calls})
			}
		case scenarioIdle:
			list = append(list, Orders{Scenario: scenarioIdle, PFS: true, Accounts: p.idle, IdleFor: p.idleFor})
		case scenarioStorm:
			list = append(list, Orders{Scenario: scenarioStorm, PFS: true, Accounts: p.storm})
		default:
			return nil, fmt.Errorf("no scenario is called %q", name)
		}
	}
	return list, nil
}

func (p *plan) run(ctx context.Context) error {
	scenarios, err := p.scenarios()
	if err != nil {
		return err
	}
	if p.rounds < 1 || p.logins < 1 || p.calls < 1 || p.conns < 1 || p.idle < 1 || p.storm < 1 || p.idleFor <= 0 || p.outage <= 0 {
		return fmt.Errorf("what is counted or measured is at least one")
	}
	most := max(p.logins, p.conns, p.idle, p.storm) + 1
	cluster, err := startDC(most)
	if err != nil {
		return err
	}
	defer cluster.Close()
	c := &conductor{dc: cluster, js: p.js, outage: p.outage}
	clients := p.clients()
	var all []Row
	for _, o := range scenarios {
		taken := map[string][]Figures{}
		for round := range p.rounds {
			for i := range clients {
				o.Client = clients[(i+round)%len(clients)]
				fmt.Fprintf(os.Stderr, "%s, round %d: %v\n", o.Client, round+1, o)
				found, err := c.turn(ctx, o)
				if err != nil {
					return err
				}
				taken[o.Client] = append(taken[o.Client], found)
			}
		}
		all = append(all, rows(o.String(), taken)...)
	}
	print(os.Stdout, all, clients)
	fmt.Printf("%s, %s/%s, %d CPUs, load %s; %d rounds; governor %v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load(), p.rounds, budget())
	if p.json {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"rows": all, "clients": slices.Clone(clients), "go": runtime.Version(), "load": load(), "rounds": p.rounds})
	}
	return nil
}

// load is the average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
