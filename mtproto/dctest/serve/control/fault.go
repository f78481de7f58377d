package control

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// Kinds of faults beside those of dctest: what befalls people and DCs as a whole.
const (
	faultError     = "error"
	faultMigrate   = "migrate"
	faultFreeze    = "freeze"
	faultUnfreeze  = "unfreeze"
	faultBan       = "ban"
	faultDelete    = "delete_account"
	faultToken     = "renew_token"
	faultDuplicate = "duplicate_use"
	faultStop      = "stop_dc"
	faultStart     = "start_dc"
)

// FaultKind is one kind of fault and the fields it reads.
type FaultKind struct {
	Kind   string   `json:"kind"`
	About  string   `json:"about"`
	Needs  []string `json:"needs"`  // fields that must be there
	Fields []string `json:"fields"` // and that may be
}

// FaultKinds lists every kind, as GET /fault does. That each of dctest's is there is a test.
func FaultKinds() []FaultKind {
	kind := func(k dctest.FaultKind, about string, needs string, fields string) FaultKind {
		return FaultKind{string(k), about, append([]string{}, strings.Fields(needs)...), append([]string{}, strings.Fields(fields)...)}
	}
	const where = "dc perm conn "
	return []FaultKind{
		kind(faultError, "the next calls of a method answer an error of the public list, or one with its code as in \"406 ANYTHING\"; of one user or phone where it names one", "method error", "count for dc perm user_id phone"),
		kind(dctest.FaultDrop, "packets are lost", "", where+"direction count every for"),
		kind(dctest.FaultDelay, "packets are held for delay, in their order", "delay", where+"direction count for"),
		kind(dctest.FaultStall, "every packet is held until for has passed", "for", where+"direction"),
		kind(dctest.FaultPause, "the DC does not read for a while, so that writes back up", "for", where),
		kind(dctest.FaultCut, "the first bytes of a frame are sent, then the connection is closed", "bytes", where+"count"),
		kind(dctest.FaultDuplicate, "packets are delivered twice", "", where+"direction count every for"),
		kind(dctest.FaultReorder, "a packet is delivered after the next one", "", where+"direction count every for"),
		kind(dctest.FaultCloseConns, "connections are closed now", "", where),
		kind(dctest.FaultRefuse, "new connections are closed at once", "", "dc count for"),
		kind(dctest.FaultTransport, "the next packets are answered with a transport error such as -404 or -429", "code", where+"count for"),
		kind(dctest.FaultTransportConn, "the first packet of the next connections is answered with a transport error", "code", "dc count for"),
		kind(dctest.FaultForgetTemp, "temp keys are forgotten, or with media those made for media alone", "", "dc perm media"),
		kind(dctest.FaultForgetPerm, "a perm key is forgotten, with its temp keys and its authorization", "perm", "dc"),
		kind(dctest.FaultForgetSessions, "sessions are forgotten, keys are not", "", "dc perm"),
		kind(dctest.FaultNewSalts, "salts are replaced, the old ones refused", "", "dc perm"),
		kind(dctest.FaultSkew, "the DC's clock is ahead by delay, or behind; 0s sets it right", "delay", "dc"),
		kind(dctest.FaultRestart, "connections are closed, sessions and temp keys forgotten", "", "dc keep_temp_keys"),
		kind(dctest.FaultRPC, "the next calls of a method, or of any, answer code and text; or FLOOD_WAIT for wait", "", where+"method code text wait count for"),
		kind(dctest.FaultBindInvalid, "the next binds answer ENCRYPTED_MESSAGE_INVALID", "", where+"count for"),
		kind(dctest.FaultBindSalt, "the next binds answer bad_server_salt", "", where+"count for"),
		kind(dctest.FaultBadMsg, "the next packets answer bad_msg_notification", "code", where+"count for"),
		kind(dctest.FaultDHRetry, "the next key creations answer dh_gen_retry", "", "dc conn count for"),
		kind(dctest.FaultNoReply, "the next calls are executed and their answers lost", "", where+"method count for"),
		kind(dctest.FaultSlow, "the answers of the next calls are held for delay", "delay", where+"method count for"),
		kind(dctest.FaultPushLost, "what the DC pushes of its own initiative is lost: only a difference brings it", "", where+"count every for"),
		kind(dctest.FaultPushTwice, "it is pushed twice", "", where+"count every for"),
		kind(dctest.FaultPushReorder, "it is pushed after the next push", "", where+"count every for"),
		kind(faultMigrate, "a user's home is another DC from now on", "user_id dc", ""),
		kind(faultFreeze, "a user is frozen for a while: what changes something answers FROZEN_METHOD_INVALID", "user_id for", "url"),
		kind(faultUnfreeze, "and is not any more", "user_id", ""),
		kind(faultBan, "a user is banned for good: USER_DEACTIVATED_BAN", "user_id", ""),
		kind(faultDelete, "a user's account is deleted: USER_DEACTIVATED", "user_id", ""),
		kind(faultToken, "a bot's token is replaced; the answer has the new one", "user_id", ""),
		kind(faultDuplicate, "the next query on a home key answers AUTH_KEY_DUPLICATED and ends its authorization", "dc perm", ""),
		kind(faultStop, "a DC closes its ports and connections and forgets its temp keys", "dc", "keep_temp_keys"),
		kind(faultStart, "and opens them again", "dc", ""),
	}
}

