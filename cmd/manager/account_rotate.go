package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// rotateFlags are what `account rotate` takes.
type rotateFlags struct {
	accountFlags
	all    bool
	filter filterFlags
}

// rotatesAtOnce is how many accounts are asked at a time. The governor paces the
// keys: at its usual 100 a second each waits less than a second for its own.
const rotatesAtOnce = 64

func (a *app) rotateCommand() *cobra.Command {
	var f rotateFlags
	c := &cobra.Command{
		Use: "rotate NAME|--all|--label KEY=VALUE", Short: "Replace temp keys before their time",
		Long: `rotate makes a new temp key for an account (PFS), moves its calls under it, and has
the server drop the old one, as happens by itself once a day. Calls and updates go
on meanwhile. With --all or --label it does so for many accounts, as fast as the key
budget in the configuration allows, and shows how far it is; accounts that are not in
service, or are kept without PFS, are passed over.

Where a DC cannot be reached the old key serves on, and the rotation goes on later.`,
		Args: func(c *cobra.Command, args []string) error {
			many := f.all || len(f.filter.labels) > 0
			switch {
			case f.all && len(f.filter.labels) > 0, many && len(args) > 0:
				return usage("account rotate takes one of NAME, --all and --label")
			case many:
				return nil
			}
			return exactly("NAME")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			filter, err := f.filter.filter()
			if err != nil {
				return err
			}
			return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
				if len(args) == 1 {
					return a.rotateOne(ctx, s, &f, args[0])
				}
				list, err := control.List.Call(ctx, s, control.Empty{})
				if err != nil {
					return err
				}
				ids := []string{}
				for _, acc := range list.Accounts {
					if filter.Selects(acc.ID, acc.Labels) {
						ids = append(ids, acc.ID)
					}
				}
				return a.rotateMany(ctx, s, &f, ids)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&f.all, "all", false, "every account of the store")
	c.Flags().StringArrayVar(&f.filter.labels, "label", nil, "every account with this `KEY=VALUE` or KEY (repeatable: all of them)")
	return c
}

func (a *app) rotateOne(ctx context.Context, s control.Service, f *rotateFlags, id string) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	acc, err := control.Rotate.Call(ctx, s, control.AccountRequest{ID: id})
	if err != nil {
		return err
	}
	if f.json {
		return a.printJSON(acc)
	}
	return a.sayf("Account %s has a new temp key.", acc.ID)
}

// rotations is what became of many.
type rotations struct {
	Rotated []string `json:"rotated"`
	// PassedOver are those whose state has no temp key to replace.
	PassedOver []rotationLeft `json:"passed_over"`
	Failed     []rotationLeft `json:"failed"`
	Seconds    float64        `json:"seconds"`
}

// rotationLeft is an account whose keys are the old ones, and why.
type rotationLeft struct {
	ID    string       `json:"id"`
	Error string       `json:"error"`
	Kind  control.Kind `json:"kind"`
}

// rotateMany rotates every account of a list. Without a manager that runs they are
// connected one after the other.
func (a *app) rotateMany(ctx context.Context, s control.Service, f *rotateFlags, ids []string) error {
	info, err := control.Info.Call(ctx, s, control.Empty{})
	if err != nil {
		return err
	}
	workers := 1
	if info.Running {
		workers = rotatesAtOnce
	}
	begun, bar := time.Now(), newProgress(a.err)
	defer bar.close()
	bar.begin("rotating "+count(len(ids), "account"), len(ids))
	r := rotateAll(ctx, s, ids, workers, f.timeout, func() { bar.add(1) })
	r.Seconds = seconds(time.Since(begun))
	bar.done("rotated %d of %s", len(r.Rotated), count(len(ids), "account"))
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, left := range r.Failed {
		a.printf("manager: account %s: %s\n", left.ID, left.Error)
	}
	if f.json {
		err = a.printJSON(r)
	} else {
		err = a.sayf("%s", r.line(len(ids)))
	}
	if err == nil && len(r.Failed) > 0 {
		return &exitError{code: exitFailed, text: ""}
	}
	return err
}

// line is the result for a person.
func (r *rotations) line(of int) string {
	s := fmt.Sprintf("New temp keys: %d of %s", len(r.Rotated), count(of, "account"))
	if n := len(r.PassedOver); n > 0 {
		s += fmt.Sprintf("; none to replace: %d", n)
	}
	if n := len(r.Failed); n > 0 {
		s += fmt.Sprintf("; failed: %d", n)
	}
	return s + "."
}

// rotateAll asks some accounts at a time, each for a while.
func rotateAll(ctx context.Context, s control.Service, ids []string, workers int, each time.Duration, did func()) *rotations {
	r := &rotations{Rotated: []string{}, PassedOver: []rotationLeft{}, Failed: []rotationLeft{}}
	var mu sync.Mutex // guards r
	work := make(chan string)
	var wg sync.WaitGroup
	for range min(workers, len(ids)) {
		wg.Go(func() {
			for id := range work {
				ctx, cancel := context.WithTimeout(ctx, each)
				_, err := control.Rotate.Call(ctx, s, control.AccountRequest{ID: id})
				cancel()
				mu.Lock()
				r.add(id, err)
				mu.Unlock()
				did()
			}
		})
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		work <- id
	}
	close(work)
	wg.Wait()
	byID := func(a, b rotationLeft) int { return strings.Compare(a.ID, b.ID) }
	slices.Sort(r.Rotated)
	slices.SortFunc(r.PassedOver, byID)
	slices.SortFunc(r.Failed, byID)
	return r
}

func (r *rotations) add(id string, err error) {
	switch kind := control.KindOf(err); {
	case err == nil:
		r.Rotated = append(r.Rotated, id)
	case kind == control.KindState, kind == control.KindNoAccount: // removed meanwhile
		r.PassedOver = append(r.PassedOver, rotationLeft{id, err.Error(), kind})
	default:
		r.Failed = append(r.Failed, rotationLeft{id, err.Error(), kind})
	}
}
