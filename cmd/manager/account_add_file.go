package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/botlist"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// addFileFlags are what `account add --file` takes.
type addFileFlags struct {
	file   string
	dryRun bool
	wait   time.Duration
}

// addBots adds the bots of a list and signs them in, those that are not.
type addBots struct {
	*app
	f       *accountFlags
	of      *addFileFlags
	service control.Service
	noPFS   bool
	timeout time.Duration // of one call, with its turn at the governor
	stop    context.CancelCauseFunc

	mu     sync.Mutex // guards the following fields, and has one line printed at a time
	until  time.Time  // the server ordered to wait
	signed int
	there  int
	failed int
	broken error // standard output
}

// readBots reads a list of bots. One that others can read is refused: whoever has a token is the bot.
func (a *app) readBots(path string) ([]botlist.Bot, error) {
	in := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usage("--file %s: %v: name the list of bots, or - for standard input", path, bareError(err))
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, usage("--file: %v", err)
		}
		if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			return nil, usage("--file: others than you may read %s (mode %03o), and whoever has a token is the bot: chmod 600 %s", path, mode.Perm(), path)
		}
		in = file
	}
	bots, err := botlist.Read(in)
	var bad *botlist.Error
	switch {
	case errors.As(err, &bad):
		return nil, usage("--file %s: %v", path, bad)
	case err != nil:
		return nil, usage("--file %s cannot be read: %v", path, err)
	}
	return bots, nil
}

func (a *app) addFile(ctx context.Context, s control.Service, f *accountFlags, of *addFileFlags, noPFS bool) error {
	bots, err := a.readBots(of.file)
	if err != nil {
		return err
	}
	r := &addBots{app: a, f: f, of: of, service: s, noPFS: noPFS}
	if of.dryRun {
		return r.onlyShow(ctx, bots)
	}
	workers, err := r.pace(ctx)
	if err != nil {
		return err
	}
	held, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	forEach(held, bots, workers, func(b botlist.Bot) { r.do(held, b) })
	a.printf("manager: %s of the list: %d signed in, %d were already, %d failed, %d left\n", count(len(bots), "bot"), r.signed, r.there, r.failed, len(bots)-r.signed-r.there-r.failed)
	switch cause := context.Cause(held); {
	case ctx.Err() != nil:
		return ctx.Err()
	case cause != nil:
		return cause
	case r.broken != nil:
		return r.broken
	case r.failed > 0:
		return &exitError{code: exitFailed}
	}
	return nil
}

// pace finds out how many may be signed in at a time: as many as the governor lets through in a quarter of a minute, so
// that nobody's time is over in its queue.
func (r *addBots) pace(ctx context.Context) (workers int, err error) {
	if workers, err = atOnce(ctx, r.service); err != nil {
		return 0, err
	}
	pacing, err := control.Governor.Call(ctx, r.service, control.Empty{})
	if err != nil {
		return 0, err
	}
	r.timeout = r.f.timeout
	if perMinute := pacing.Budget.SignInsPerMinute; perMinute > 0 {
		workers = min(workers, max(perMinute/4, 1))
		r.timeout += time.Duration(workers) * time.Minute / time.Duration(perMinute)
	}
	return workers, nil
}

// do sees to one bot, and tells what came of it.
func (r *addBots) do(ctx context.Context, b botlist.Bot) {
	acc, was, err := r.signIn(ctx, b)
	r.mu.Lock()
	defer r.mu.Unlock()
	var line string
	result := "signed_in"
	switch {
	case err != nil && ctx.Err() != nil:
		return // interrupted, or all have to wait: it is left
	case err != nil:
		r.failed++
		if e := r.tellFailed(&r.f.outputFlags, b.Name, b.Line, err); e != nil {
			r.broken = e
		}
		return
	case was:
		r.there++
		result, line = "there", fmt.Sprintf("Account %s is signed in already.", acc.ID)
	default:
		r.signed++
		line = signedInLine(acc)
	}
	var told error
	if r.f.json {
		told = r.printJSON(struct {
			Line   int    `json:"line"`
			ID     string `json:"id"`
			Result string `json:"result"`
			UserID int64  `json:"user_id"`
		}{b.Line, acc.ID, result, acc.UserID})
	} else {
		told = r.sayf("%s", line)
	}
	if told != nil {
		r.broken = told
	}
}

