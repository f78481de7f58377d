package top

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// Options are what [Run] needs.
type Options struct {
	// Dial reaches the manager that runs. It is called again whenever the last service is
	// lost; an error is shown, and dialled again after.
	Dial func(context.Context) (control.Service, error)
	// In and Out are the terminal, Env the environment that describes it.
	In  io.Reader
	Out io.Writer
	Env []string
	// Colours sets states off by colours. QR codes have their own in any case.
	Colours bool

	now func() time.Time // for tests; nil is time.Now
}

// Run shows the fleet until somebody quits, which is no error, or ctx ends, which is
// ctx.Err(). It blocks. The terminal is as it was when it returns. Where no manager
// answers at first, that is the error, and nothing was drawn.
func Run(ctx context.Context, o Options) error {
	if o.now == nil {
		o.now = time.Now
	}
	if err := check(ctx, o.Dial); err != nil {
		return err
	}
	// Bubble Tea would write every key that is pressed into the file that this names: codes
	// and passwords too.
	_ = os.Unsetenv("TEA_TRACE")
	ctx, cancel := context.WithCancel(ctx)
	m := newModel(ctx, o)
	var running sync.WaitGroup
	running.Go(func() { m.feed.run(ctx) })
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Env),
		tea.WithColorProfile(profile(o.Out, o.Env)), tea.WithoutSignalHandler())
	_, err := p.Run()
	ended := ctx.Err() // before we end it
	cancel()
	running.Wait()
	if ended != nil {
		return ended
	}
	return err
}

// check tells at once that no manager runs, before anything is drawn.
func check(ctx context.Context, dial func(context.Context) (control.Service, error)) error {
	s, err := dial(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	about, err := ask(ctx, s, control.Info, control.Empty{})
	if err != nil {
		return err
	}
	return runs(about)
}

// profile is what colours the terminal has. NO_COLOR is not about QR codes, which nobody
// can scan without theirs; all others are ours to leave away.
func profile(out io.Writer, env []string) colorprofile.Profile {
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, "NO_COLOR=") })
	return colorprofile.Detect(out, env)
}

func asError(err error, to **control.Error) bool { return errors.As(err, to) }
