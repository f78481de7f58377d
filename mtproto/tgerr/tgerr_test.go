package tgerr

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		name, message, typ string
		arg                int
	}{
		{"a number at the end is the argument", "FLOOD_WAIT_30", "FLOOD_WAIT", 30},
		{"a digit at the start belongs to the name", "2FA_CONFIRM_WAIT_604800", "2FA_CONFIRM_WAIT", 604800},
		{"a number in the middle is the argument", "INTERDC_2_CALL_ERROR", "INTERDC_CALL_ERROR", 2},
		{"a longer name with a number in the middle", "INTERDC_3_CALL_RICH_ERROR", "INTERDC_CALL_RICH_ERROR", 3},
		{"the last number wins", "FILE_PART_7_MISSING_9", "FILE_PART_7_MISSING", 9},
		{"a restart may be numbered", "AUTH_RESTART_12", "AUTH_RESTART", 12},
		{"and may not", "AUTH_RESTART", "AUTH_RESTART", 0},
		{"digits glued to letters stay", "AUTH_TOKEN_INVALID2", "AUTH_TOKEN_INVALID2", 0},
		{"minutes are written behind their number", "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_5MIN", "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT", 5},
		{"a checksum's digits stay", "SHA256_HASH_INVALID", "SHA256_HASH_INVALID", 0},
		{"a challenge's data is no argument", "RECAPTCHA_CHECK_signup__6Lc_77", "RECAPTCHA_CHECK", 0},
		{"not even when it is a number", "APNS_VERIFY_CHECK_123456", "APNS_VERIFY_CHECK", 0},
		{"a bad method's number is no argument", "INPUT_METHOD_INVALID_1234_5678", "INPUT_METHOD_INVALID", 0},
		{"a name that only begins like one is whole", "RECAPTCHA_CHECKED", "RECAPTCHA_CHECKED", 0},
		{"a text is its own type", "No workers running", "No workers running", 0},
		{"nothing is nothing", "", "", 0},
		{"underscores alone are no numbers", "___", "___", 0},
		{"a huge number saturates", "FLOOD_WAIT_99999999999999999999", "FLOOD_WAIT", math.MaxInt32},
		{"a number alone is no argument", "12345", "12345", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New(400, tt.message)
			if e.Type != tt.typ || e.Argument != tt.arg || e.Message != tt.message {
				t.Errorf("New(%q) = %q, %d; want %q, %d", tt.message, e.Type, e.Argument, tt.typ, tt.arg)
			}
		})
	}
}

// documented is the list of every name of the API with its code.
func documented(t testing.TB) map[string]int {
	data, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Codes map[string]int
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Codes) < 500 {
		t.Fatalf("the list holds only %d names", len(list.Codes))
	}
	return list.Codes
}

func TestEveryDocumentedName(t *testing.T) {
	for name, code := range documented(t) {
		pattern := strings.Contains(name, "%d")
		e := New(code, strings.ReplaceAll(name, "%d", "42"))
		want := strings.TrimSuffix(strings.ReplaceAll(name, "_%d", ""), "MIN")
		arg := 42
		switch {
		case name == "FILE_PART_0_MISSING":
			want, arg = "FILE_PART_MISSING", 0
		case !pattern:
			want, arg = name, 0
		}
		if e.Type != want || e.Argument != arg {
			t.Errorf("%s: type %q, argument %d; want %q, %d", name, e.Type, e.Argument, want, arg)
		}
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%s: Error() = %q does not name it", name, e.Error())
		}
		if _, ok := e.Wait(); code == 420 && pattern != ok {
			t.Errorf("%s: a wait? %v", name, ok)
		}
		if dc, ok := e.Migrate(); strings.Contains(name, "_MIGRATE_%d") != ok || ok && dc != 42 {
			t.Errorf("%s: Migrate() = %d, %v", name, dc, ok)
		}
		if c := e.Class(); c == ClassRetry && code >= 400 && code < 500 && !strings.HasPrefix(name, "MSG_WAIT") {
			t.Errorf("%s (%d) would be retried", name, code)
		}
		if c := e.Class(); (code < 0 || code >= 500) && c != ClassRetry {
			t.Errorf("%s (%d) is the server's trouble, class %s", name, code, c)
		}
	}
}

func TestClass(t *testing.T) {
	for _, tt := range []struct {
		code    int
		message string
		want    Class
	}{
		{303, "PHONE_MIGRATE_4", ClassMigrate},
		{400, "FILE_MIGRATE_4", ClassMigrate},
		{303, "PHONE_MIGRATE", ClassBadRequest},
		{400, "PHONE_CODE_INVALID", ClassBadRequest},
		{400, "API_ID_INVALID", ClassConfig},
		{406, "UPDATE_APP_TO_LOGIN", ClassConfig},
		{400, "CONNECTION_NOT_INITED", ClassInit},
		{400, "MSG_WAIT_FAILED", ClassRetry},
		{400, "PEER_FLOOD", ClassFlood},
		{401, "AUTH_KEY_UNREGISTERED", ClassRevoked},
		{401, "SOMETHING_NEW", ClassRevoked},
		{401, "AUTH_KEY_PERM_EMPTY", ClassUnbound},
		{401, "SESSION_PASSWORD_NEEDED", ClassPassword},
		{401, "USER_DEACTIVATED_BAN", ClassDeactivated},
		{403, "CHAT_WRITE_FORBIDDEN", ClassForbidden},
		{403, "RECAPTCHA_CHECK_signup__key", ClassChallenge},
		{404, "METHOD_INVALID", ClassBadRequest},
		{406, "AUTH_KEY_DUPLICATED", ClassDuplicated},
		{406, "PHONE_NUMBER_INVALID", ClassForbidden},
		{420, "FLOOD_WAIT_30", ClassWait},
		{420, "FLOOD_WAIT_0", ClassWait},
		{420, "SOMETHING_NEW_WAIT_3", ClassWait},
		{420, "FLOOD_SKIP_FAILED_WAIT", ClassFlood},
		{420, "PREMIUM_SUB_ACTIVE_UNTIL_1893456000", ClassFlood},
		{420, "FROZEN_METHOD_INVALID", ClassFrozen},
		{500, "AUTH_RESTART", ClassRetry},
		{-503, "Timeout", ClassRetry},
		{777, "WHAT_IS_THIS", ClassRetry},
	} {
		if got := New(tt.code, tt.message).Class(); got != tt.want {
			t.Errorf("%d %s: class %s, want %s", tt.code, tt.message, got, tt.want)
		}
	}
}