func (h *handler) faults(r *http.Request) (any, error) {
	return struct {
		Waiting []dctest.WaitingFault `json:"waiting"`
		Kinds   []FaultKind           `json:"kinds"`
	}{append([]dctest.WaitingFault{}, h.cluster.WaitingFaults()...), FaultKinds()}, params(r)
}

// faultRequest is a fault of dctest with the fields of the other kinds.
type faultRequest struct {
	dctest.Fault
	Error  string `json:"error"`
	UserID int64  `json:"user_id"`
	Phone  string `json:"phone"`
	URL    string `json:"url"`
}

// faultAnswer says whether a fault has happened or waits for its candidates.
type faultAnswer struct {
	State string `json:"state"`           // happened, waits
	ID    uint64 `json:"id,omitempty"`    // for DELETE /fault?id=; an error of one user or phone has none
	Token string `json:"token,omitempty"` // of renew_token
}

func (h *handler) fault(r *http.Request) (any, error) {
	var q faultRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	if q.Kind == "" && q.Error != "" {
		q.Kind, given = faultError, append(given, "kind")
	}
	if err := checkKind(string(q.Kind), given); err != nil {
		return nil, err
	}
	if q.Method != "" {
		if err := h.knows(q.Method); err != nil {
			return nil, err
		}
	}
	switch q.Kind {
	case faultError:
		return h.faultError(&q)
	case faultStop:
		return faultAnswer{State: "happened"}, asProblem(h.cluster.StopDC(q.DC, q.KeepTempKeys))
	case faultStart:
		return faultAnswer{State: "happened"}, asProblem(h.cluster.StartDC(q.DC))
	case faultMigrate, faultFreeze, faultUnfreeze, faultBan, faultDelete, faultToken, faultDuplicate:
		return h.befall(&q)
	}
	return h.inject(q.Fault)
}

// checkKind refuses a kind there is not, fields it does not read, and its absence of those it needs.
func checkKind(name string, given []string) error {
	kinds := FaultKinds()
	i := slices.IndexFunc(kinds, func(k FaultKind) bool { return k.Kind == name })
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.Kind
		}
		return (&problem{Error: "kind is missing, or there is no such kind", Field: "kind", Allowed: names}).asError()
	}
	k := kinds[i]
	for _, f := range given {
		if f != "kind" && !slices.Contains(k.Needs, f) && !slices.Contains(k.Fields, f) {
			return (&problem{Error: k.Kind + " does not read " + f, Field: f, Allowed: slices.Concat(k.Needs, k.Fields)}).asError()
		}
	}
	return need(given, k.Needs...)
}

// knows refuses the name of a method that no DC answers: a fault of it would wait for ever.
func (h *handler) knows(method string) error {
	list, err := h.served()
	if err != nil || method == "testdc.echo" || slices.ContainsFunc(list, func(m api.ServedMethod) bool { return m.Name == method }) {
		return err
	}
	return bad("method", "no method %s is answered; GET /methods lists them", method)
}

// inject hands a fault to the core.
func (h *handler) inject(f dctest.Fault) (any, error) {
	id, err := h.cluster.Fault(f)
	if err != nil {
		return nil, asProblem(err)
	}
	if id == 0 {
		return faultAnswer{State: "happened"}, nil
	}
	return faultAnswer{State: "waits", ID: id}, nil
}

// faultError makes the next calls of a method fail; of one user or number by the API half, which knows whom a sign-in call
// is about.
func (h *handler) faultError(q *faultRequest) (any, error) {
	f, err := dctest.ErrorFault(q.Method, q.Error)
	if err != nil {
		return nil, asProblem(err)
	}
	if q.UserID == 0 && q.Phone == "" {
		f.DC, f.Perm, f.Count, f.For = q.DC, q.Perm, max(q.Count, 1), q.For
		if q.Count == 0 && q.For > 0 {
			f.Count = 0 // all of them, while it lasts
		}
		return h.inject(f)
	}
	if q.DC != 0 || q.Perm != 0 || q.For != 0 {
		return nil, bad("user_id", "an error of one user or phone takes count, and neither dc, perm nor for")
	}
	var refused error
	err = h.cluster.API(func(b *api.Backend, _ time.Time) {
		refused = b.Inject(api.Fault{
			Method: q.Method, UserID: q.UserID, Phone: q.Phone, Err: &api.Error{Code: f.Code, Text: f.Text}, Count: max(q.Count, 1),
		})
	})
	return faultAnswer{State: "waits"}, asProblem(errors.Join(err, refused))
}

