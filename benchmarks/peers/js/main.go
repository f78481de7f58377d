// Command js runs shipped JavaScript clients against the test DC and prints what each of them came to.
//
// For every row of the table a cluster of its own is started on loopback and one Node script is told where it is. The
// script signs in, calls something, hears an update, connects again with what it saved, and logs out. The cluster's
// ledger then says what it thinks of the client: what it refused, what it noted, what it writes down as information.
//
// The clients are pinned in package.json and package-lock.json; `npm ci --ignore-scripts` beside them installs them.
// Without Node or without that folder nothing is run, and the command says so and succeeds.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "js:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir := flag.String("dir", "js", "the folder with the scripts and their node_modules")
	only := flag.String("only", "", "run the rows whose name contains this")
	each := flag.Duration("each", 40*time.Second, "how long one row may take")
	total := flag.Duration("total", 5*time.Minute, "how long all of them may take")
	verbose := flag.Bool("v", false, "let the clients log, and list everything the DCs wrote down")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *total)
	defer cancel()
	node, reason := ready(*dir)
	if reason != "" {
		fmt.Println("skipped: " + reason)
		return nil
	}
	var failed []string
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "client\tlayer\tsign-in\tkeys\tresult\trefused\tnoted\tinfo\ttime")
	for _, p := range plays() {
		if !strings.Contains(p.String(), *only) {
			continue
		}
		began := time.Now()
		r := play(ctx, p, node, *dir, *each, *verbose)
		result := "ok"
		if r.failure != "" && r.refused == 0 {
			// @mtproto/core and mtcute do not pad the auth key on the left: one key in 256 is not what they take it for,
			// and the former gives up over it. Both work with Telegram no better.
			fmt.Fprintf(os.Stderr, "again, for %s failed: %s\n", p, r.failure)
			r, result = play(ctx, p, node, *dir, *each, *verbose), "ok, 2nd try"
		}
		if r.failure != "" {
			result = "FAILED"
			failed = append(failed, fmt.Sprintf("%s: %s", p, r.failure))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%.1f s\n", p.Client, r.layers(), p.way(), p.keys(), result,
			r.refused, r.noted, r.info, time.Since(began).Seconds())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("governor of our manager, which sessions go to and come from: %s\n", budget())
	if len(failed) > 0 {
		return fmt.Errorf("%d of the clients did not get through\n  %s", len(failed), strings.Join(failed, "\n  "))
	}
	return nil
}

// ready finds Node and the installed clients, or says what is missing.
func ready(dir string) (node, reason string) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", "there is no Node on this machine"
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		return "", "the clients are not installed; run `npm ci --ignore-scripts` in " + dir
	}
	return node, ""
}