// signIn has a bot signed in. It reports whether it was before.
func (r *addBots) signIn(ctx context.Context, b botlist.Bot) (acc control.Account, was bool, err error) {
	acc, err = control.Show.Call(ctx, r.service, control.AccountRequest{ID: b.Name})
	if control.KindOf(err) == control.KindNoAccount {
		acc, err = control.Add.Call(ctx, r.service, control.AddRequest{ID: b.Name, NoPFS: r.noPFS, Labels: b.Labels, Proxy: b.Proxy})
	}
	if err != nil {
		return acc, false, err
	}
	if acc.SignedIn {
		if id := b.UserID(); id != 0 && acc.UserID != 0 && id != acc.UserID {
			return acc, true, &control.Error{Kind: control.KindState, Message: fmt.Sprintf("it is signed in as %d already, and the token is another bot's: choose another name", acc.UserID)}
		}
		return acc, true, nil
	}
	p := control.Progress{Account: acc}
	underWay := acc.Status.State == actors.SigningIn
	for answered, after := false, ""; ; {
		err = r.once(ctx, func(ctx context.Context) (err error) {
			switch {
			case p.Step != nil && p.Step.Kind == actors.StepToken:
				answered = true
				p, err = control.Answer.Call(ctx, r.service, control.AnswerRequest{ID: b.Name, Answer: actors.Answer{Step: p.Step.ID, Kind: actors.AnswerToken, Token: b.Token}})
			case underWay:
				p, err = control.Step.Call(ctx, r.service, control.StepRequest{ID: b.Name, After: after})
			default:
				p, err = control.SignIn.Call(ctx, r.service, control.SignInRequest{ID: b.Name, BotToken: b.Token})
			}
			return err
		})
		var e *control.Error
		switch {
		case errors.As(err, &e) && e.Kind == control.KindWait && !e.Until.IsZero():
			if err := r.hold(ctx, e.Until); err != nil {
				return acc, false, err
			}
			continue
		case err != nil, p.Step == nil:
			return p.Account, false, err
		}
		underWay, after = true, p.Step.ID
		switch {
		case p.Step.Kind == actors.StepWait:
			if err := r.hold(ctx, p.Step.Until); err != nil {
				return acc, false, err
			}
		case p.Step.Kind == actors.StepToken && !answered:
		case p.Step.Kind == actors.StepToken:
			return acc, false, &control.Error{Kind: control.KindRefused, Message: p.Step.Message}
		default:
			return acc, false, &control.Error{Kind: control.KindState, Message: fmt.Sprintf("another sign-in is under way, at the step %q: finish it, or end it with `manager account login %s --cancel`", p.Step.Kind, b.Name)}
		}
	}
}

// once makes one call when nobody has to wait.
func (r *addBots) once(ctx context.Context, call func(context.Context) error) error {
	r.mu.Lock()
	until := r.until
	r.mu.Unlock()
	if err := sleep(ctx, time.Until(until)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return call(ctx)
}

// hold has everybody wait that long, as the server ordered; of a wait that is longer than is waited for, everybody is left.
func (r *addBots) hold(ctx context.Context, until time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := time.Until(until); left > r.of.wait {
		err := &control.Error{Kind: control.KindWait, Until: until, Message: "the server ordered to wait: run the command again then, and it goes on with those that are left"}
		r.stop(err)
		return err
	}
	if until.After(r.until) {
		r.until = until
		r.printf("manager: the server ordered to wait until %s, and then it goes on; Ctrl-C leaves it, and the same command goes on later\n", clock(until))
	}
	return ctx.Err()
}

// onlyShow tells what would be done, and does nothing.
func (r *addBots) onlyShow(ctx context.Context, bots []botlist.Bot) error {
	list, err := control.List.Call(ctx, r.service, control.ListRequest{})
	if err != nil {
		return err
	}
	known := map[string]control.Account{}
	for _, acc := range list.Accounts {
		known[acc.ID] = acc
	}
	for _, b := range bots {
		acc, is := known[b.Name]
		verb := "add and sign in"
		switch {
		case acc.SignedIn:
			verb = "leave"
		case is:
			verb = "sign in"
		}
		if r.f.json {
			err = r.printJSON(struct {
				DryRun string `json:"dry_run"`
				Line   int    `json:"line"`
				ID     string `json:"id"`
			}{verb, b.Line, b.Name})
		} else {
			err = r.sayf("Would %s %s.", verb, b.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
