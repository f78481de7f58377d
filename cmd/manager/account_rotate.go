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
	targets
	dryRun bool
}

func (a *app) rotateCommand() *cobra.Command {
	var f rotateFlags
	c := &cobra.Command{
		Use: "rotate NAME...", Short: "Replace temp keys before their time", Args: f.targets.args,
		Long: `rotate makes a new temp key for an account (PFS), moves its calls under it, and has
the server drop the old one, as happens by itself once a day. Calls and updates go
on meanwhile. For several names, or with --all, --label or --state, it does so for many
accounts, as fast as the key budget in the configuration allows, and shows how far it is;
accounts that are not in service, or are kept without PFS, are passed over. --dry-run
shows which accounts that would be.

Where a DC cannot be reached the old key serves on, and the rotation goes on later.`,
		RunE: func(c *cobra.Command, names []string) error {
			return a.withService(c, &f.accountFlags, func(ctx context.Context, s control.Service) error {
				switch {
				case f.dryRun:
					return a.onlyShow(ctx, s, &f.outputFlags, "rotate", &f.targets, names)
				case f.one(names):
					return a.rotateOne(ctx, s, &f, names[0])
				}
				ids, err := f.ids(ctx, s, names)
				if err != nil {
					return err
				}
				return a.rotateMany(ctx, s, &f, ids)
			})
		},
	}
	f.accountFlags.register(c)
	f.targets.register(c)
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, dryRunHelp)
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
	workers, err := atOnce(ctx, s)
	if err != nil {
		return err
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
		a.printf("manager: %s\n", aboutAccount(left.ID, left.Error))
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
func rotateAll(ctx context.Context, s control.Service, ids []string, workers int, timeout time.Duration, did func()) *rotations {
	r := &rotations{Rotated: []string{}, PassedOver: []rotationLeft{}, Failed: []rotationLeft{}}
	var mu sync.Mutex // guards r
	forEach(ctx, ids, workers, func(id string) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		_, err := control.Rotate.Call(ctx, s, control.AccountRequest{ID: id})
		cancel()
		mu.Lock()
		r.add(id, err)
		mu.Unlock()
		did()
	})
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
