// Command simulate plays a fleet and everything around it from seeds: sign-ins,
// calls, updates, and what can go wrong with networks, DCs, disks and the
// process itself, in virtual time. One seed is one run, the same each time, to
// the last byte.
//
//	go run ./benchmarks/simulate --seeds 1000 --days 0.01
//	go run ./benchmarks/simulate --seeds 1000 --days 7 --accounts 10
//	go run ./benchmarks/simulate --seed 42 --days 1 --dense
//	go run ./benchmarks/simulate --seeds 20 --twice
//
// It prints each seed in which a promise was broken, with what led to it and the
// timelines of its accounts, made smaller before, and how to play it again. The
// exit status is 1 if there was one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/benchmarks/simulate/world"
)

func main() {
	// A run holds some 20 MB: less work for the collector is worth a few more.
	debug.SetGCPercent(400)
	ok, err := simulate(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	case !ok:
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	seeds int
	seed  uint64

	days     float64
	timeline bool
	profile  string
	shrink   int
	twice    bool
	workers  int
	lines    int
	opts     world.Options
}

func parse(args []string) (config, error) {
	c := config{}
	f := flag.NewFlagSet("simulate", flag.ContinueOnError)
	f.IntVar(&c.seeds, "seeds", 100, "how many seeds to play")
	f.Uint64Var(&c.seed, "seed", 1, "the first of them; alone unless --seeds is given")
	f.Float64Var(&c.days, "days", 0, "how long people and faults are at it, in virtual days; 0 is five minutes")
	f.IntVar(&c.opts.Accounts, "accounts", 0, "how many accounts; 0 is 5")
	f.IntVar(&c.opts.DCs, "dcs", 0, "how many DCs; 0 is 3")
	f.IntVar(&c.opts.Nodes, "nodes", 1, "how many managers keep the accounts together, on one database: 1 has a disk of its own")
	f.BoolVar(&c.opts.Dense, "dense", false, "one storm all the time: more than three hours have quiet hours and nights otherwise")
	f.BoolVar(&c.opts.Calm, "calm", false, "let nothing go wrong")
	f.BoolVar(&c.opts.Harsh, "harsh", false, "add what no client can help")
	f.IntVar(&c.workers, "workers", goruntime.GOMAXPROCS(0), "how many seeds are played at once")
	f.BoolVar(&c.twice, "twice", false, "play each seed twice and compare: two runs of one seed are the same to the last byte")
	f.BoolVar(&c.timeline, "timeline", false, "print what happened in good runs too")
	only := f.String("only", "", "the gusts of the storm that come, by their numbers with commas; empty: all")
	f.IntVar(&c.shrink, "shrink", 20, "how many runs are played to make a bad one smaller, in a minute at most; 0: none")
	f.StringVar(&c.profile, "cpuprofile", "", "write a CPU profile to this file")
	f.IntVar(&c.lines, "lines", 200, "how many lines of a timeline are printed, the last ones")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	var err error
	if c.opts.Only, err = numbers(*only); err != nil {
		return c, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if given["seed"] && !given["seeds"] {
		c.seeds = 1
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.seeds < 1 || c.workers < 1 || c.days < 0 || c.opts.Accounts < 0 || c.opts.DCs < 0 || c.opts.DCs > 9 || c.opts.Nodes < 1 || c.opts.Nodes > 9 {
		return c, errors.New("--seeds and --workers are at least 1, --days and --accounts not negative, --dcs and --nodes 1 to 9")
	}
	c.opts.Duration = time.Duration(c.days * 24 * float64(time.Hour)).Round(time.Millisecond)
	return c, nil
}

// simulate plays what the arguments ask for; it reports whether all was well.
func simulate(args []string, out io.Writer) (ok bool, err error) {
	c, err := parse(args)
	if err != nil {
		return false, err
	}
	if c.profile != "" {
		stop, err := profile(c.profile)
		if err != nil {
			return false, err
		}
		defer stop()
	}
	begun := time.Now()
	sum := summary{out: out, config: c, paced: map[string]int{}}
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range c.workers {
		workers.Go(func() {
			for seed := range next {
				r, err := world.Run(seed, c.opts)
				if c.twice && err == nil {
					again, _ := world.Run(seed, c.opts)
					if again.Hash != r.Hash {
						r.Complaints = append(r.Complaints, "a second run of the seed was another: "+r.Hash+" and "+again.Hash)
					}
				}
				small := world.Shrunk{Options: c.opts, Result: r}
				if err == nil && c.shrink > 0 && len(r.Complaints) > 0 {
					small = world.Shrink(r, c.opts, c.shrink, time.Now().Add(time.Minute))
				}
				sum.add(r, small, err)
			}
		})
	}
	for i := range c.seeds {
		next <- c.seed + uint64(i)
	}
	close(next)
	workers.Wait()
	return sum.end(time.Since(begun))
}

// profile begins a CPU profile; stop ends it.
func profile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // what is missing in it, its reader tells
	}, nil
}

// summary collects what runs came to.
type summary struct {
	out    io.Writer
	config config

	mu      sync.Mutex // guards the following fields, and out
	played  int
	bad     int
	virtual time.Duration
	counts  world.Counts
	paced   map[string]int // seeds by the governor's limits
	err     error
	last    time.Time // of the progress line
}

func (s *summary) add(r world.Result, small world.Shrunk, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err = errors.Join(s.err, fmt.Errorf("seed %d: %w", r.Seed, err))
		return
	}
	s.played++
	s.virtual += r.Virtual
	s.counts.Add(r.Counts)
	s.paced[world.Limits(r.Seed).String()]++
	if len(r.Complaints) > 0 {
		s.bad++
		s.show(r, small)
	} else if s.config.timeline {
		s.lines(r)
	}
	if s.config.seeds == 1 {
		fmt.Fprintf(s.out, "seed %d: %s\n", r.Seed, r.Hash)
	}
	if now := time.Now(); now.Sub(s.last) > 10*time.Second {
		s.last = now
		fmt.Fprintf(s.out, "%d of %d seeds played, %d bad\n", s.played, s.config.seeds, s.bad)
	}
}

