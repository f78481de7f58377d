package api

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// user is one person or bot. The directory owns it for the life of the cluster: users are flagged, never removed.
type user struct {
	id         int64
	accessHash int64 // by which it sees itself
	home       int   // home DC
	bot        bool
	phone      string // digits; persons only
	token      string // bots only
	first      string
	last       string
	username   string
	twoStep    twoStep
	passkeys   []*passkey
	deleteAt   time.Time // of an asked for account.deleteAccount without the password; zero without one
	loginEmail string    // that login codes go to; "" without one
	// emailResetAt is when a running auth.resetLoginEmail is done; zero without one.
	emailResetAt time.Time

	authTTLDays int // of account.setAuthorizationTTL; 0 is Config.AuthTTLDays
	reloginDays int // AskForPassword

	banned      bool // by the service: the number and the keys answer so
	deactivated bool // deleted: the number is free again, the keys answer so
	frozen      frozenState

	rows   []*authorization // live: home rows, half rows and guests
	tokens []futureToken    // newest last
	logins []time.Time      // successful sign-ins of the last day, oldest first
	log    updateLog

	dialogs map[int64]*dialog // by the other side
	randoms []int64           // random ids of messages sent, the newest last
	qts     int32             // of a bot
	stops   []stop            // of a bot, oldest first
}

// frozenState is the read-only state of an account; since is zero when it is not frozen, until when it has no end.
type frozenState struct {
	since, until time.Time
	appeal       string
}

func (f frozenState) holds(now time.Time) bool {
	return !f.since.IsZero() && (f.until.IsZero() || now.Before(f.until))
}

// directory finds users. One directory serves all DCs.
type directory struct {
	byID     map[int64]*user
	byPhone  map[string]*user
	order    []*user // in order of creation
	nextID   int64
	nextTail [10]int // next YYYY of the test numbers of each DC
	nextHome int     // round robin of Populate
}

// firstUserID is above 2^31, so that a client that keeps user ids in 32 bits is found out.
const firstUserID = 6_000_000_001

func newDirectory() directory {
	return directory{byID: map[int64]*user{}, byPhone: map[string]*user{}, nextID: firstUserID}
}

// Person describes a person to add to the directory.
type Person struct {
	Phone               string // digits; "" takes the next free test number of the home DC
	HomeDC              int    // 0 takes the DC of a test number, else the next in turn
	FirstName, LastName string // "" are made from the seed
	Password            string // two-step verification: sign-in answers SESSION_PASSWORD_NEEDED; "" is off
}

// Errors of the directory.
var (
	ErrUserUnknown = errors.New("api: no such user")
	ErrPhoneTaken  = errors.New("api: phone number is taken or malformed")
	ErrDCUnknown   = errors.New("api: no such DC")
	ErrEmail       = errors.New("api: no e-mail address")
)

// Populate adds persons with test phone numbers and bots with tokens, spread over the DCs in turn. The same seed and the
// same calls make the same directory.
func (b *Backend) Populate(persons, bots int) error {
	for range persons {
		if _, err := b.AddPerson(Person{}); err != nil {
			return err
		}
	}
	for range bots {
		if _, err := b.AddBot(0); err != nil {
			return err
		}
	}
	return nil
}

// AddPerson adds one person and returns the user id.
func (b *Backend) AddPerson(p Person) (int64, error) {
	phone := normalizePhone(p.Phone)
	home := p.HomeDC
	if home == 0 {
		if dc, ok := testNumberDC(phone); ok && dc <= b.cfg.DCs {
			home = dc
		} else {
			home = b.turn()
		}
	}
	if home < 1 || home > b.cfg.DCs {
		return 0, fmt.Errorf("%w: %d", ErrDCUnknown, home)
	}
	if p.Phone == "" {
		phone = b.freeTestNumber(home)
	}
	if !validPhone(phone) || b.dir.byPhone[phone] != nil {
		return 0, ErrPhoneTaken
	}
	u := b.newUser(home)
	u.phone = phone
	if p.FirstName != "" {
		u.first, u.last = p.FirstName, p.LastName
	}
	b.dir.byPhone[phone] = u
	return u.id, b.SetPassword(u.id, p.Password)
}

// AddBot adds one bot; home 0 takes the next DC in turn. It returns the user id; the token is in Users.
func (b *Backend) AddBot(home int) (int64, error) {
	if home == 0 {
		home = b.turn()
	}
	if home < 1 || home > b.cfg.DCs {
		return 0, fmt.Errorf("%w: %d", ErrDCUnknown, home)
	}
	u := b.newUser(home)
	u.bot = true
	u.last = ""
	u.first = "Bot " + u.first
	u.username = fmt.Sprintf("test%d_bot", u.id)
	b.renewToken(u)
	return u.id, nil
}

// turn is the round robin over the DCs.
func (b *Backend) turn() int {
	b.dir.nextHome++
	return (b.dir.nextHome-1)%b.cfg.DCs + 1
}

