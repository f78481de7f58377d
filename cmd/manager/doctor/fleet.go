package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/actors"
)

// Account is what is known of one account.
type Account struct {
	ID       string
	UserID   int64 // 0: not known
	SignedIn bool
	State    string // as of an actors.State
}

// CheckAccounts tells which users there are twice, and which accounts ended or were
// taken out of service.
func CheckAccounts(all []Account) []Finding {
	found := twice(all)
	for _, s := range []struct {
		state actors.State
		level Level
		why   string
		mend  string // %s is an account
	}{
		{actors.Duplicated, Error, "the server saw their keys in two places: a copy of the store runs, or somebody has the keys; find the other one before they sign in again", "manager account timeline %s"},
		{actors.Quarantined, Warning, "they are out of service until somebody has looked at the reason", "manager account show %s"},
		{actors.Revoked, Warning, "the server ended their authorizations, and keeps the way back open for seven days", "manager account login %s"},
	} {
		var ids []string
		for _, a := range all {
			if a.State == s.state.String() {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) > 0 {
			found = append(found, Finding{Check: "accounts", Level: s.level, What: fmt.Sprintf("%s %v: %s", counted(len(ids), "account"), s.state, some(ids)),
				Why: s.why, Mend: fmt.Sprintf(s.mend, ids[0])})
		}
	}
	if len(found) == 0 {
		return []Finding{ok("accounts", "%s: none there twice, revoked, duplicated or quarantined", counted(len(all), "account"))}
	}
	return found
}

// twice finds the users that several accounts are signed in as.
func twice(all []Account) (found []Finding) {
	users := map[int64][]string{}
	for _, a := range all {
		if a.SignedIn && a.UserID != 0 {
			users[a.UserID] = append(users[a.UserID], a.ID)
		}
	}
	for _, ids := range users {
		if len(ids) < 2 {
			continue
		}
		slices.Sort(ids)
		last := ids[len(ids)-1]
		found = append(found, Finding{Check: "accounts", Level: Error, What: fmt.Sprintf("%s are one user", strings.Join(ids, " and ")),
			Why:  "two accounts of one user get each other's updates twice, and the server may end both",
			Mend: fmt.Sprintf("manager account logout %s && manager account remove %s", last, last)})
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.What, b.What) })
	return found
}

// some are the first few of many.
func some(ids []string) string {
	const most = 5
	if len(ids) <= most {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:most], ", "), len(ids)-most)
}