// show prints a bad run, the smallest one found that breaks the same promise, and
// how to see either again.
func (s *summary) show(r world.Result, small world.Shrunk) {
	s.lines(small.Result)
	s.stories(small.Result)
	fmt.Fprintf(s.out, "seed %d broke promises:\n", r.Seed)
	s.complaints(r)
	fmt.Fprintf(s.out, "again: %s\n", command(r.Seed, s.config.opts))
	if small.Result.Hash != r.Hash {
		fmt.Fprintf(s.out, "the smallest of %d tries that breaks the first of them, which is the one above:\n", small.Tries)
		s.complaints(small.Result)
		fmt.Fprintf(s.out, "again: %s\n", command(r.Seed, small.Options))
	}
}

func (s *summary) complaints(r world.Result) {
	for _, c := range r.Complaints {
		fmt.Fprintf(s.out, "  %s\n", c)
	}
}

// stories prints the timelines of the accounts that complaints name, of all where
// they name none.
func (s *summary) stories(r world.Result) {
	text := strings.Join(r.Complaints, "\n")
	names := slices.Sorted(maps.Keys(r.Stories))
	named := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.Contains(text, n) })
	if len(named) == 0 {
		named = names[:min(len(names), 10)]
	}
	for _, n := range named {
		fmt.Fprintln(s.out, r.Stories[n])
	}
}

// command is what plays a run.
func command(seed uint64, o world.Options) string {
	only := make([]string, len(o.Only))
	for i, n := range o.Only {
		only[i] = strconv.Itoa(n)
	}
	text := fmt.Sprintf("go run ./benchmarks/simulate --seed %d --days %v --accounts %d --dcs %d --nodes %d --dense=%v --calm=%v --harsh=%v --lines 4000",
		seed, o.Duration.Hours()/24, o.Accounts, o.DCs, o.Nodes, o.Dense, o.Calm, o.Harsh)
	switch {
	case o.Only == nil:
		return text
	case len(only) == 0:
		return text + " --only none"
	}
	return text + " --only " + strings.Join(only, ",")
}

// numbers reads what command has written of gusts.
func numbers(text string) ([]int, error) {
	switch text {
	case "":
		return nil, nil
	case "none":
		return []int{}, nil
	}
	var list []int
	for _, one := range strings.Split(text, ",") {
		n, err := strconv.Atoi(one)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("--only: %q is no number of a gust", one)
		}
		list = append(list, n)
	}
	return list, nil
}

func (s *summary) lines(r world.Result) {
	list := r.Timeline[max(len(r.Timeline)-s.config.lines, 0):]
	fmt.Fprintf(s.out, "seed %d, the last %d lines:\n", r.Seed, len(list))
	for _, l := range list {
		fmt.Fprintln(s.out, l)
	}
}

func (s *summary) end(took time.Duration) (ok bool, err error) {
	n := s.counts
	fmt.Fprintf(s.out, "%d seeds, %d bad; %.1f virtual days in %v: %d calls (%d by connections for media), %d packets, %d commits, %d events, %d updates judged, %d returns to a channel, %d keys (%d for media), %d binds, %d faults, %d crashes, %d restarts\n",
		s.played, s.bad, s.virtual.Hours()/24, took.Round(time.Millisecond), n.Calls, n.MediaCalls, n.Packets, n.Commits, n.Events, n.Judged, n.Returns, n.Keys, n.MediaKeys, n.Binds, n.Faults, n.Crashes, n.Restarts)
	fmt.Fprintf(s.out, "sign-ins: %s\n", n.Ways())
	if s.config.opts.Nodes > 1 {
		fmt.Fprintf(s.out, "between the nodes: %d gusts, %d failovers of the database, which lost the last change of %d records\n", n.Splits, n.Failovers, n.Lost)
	}
	for _, limits := range slices.Sorted(maps.Keys(s.paced)) {
		fmt.Fprintf(s.out, "governor of %d seeds, own numbers: %s\n", s.paced[limits], limits)
	}
	return s.bad == 0, s.err
}
