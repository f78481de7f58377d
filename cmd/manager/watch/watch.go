package watch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// An Act is what a button does.
type Act string

// What can be done to a fleet. All but Kill are about a DC.
const (
	Cut    Act = "cut"    // the DC is down until GiveBack; it keeps its temp keys
	Give   Act = "give"   // and is back
	Forget Act = "forget" // the DC restarts and has lost its temp keys
	Kill   Act = "kill"   // the manager's process ends with SIGKILL
)

// Options are what a page shows and does.
type Options struct {
	// Figures are how things are now. It is asked a few times a second and must not block.
	Figures func() Figures
	// Do carries out what was pressed; dc is 0 where it is about none. Its error is shown.
	Do func(ctx context.Context, act Act, dc int) error
	// Dashboard makes a link that lets a browser in to the dashboard, once.
	Dashboard func(ctx context.Context) (link string, err error)
	// Used is told another link when the last one was used, for the next browser.
	Used func(next string)
}

// Figures are how a fleet is at one moment.
type Figures struct {
	// Process is the manager's, 0 while there is none.
	Process int
	// Accounts are all, Online those that are; while there is no manager nobody is.
	Accounts, Online int
	// Since everybody was signed in: sign-ins, and keys that were made.
	Logins, PermKeys, TempKeys int
	DCs                        []DC
	// Story is what happened, the newest last.
	Story []Line
}

// DC is a DC of the cluster.
type DC struct {
	ID               int
	Accounts, Online int // that are at home there
	Down             bool
}

// Line is something that happened.
type Line struct {
	At   time.Time
	Text string
}

// view is what a page shows, by the ids of its elements: the same for the page as it is
// loaded and for what comes after it.
type view struct {
	Text map[string]string `json:"text"`
	// Kind are classes of the dashboard's style sheet.
	Kind map[string]string `json:"kind"`
	// Off are buttons that would do nothing now.
	Off   map[string]bool `json:"off"`
	Story []storyLine     `json:"story"` // the newest first
	IDs   []int           `json:"-"`     // of the DCs
}

type storyLine struct {
	At   string `json:"at"`
	Text string `json:"text"`
}

func (f Figures) view() view {
	v := view{Text: map[string]string{
		"online":    of(f.Online, f.Accounts),
		"manager":   fmt.Sprintf("process %d", f.Process),
		"logins":    strconv.Itoa(f.Logins),
		"perm-keys": strconv.Itoa(f.PermKeys),
		"temp-keys": strconv.Itoa(f.TempKeys),
	}, Kind: map[string]string{}, Off: map[string]bool{"kill": f.Process == 0}, Story: []storyLine{}}
	v.state("state", f.Process != 0)
	if f.Process == 0 {
		v.Text["manager"] = "it is about to be started again"
		v.Text["online"] = "nobody can tell: there is no manager"
	}
	for _, d := range f.DCs {
		id := strconv.Itoa(d.ID)
		v.IDs = append(v.IDs, d.ID)
		v.state("state-"+id, !d.Down)
		v.Text["online-"+id] = of(d.Online, d.Accounts) + " online"
		if f.Process == 0 {
			v.Text["online-"+id] = "–"
		}
		v.Off["cut-"+id], v.Off["forget-"+id], v.Off["give-"+id] = d.Down, d.Down, !d.Down
	}
	for _, l := range slices.Backward(f.Story) {
		v.Story = append(v.Story, storyLine{l.At.Format(time.TimeOnly), l.Text})
	}
	return v
}

func (v view) state(id string, up bool) {
	v.Text[id], v.Kind[id] = "down", "badge bad"
	if up {
		v.Text[id], v.Kind[id] = "up", "badge ok"
	}
}

func of(n, all int) string { return fmt.Sprintf("%d of %d", n, all) }

// button is one about a DC.
type button struct {
	Act, Label string
	DC         int
	Off        bool
}

func newButton(v view, act string, dc int, label string) button {
	return button{act, label, dc, v.Off[act+"-"+strconv.Itoa(dc)]}
}