// freeTestNumber returns the next unused 99966XYYYY of a DC. After 9999 the tail grows by a digit.
func (b *Backend) freeTestNumber(dc int) string {
	for {
		phone := fmt.Sprintf("99966%d%04d", dc, b.dir.nextTail[dc])
		b.dir.nextTail[dc]++
		if b.dir.byPhone[phone] == nil {
			return phone
		}
	}
}

const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

var (
	firstNames = [...]string{"Ada", "Blaise", "Carl", "Dorothy", "Edsger", "Frances", "Grace", "Hedy", "Ida", "John", "Kathleen", "Leslie", "Mary", "Niklaus", "Ole", "Peter"}
	lastNames  = [...]string{"Aldous", "Brandt", "Castell", "Dorn", "Eklund", "Falk", "Garcia", "Holm", "Ivens", "Jansen", "Keller", "Lindt", "Moreau", "Novak", "Olsen", "Petrov"}
)

func (b *Backend) newUser(home int) *user {
	s := newStream(b.cfg.Seed, "user "+strconv.FormatInt(b.dir.nextID, 10))
	u := &user{
		id:         b.dir.nextID,
		accessHash: int64(s.uint64() | 1),
		home:       home,
		first:      firstNames[s.uint64()%uint64(len(firstNames))],
		last:       lastNames[s.uint64()%uint64(len(lastNames))],
		log:        b.newLog(),
	}
	b.dir.nextID++
	b.dir.byID[u.id] = u
	b.dir.order = append(b.dir.order, u)
	return u
}

// renewToken gives a bot a token of the form "<id>:<35 characters>".
func (b *Backend) renewToken(u *user) {
	s := newStream(b.cfg.Seed, "token "+strconv.FormatInt(u.id, 10)+u.token)
	u.token = strconv.FormatInt(u.id, 10) + ":" + s.text(35, tokenAlphabet)
}

// botID reads the user id in front of a bot token.
func botID(token string) (int64, bool) {
	id, secret, found := strings.Cut(token, ":")
	if !found || secret == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0
}

// normalizePhone strips everything that is not a digit.
func normalizePhone(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// validPhone: E.164 allows 15 digits.
func validPhone(digits string) bool { return len(digits) >= 5 && len(digits) <= 15 }

// Users returns the directory in order of creation, as the descriptor shows it.
func (b *Backend) Users() []User {
	out := make([]User, 0, len(b.dir.order))
	for _, u := range b.dir.order {
		v := User{ID: u.id, HomeDC: u.home, Phone: u.phone, BotToken: u.token, Username: u.username}
		if pass := u.twoStep.pass; pass != nil {
			v.Password, v.PasswordText = true, pass.text
		}
		if !u.bot {
			v.Code = b.digitsFor(u.phone)
		}
		out = append(out, v)
	}
	return out
}

// user finds a user for one of the operator calls below.
func (b *Backend) user(id int64) (*user, error) {
	if u := b.dir.byID[id]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("%w: %d", ErrUserUnknown, id)
}

// Ban ends every authorization of a user with USER_DEACTIVATED_BAN; a banned number gets no code.
func (b *Backend) Ban(now time.Time, userID int64) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	u.banned = true
	b.endAll(now, u, nil, whyBanned)
	return nil
}

// Deactivate ends every authorization of a user with USER_DEACTIVATED, as a deleted account does. The number is free
// for a new sign-up.
func (b *Backend) Deactivate(now time.Time, userID int64) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	u.deactivated = true
	if u.phone != "" && b.dir.byPhone[u.phone] == u {
		delete(b.dir.byPhone, u.phone)
	}
	b.endAll(now, u, nil, whyDeleted)
	return nil
}

// Freeze makes an account read-only from now until until: methods that change something answer FROZEN_METHOD_INVALID and
// help.getAppConfig names the dates and the appeal address.
func (b *Backend) Freeze(now time.Time, userID int64, until time.Time, appealURL string) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	u.frozen = frozenState{since: now, until: until, appeal: appealURL}
	b.pushHome(u, nil, updateShort(now, appendUpdateConfig(nil)))
	return nil
}

// Unfreeze ends Freeze.
func (b *Backend) Unfreeze(now time.Time, userID int64) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	u.frozen = frozenState{}
	b.pushHome(u, nil, updateShort(now, appendUpdateConfig(nil)))
	return nil
}

// RevokeToken replaces a bot's token, as its owner can; the old one answers ACCESS_TOKEN_EXPIRED. Authorizations live on.
func (b *Backend) RevokeToken(userID int64) (token string, err error) {
	u, err := b.user(userID)
	if err != nil {
		return "", err
	}
	if !u.bot {
		return "", fmt.Errorf("%w: %d is not a bot", ErrUserUnknown, userID)
	}
	b.expired[u.token] = true
	b.renewToken(u)
	return u.token, nil
}

// Move changes a user's home DC. Keys of the old home answer USER_MIGRATE_X, except that auth.exportAuthorization still
// works there: importing its bytes on the new home makes that key the home key.
func (b *Backend) Move(userID int64, dc int) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	if dc < 1 || dc > b.cfg.DCs {
		return fmt.Errorf("%w: %d", ErrDCUnknown, dc)
	}
	u.home = dc
	return nil
}
