package tgerr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// An Error is one rpc_error.
type Error struct {
	// Code is the error_code: 303, 400, 401, 403, 404, 406, 420, 500, or
	// something negative for the server's own troubles.
	Code int

	// Type is the name without its number and without embedded data:
	// "FLOOD_WAIT", "PHONE_MIGRATE", "INTERDC_CALL_ERROR",
	// "RECAPTCHA_CHECK". A text that is no name ("Timeout") is its own type.
	Type string

	// Argument is the number cut out of the name, 0 when there was none. A
	// number too big for 31 bits is math.MaxInt32: a wait stays a wait.
	Argument int

	// Message is the text as it came. It may embed a challenge; [Error.Error]
	// never prints it.
	Message string
}

// New parses one rpc_error. Every text is accepted.
func New(code int, message string) *Error {
	typ, arg := split(message)
	return &Error{Code: code, Type: typ, Argument: arg, Message: message}
}

// As returns the *Error in err's tree, if there is one.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok && e != nil
}

// Is reports whether err's tree holds an *Error of one of the types.
func Is(err error, types ...string) bool {
	e, ok := As(err)
	if !ok {
		return false
	}
	for _, t := range types {
		if e.Type == t {
			return true
		}
	}
	return false
}

// Error names the code, the type and the argument. The raw text stays out,
// because a few names embed challenges, and a type that does not look like a
// name is left out too: a server may put anything there.
func (e *Error) Error() string {
	if e == nil {
		return "tgerr: no error"
	}
	if !printable(e.Type) {
		return fmt.Sprintf("tgerr: server answered %d with a text that is no error name", e.Code)
	}
	if e.Argument != 0 {
		return fmt.Sprintf("tgerr: server answered %d %s (%d)", e.Code, e.Type, e.Argument)
	}
	return fmt.Sprintf("tgerr: server answered %d %s", e.Code, e.Type)
}

// GoString is Error, so that %#v does not show the raw text either.
func (e *Error) GoString() string { return e.Error() }

// Wait returns how long the server wants the caller to wait before the same
// query is sent again, and whether the error is such a demand. A wait of zero
// is one second.
func (e *Error) Wait() (time.Duration, bool) {
	if e == nil {
		return 0, false
	}
	unit := time.Second
	switch e.Type {
	case "FLOOD_WAIT", "FLOOD_PREMIUM_WAIT", "FLOOD_TEST_PHONE_WAIT", "SLOWMODE_WAIT",
		"2FA_CONFIRM_WAIT", "TAKEOUT_INIT_DELAY":
	case "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT":
		unit = time.Minute
	default:
		// A wait we have no name for is still a wait. Names without a number
		// (FLOOD_SKIP_FAILED_WAIT) say nothing about time.
		if e.Code != 420 || e.Argument == 0 || !strings.HasSuffix(e.Type, "_WAIT") {
			return 0, false
		}
	}
	n := time.Duration(max(e.Argument, 1))
	return min(n, math.MaxInt64/unit) * unit, true // minutes may not fit
}

// Migrate returns the DC that a *_MIGRATE_X error points to, and whether the
// error is one. Names count here and not codes: FILE_MIGRATE is documented
// with two different ones. The caller checks the DC against its table.
func (e *Error) Migrate() (dc int, ok bool) {
	if e == nil || !strings.HasSuffix(e.Type, "_MIGRATE") || e.Argument <= 0 {
		return 0, false
	}
	return e.Argument, true
}

// embedding lists the names that carry data after them. What follows is not
// part of the type, even when it is made of digits.
var embedding = [...]string{
	"RECAPTCHA_CHECK",
	"INTEGRITY_CHECK_CLASSIC",
	"APNS_VERIFY_CHECK",
	"INPUT_METHOD_INVALID",
	"INPUT_CONSTRUCTOR_INVALID",
}

// split cuts the number out of a name. The last run of digits between
// underscores is the argument, at the end of the name or inside it
// (INTERDC_2_CALL_ERROR); digits that share their segment with letters belong
// to the name (2FA_CONFIRM_WAIT_10, AUTH_TOKEN_INVALID2), but for the one
// unit that is written behind its number (ACTIVE_WAIT_5MIN).
func split(message string) (typ string, arg int) {
	for _, name := range embedding {
		if rest, ok := strings.CutPrefix(message, name); ok && (rest == "" || rest[0] == '_') {
			return name, 0
		}
	}
	for end := len(message); end > 0; {
		start := strings.LastIndexByte(message[:end], '_')
		if start < 0 {
			break
		}
		digits := message[start+1 : end]
		if end == len(message) {
			digits = strings.TrimSuffix(digits, "MIN")
		}
		if n, ok := number(digits); ok {
			return message[:start] + message[end:], n
		}
		end = start
	}
	return message, 0
}

// number reads decimal digits, saturating at 31 bits.
func number(s string) (int, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return math.MaxInt32, true
	}
	return int(n), true
}

// printable reports whether a type may be shown: a name in capitals, or a
// short phrase of letters as in "No workers running". Longest known name: 44.
func printable(typ string) bool {
	const longest = 64
	if typ == "" || len(typ) > longest {
		return false
	}
	digits := 0
	for i := range len(typ) {
		c := typ[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c == ' ':
			digits = 0
		case c >= '0' && c <= '9':
			// No name holds more than three digits in a row (SHA256); five
			// could be a login code.
			if digits++; digits > 4 {
				return false
			}
		default:
			return false
		}
	}
	return true
}
