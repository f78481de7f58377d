package control

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
)

// pathID reads the {id} of a path.
func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, (&problem{Error: "the path wants an id in place of " + r.PathValue("id"), status: http.StatusNotFound}).asError()
	}
	return id, nil
}

// person is a user as GET /users shows it. What a sign-in needs is in the descriptor.
type person struct {
	ID       int64  `json:"id"`
	DC       int    `json:"dc"`
	Bot      bool   `json:"bot,omitempty"`
	Username string `json:"username,omitempty"`
	Phone    string `json:"phone,omitempty"`
}

func (h *handler) users(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err := cmp.Or(err, params(r, "from", "limit")); err != nil {
		return nil, err
	}
	var list []api.User
	err = h.people(func(b *api.Backend, _ time.Time) error { list = b.Users(); return nil })
	out := []person{}
	for _, u := range cut(list, p) {
		out = append(out, person{u.ID, u.HomeDC, u.BotToken != "", u.Username, u.Phone})
	}
	return struct {
		Users []person `json:"users"`
	}{out}, err
}

// messagesPage is messages from an id on. After is that of the next question.
type messagesPage struct {
	After    int32         `json:"after"`
	Messages []api.Message `json:"messages"`
}

// read answers a question after messages, those that fit.
func (h *handler) read(r *http.Request, list func(context.Context, int32) ([]api.Message, error), fits func(api.Message) bool) (any, error) {
	after, err := number(r, "after", 0, 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return nil, err
	}
	ctx, done, err := h.waiting(r)
	if err != nil {
		return nil, err
	}
	defer done()
	out := messagesPage{After: int32(after), Messages: []api.Message{}}
	for {
		got, err := list(ctx, out.After)
		if err != nil {
			return nil, asProblem(err)
		}
		for _, m := range got {
			out.After = m.ID
			if fits(m) {
				if out.Messages = append(out.Messages, m); len(out.Messages) == limit {
					return out, nil
				}
			}
		}
		if len(out.Messages) > 0 || len(got) == 0 || ctx.Err() != nil {
			return out, nil
		}
	}
}

func (h *handler) userMessages(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err := cmp.Or(err, params(r, "peer", "after", "limit", "wait")); err != nil {
		return nil, err
	}
	peer, err := number(r, "peer", 0, 1, 1<<53)
	if err != nil {
		return nil, err
	}
	return h.read(r, func(ctx context.Context, after int32) ([]api.Message, error) {
		return h.cluster.Messages(ctx, id, after)
	},
		func(m api.Message) bool { return peer == 0 || m.Peer == int64(peer) })
}

func (h *handler) posts(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err := cmp.Or(err, params(r, "after", "limit", "wait")); err != nil {
		return nil, err
	}
	return h.read(r, func(ctx context.Context, after int32) ([]api.Message, error) { return h.cluster.Posts(ctx, id, after) },
		func(api.Message) bool { return true })
}

// howRequest is how news of what is done is pushed.
type howRequest struct {
	Form  string `json:"form"`
	Lost  bool   `json:"lost"`
	Twice bool   `json:"twice"`
}

func (q *howRequest) delivery() (api.Delivery, error) {
	form, ok := api.ParseForm(q.Form)
	if !ok {
		return api.Delivery{}, (&problem{Error: "there is no such form", Field: "form", Allowed: api.Forms()}).asError()
	}
	return api.Delivery{Form: form, Lost: q.Lost, Twice: q.Twice}, nil
}

type textRequest struct {
	From int64  `json:"from"`
	Text string `json:"text"`
	howRequest
}

// written runs a script that writes a message.
func (h *handler) written(r *http.Request, needs []string, write func(b *api.Backend, now time.Time, id int64, q textRequest, how api.Delivery) (api.Written, error)) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	var q textRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	how, err := q.delivery()
	if err := cmp.Or(need(given, needs...), err); err != nil {
		return nil, err
	}
	var out api.Written
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		out, err = write(b, now, id, q, how)
		return err
	})
	return out, err
}