func TestWait(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    time.Duration
	}{
		{"FLOOD_WAIT_30", 30 * time.Second},
		{"FLOOD_WAIT_0", time.Second},
		{"SLOWMODE_WAIT_7", 7 * time.Second},
		{"PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_5MIN", 5 * time.Minute},
		{"FLOOD_WAIT_99999999999", math.MaxInt32 * time.Second},
		{"PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_99999999999MIN", math.MaxInt64 / time.Minute * time.Minute},
	} {
		if got, ok := New(420, tt.message).Wait(); !ok || got != tt.want {
			t.Errorf("%s: wait %v, %v; want %v", tt.message, got, ok, tt.want)
		}
	}
	if d, ok := New(400, "PASSWORD_TOO_FRESH_86400").Wait(); ok {
		t.Errorf("an age limit is taken for a wait of %v", d)
	}
}

func TestErrorTextKeepsSecretsOut(t *testing.T) {
	for _, message := range []string{
		"RECAPTCHA_CHECK_signup__6LcSECRET",
		"INTEGRITY_CHECK_CLASSIC_SECRET",
		"token 1234567:SECRET-SECRET was bad",
		"code SECRET 12345",
		"SECRET\x00\n",
		strings.Repeat("SECRET_", 40),
	} {
		e := New(403, message)
		for _, text := range []string{e.Error(), fmt.Sprintf("%v|%+v|%#v|%s", e, e, e, e), fmt.Errorf("wrapped: %w", e).Error()} {
			if strings.Contains(text, "SECRET") || strings.Contains(text, "12345") {
				t.Errorf("%q shows up in %q", message, text)
			}
		}
	}
}

func TestAsAndIsLookThroughWrapping(t *testing.T) {
	err := fmt.Errorf("sending the code: %w", New(420, "FLOOD_WAIT_3"))
	if e, ok := As(err); !ok || e.Argument != 3 {
		t.Errorf("As = %v, %v", e, ok)
	}
	if !Is(err, "PHONE_CODE_INVALID", "FLOOD_WAIT") || Is(err, "PHONE_CODE_INVALID") || Is(err) {
		t.Error("Is does not match by type")
	}
	if Is(errors.New("FLOOD_WAIT"), "FLOOD_WAIT") || Is(nil, "FLOOD_WAIT") {
		t.Error("Is matches what is no Error")
	}
	var none *Error
	if _, ok := As(none); ok || none.Class() != ClassRetry || none.Error() == "" {
		t.Error("a nil *Error misbehaves")
	}
}

func TestHelpers(t *testing.T) {
	if !New(303, "STATS_MIGRATE_4").IsFileMigrate() || New(303, "USER_MIGRATE_4").IsFileMigrate() {
		t.Error("IsFileMigrate does not tell a request from an account")
	}
	if New(401, "AUTH_KEY_PERM_EMPTY").IsUnauthorized() || !New(406, "AUTH_KEY_DUPLICATED").IsUnauthorized() {
		t.Error("IsUnauthorized is wrong about keys")
	}
	if !New(500, "X").IsRetry() || New(400, "X").IsRetry() {
		t.Error("IsRetry is wrong")
	}
	for c := ClassRetry; c <= ClassBadRequest; c++ {
		if c.String() == "" {
			t.Errorf("class %d has no name", c)
		}
	}
}

// Who repeated a message and is refused is not told to try again.
func TestAdviceOnWhatWasSentAlready(t *testing.T) {
	if a := New(500, "RANDOM_ID_DUPLICATE").Advice(); !strings.Contains(a, "sent already") || strings.Contains(a, "again") {
		t.Error(a)
	}
	var none *Error
	if a := none.Advice(); a != New(500, "X").Advice() {
		t.Error(a)
	}
}

func FuzzNew(f *testing.F) {
	for name, code := range documented(f) {
		f.Add(code, strings.ReplaceAll(name, "%d", "17"))
	}
	f.Fuzz(func(t *testing.T, code int, message string) {
		e := New(code, message)
		if e.Argument < 0 || len(e.Type) > len(message) || e.Message != message {
			t.Errorf("New(%q) = %+v", message, *e)
		}
		if d, ok := e.Wait(); ok && d <= 0 {
			t.Errorf("%q: a wait of %v", message, d)
		}
		_, _ = e.Class(), e.Error()
	})
}
