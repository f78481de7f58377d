package api

import (
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// maxGetUsers bounds one users.getUsers.
const maxGetUsers = 200

// getUsers answers users.getUsers: the caller in full, others by id and access hash; who is not found is userEmpty.
func (c *call) getUsers(q *tg.UsersGetUsersRequest) ([]tg.AnyUser, *Error) {
	if len(q.ID) > maxGetUsers {
		return nil, errInputRequestTooLong
	}
	out := make([]tg.AnyUser, 0, len(q.ID))
	for _, in := range q.ID {
		switch in := in.(type) {
		case *tg.InputUserSelf:
			out = append(out, c.user.self())
		case *tg.InputUser:
			out = append(out, c.other(in.UserID, in.AccessHash))
		case *tg.InputUserFromMessage:
			if u := c.b.dir.byID[in.UserID]; u != nil && c.seen(in.Peer.Append(nil), in.MsgID, in.UserID) {
				out = append(out, c.b.stranger(c.user, u))
			} else {
				out = append(out, &tg.UserEmpty{ID: in.UserID})
			}
		}
	}
	return out, nil
}

func (c *call) other(id, accessHash int64) tg.AnyUser {
	if id == serviceUserID {
		return serviceUser()
	}
	u := c.b.dir.byID[id]
	switch {
	case u == nil || !c.knows(u, accessHash):
		return &tg.UserEmpty{ID: id}
	case u == c.user:
		return u.self()
	}
	return c.b.stranger(c.user, u)
}

// inputUser finds the user that an InputUser names; nil when there is none, or the caller may not name it.
func (c *call) inputUser(raw []byte) *user {
	r := tl.NewReader(raw)
	users, err := c.getUsers(&tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{tg.ParseAnyInputUser(r)}})
	if err != nil || len(users) != 1 {
		return nil
	}
	if u, ok := users[0].(*tg.User); ok {
		return c.b.dir.byID[u.ID]
	}
	return nil
}

// self is how an account sees itself.
func (u *user) self() *tg.User {
	v := u.describe()
	v.Self = true
	return v
}

// describe is the user as a contact would see it.
func (u *user) describe() *tg.User {
	v := &tg.User{ID: u.id, AccessHash: tl.Some(u.accessHash), FirstName: tl.Some(u.first)}
	if u.deactivated || u.banned {
		return &tg.User{ID: u.id, AccessHash: tl.Some(u.accessHash), Deleted: true}
	}
	if u.last != "" {
		v.LastName = tl.Some(u.last)
	}
	if u.phone != "" {
		v.Phone = tl.Some(u.phone)
	}
	if u.username != "" {
		v.Username = tl.Some(u.username)
	}
	if u.bot {
		v.Bot = true
		v.BotNochats = true
		v.BotInfoVersion = tl.Some(int32(1))
	}
	return v
}

// serviceUser is the account that login codes come from.
func serviceUser() *tg.User {
	return &tg.User{
		ID: serviceUserID, AccessHash: tl.Some(int64(1)), FirstName: tl.Some("Test service"), Phone: tl.Some("42777"), Verified: true, Support: true,
	}
}