func (h *handler) say(r *http.Request) (any, error) {
	return h.written(r, []string{"from", "text"}, func(b *api.Backend, now time.Time, id int64, q textRequest, how api.Delivery) (api.Written, error) {
		return b.Say(now, q.From, id, q.Text, how)
	})
}

func (h *handler) post(r *http.Request) (any, error) {
	return h.written(r, []string{"text"}, func(b *api.Backend, now time.Time, id int64, q textRequest, how api.Delivery) (api.Written, error) {
		return b.Post(now, id, q.From, q.Text, how)
	})
}

func (h *handler) channels(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err := cmp.Or(err, params(r, "from", "limit")); err != nil {
		return nil, err
	}
	var list []api.Channel
	err = h.people(func(b *api.Backend, _ time.Time) error { list = b.Channels(); return nil })
	return struct {
		Channels []api.Channel `json:"channels"`
	}{cut(list, p)}, err
}

type channelRequest struct {
	Title     string  `json:"title"`
	Username  string  `json:"username"`
	Broadcast bool    `json:"broadcast"`
	Creator   int64   `json:"creator"`
	Members   []int64 `json:"members"`
}

// idAnswer names what was made.
type idAnswer struct {
	ID int64 `json:"id"`
}

func (h *handler) addChannel(r *http.Request) (any, error) {
	var q channelRequest
	given, err := decode(r, &q)
	if err := cmp.Or(err, need(given, "title", "creator")); err != nil {
		return nil, err
	}
	var out idAnswer
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		out.ID, err = b.AddChannel(now, api.NewChannel(q))
		return err
	})
	return out, err
}

type memberRequest struct {
	UserID int64 `json:"user_id"`
}

func (h *handler) join(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	var q memberRequest
	given, err := decode(r, &q)
	if err := cmp.Or(err, need(given, "user_id")); err != nil {
		return nil, err
	}
	return done{true}, h.people(func(b *api.Backend, now time.Time) error { return b.Join(now, id, q.UserID) })
}

func (h *handler) leave(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err := cmp.Or(err, params(r, "user_id")); err != nil {
		return nil, err
	}
	user, err := number(r, "user_id", 0, 1, 1<<53)
	if err := cmp.Or(err, given(r, "user_id")); err != nil {
		return nil, err
	}
	return done{true}, h.people(func(b *api.Backend, now time.Time) error { return b.Leave(now, id, int64(user)) })
}

// given refuses a request without a parameter.
func given(r *http.Request, name string) error {
	if !r.URL.Query().Has(name) {
		return bad(name, "%s is missing", name)
	}
	return nil
}

type editRequest struct {
	Message int32  `json:"message"`
	Text    string `json:"text"`
	howRequest
}

func (h *handler) editPost(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	var q editRequest
	given, err := decode(r, &q)
	if err != nil {
		return nil, err
	}
	how, err := q.delivery()
	if err := cmp.Or(need(given, "message", "text"), err); err != nil {
		return nil, err
	}
	var out pushAnswer
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		out.Pts, err = b.EditPost(now, id, q.Message, q.Text, how)
		return err
	})
	return out, err
}

func (h *handler) deletePosts(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err := cmp.Or(err, params(r, "message", "form", "lost", "twice"), given(r, "message")); err != nil {
		return nil, err
	}
	lost, err := flag(r, "lost")
	if err != nil {
		return nil, err
	}
	twice, err := flag(r, "twice")
	if err != nil {
		return nil, err
	}
	how, err := (&howRequest{r.URL.Query().Get("form"), lost, twice}).delivery()
	if err != nil {
		return nil, err
	}
	var ids []int32
	for _, text := range r.URL.Query()["message"] {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, bad("message", "message is the id of one")
		}
		ids = append(ids, int32(n))
	}
	slices.Sort(ids)
	var out pushAnswer
	err = h.people(func(b *api.Backend, now time.Time) (err error) {
		out.Pts, err = b.DeletePosts(now, id, how, ids...)
		return err
	})
	return out, err
}
