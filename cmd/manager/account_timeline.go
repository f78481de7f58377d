package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

func (a *app) timelineCommand() *cobra.Command {
	var f accountFlags
	var svg string
	c := &cobra.Command{
		Use: "timeline NAME", Short: "Show what happened to an account: its keys, connections, states and waits",
		Long: `timeline shows what happened to an account last: keys made, bound, in use, replaced
and lost, connections and why they were lost, states, waits and the steps of
sign-ins, as far as 1.5 KiB reach back, over restarts. Each key has a lane: ┃ while
calls go under it, │ while it is there, ● where something happens to it. Keys are
named by the first half of their public ids, and times are in UTC. Of a manager
that was killed the end may be missing.`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withService(c, &f, func(ctx context.Context, s control.Service) error {
				ctx, cancel := context.WithTimeout(ctx, f.timeout)
				defer cancel()
				line, err := control.Timeline.Call(ctx, s, control.AccountRequest{ID: args[0]})
				if err != nil {
					return err
				}
				if svg != "" {
					if err := drawTimeline(svg, line); err != nil {
						return err
					}
				}
				switch {
				case f.json:
					return a.printJSON(line)
				case f.format == formatName:
					return a.sayf("%s", line.Account)
				case svg != "":
					return a.sayf("The timeline of account %s is in %s.", line.Account, svg)
				}
				return timeline.Text(a.out, line.Account, line.Entries)
			})
		},
	}
	f.registerReading(c)
	c.Flags().StringVar(&svg, "svg", "", "draw it into this file, in place of one that is there")
	return c
}

func drawTimeline(path string, line control.AccountTimeline) error {
	file, err := os.Create(path)
	if err != nil {
		return usage("--svg: %s: %v: name a file in a directory that you may write", path, bareError(err))
	}
	err = timeline.SVG(file, line.Account, line.Entries)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("drawing the timeline: %w", err)
	}
	return nil
}
