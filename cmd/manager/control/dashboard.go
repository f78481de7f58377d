package control

import "context"

// Link is the address of a page, to be opened in a browser. It lets its reader in, and prints as nothing of it.
type Link struct {
	Link string `json:"link"`
}

// String hides the link.
func (Link) String() string { return "link to the dashboard" }

// GoString is String.
func (l Link) GoString() string { return l.String() }

var errNoLinks = &Error{Kind: KindState, Message: "there are no links to a dashboard: no manager runs; start one with `manager run --dashboard 127.0.0.1:8070`"}

var errNoDashboard = &Error{Kind: KindState, Message: "there is no dashboard: start the manager with `manager run --dashboard 127.0.0.1:8070`, or set dashboard.listen"}

// DashboardLink carries out [DashboardLink].
func (l *Local) DashboardLink(context.Context, Empty) (Link, error) {
	if l.Dashboard == nil {
		return Link{}, errNoDashboard
	}
	return Link{l.Dashboard()}, nil
}