// befall does what happens to a person, a bot or a key.
func (h *handler) befall(q *faultRequest) (any, error) {
	out := faultAnswer{State: "happened"}
	var refused error
	err := h.cluster.API(func(b *api.Backend, now time.Time) {
		switch q.Kind {
		case faultMigrate:
			refused = b.Move(q.UserID, q.DC)
		case faultFreeze:
			refused = b.Freeze(now, q.UserID, now.Add(time.Duration(q.For)), q.URL)
		case faultUnfreeze:
			refused = b.Unfreeze(now, q.UserID)
		case faultBan:
			refused = b.Ban(now, q.UserID)
		case faultDelete:
			refused = b.Deactivate(now, q.UserID)
		case faultToken:
			out.Token, refused = b.RevokeToken(q.UserID)
		case faultDuplicate:
			if refused = b.InjectDuplicate(q.DC, q.Perm); refused != nil {
				refused = bad("perm", "nobody's home key is %d at DC %d; GET /ledger?list=authorizations lists them", q.Perm, q.DC)
			} else {
				out.State = "waits"
			}
		}
	})
	return out, asProblem(errors.Join(err, refused))
}

// cleared is the answer of DELETE /fault.
type cleared struct {
	State string `json:"state"`
}

func (h *handler) clearFaults(r *http.Request) (any, error) {
	if err := params(r, "id"); err != nil {
		return nil, err
	}
	var ids []uint64
	for _, text := range r.URL.Query()["id"] {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, bad("id", "%q is no id of a fault", text)
		}
		ids = append(ids, id)
	}
	if err := h.cluster.ClearFaults(ids...); err != nil {
		return nil, err
	}
	if ids == nil {
		return cleared{"cleared"}, h.cluster.API(func(b *api.Backend, _ time.Time) { b.ClearFaults() })
	}
	return cleared{"cleared"}, nil
}

// asProblem names the field at which an error of the cluster is.
func asProblem(err error) error {
	var fault *dctest.FaultError
	var text *api.FaultTextError
	var config *api.ConfigError
	var refused *api.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*problemError)):
		return err
	case errors.As(err, &fault):
		return (&problem{Error: fault.Reason, Field: fieldIn(fault.Reason)}).asError()
	case errors.As(err, &text):
		return bad("error", "%q is no documented error; write its code before it, as in \"400 NAME\"", text.Text)
	case errors.As(err, &config):
		return bad("chain", "chain %s", config.Why)
	case errors.Is(err, api.ErrUserUnknown):
		return bad("user_id", "%s; GET /descriptor lists them", strings.TrimPrefix(err.Error(), "api: "))
	case errors.Is(err, api.ErrChannelUnknown):
		return (&problem{Error: strings.TrimPrefix(err.Error(), "api: ") + "; GET /channels lists them", status: http.StatusNotFound}).asError()
	case errors.Is(err, api.ErrChannelName):
		return bad("username", "%s", strings.TrimPrefix(err.Error(), "api: "))
	case errors.Is(err, api.ErrTooManyIDs):
		return bad("message", "%s", strings.TrimPrefix(err.Error(), "api: "))
	case errors.Is(err, api.ErrChannelFull):
		return (&problem{Error: strings.TrimPrefix(err.Error(), "api: "), status: http.StatusServiceUnavailable}).asError()
	case errors.As(err, &refused):
		return (&problem{Error: refused.Text, status: http.StatusConflict}).asError()
	case errors.Is(err, api.ErrEmail):
		return bad("email", "email is no address")
	case errors.Is(err, api.ErrDCUnknown), errors.Is(err, serve.ErrNoDC):
		return bad("dc", "there is no such DC; GET /descriptor lists them")
	case errors.Is(err, api.ErrTooManyFaults):
		return (&problem{Error: "10000 faults wait already; DELETE /fault ends them", status: http.StatusServiceUnavailable}).asError()
	}
	return err
}

// fieldIn finds the field that a reason is about: its first word that is one.
func fieldIn(reason string) string {
	for word := range strings.FieldsSeq(strings.ToLower(reason)) {
		switch word = strings.Trim(word, ","); word {
		case "dc", "perm", "count", "every", "for", "bytes", "wait", "direction", "delay", "code", "text":
			return word
		}
	}
	return ""
}
