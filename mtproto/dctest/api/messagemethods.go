package api

// messageTable lists the methods of messages, dialogs and channels. Who may call which is that of the methods' pages.
var messageTable = [...]*method{
	content(writing("messages.sendMessage", 0xfef48f62), (*call).sendMessage),
	content(writing("messages.editMessage", 0xb106e66c), (*call).editMessage),
	content(writing("messages.deleteMessages", 0xe58e95d2), (*call).deleteMessages),
	content(writing("messages.setTyping", 0x58943ee2), (*call).setTyping),
	content(reading("messages.getMessages", 0x63c66506), (*call).getMessages),
	content(forPeople("messages.getHistory", 0x4423e6c5), (*call).getHistory),
	content(forPeople("messages.readHistory", 0x0e306d3a), (*call).readHistory),
	content(forPeople("messages.getDialogs", 0xa0f4cb4f), (*call).getDialogs),
	content(forPeople("messages.getPeerDialogs", 0xe470bcfd), (*call).getPeerDialogs),
	content(forPeople("contacts.block", 0x2e2e8734), (*call).block),
	content(forPeople("contacts.unblock", 0xb550d328), (*call).unblock),
	content(reading("contacts.resolveUsername", 0x725afbbc), (*call).resolveUsername),
	content(reading("updates.getChannelDifference", 0x03173d78), (*call).channelDifference),
	content(reading("channels.getChannels", 0x0a7f6bbb), (*call).getChannels),
	content(reading("channels.getFullChannel", 0x08736a09), (*call).getFullChannel),
	content(reading("channels.getMessages", 0xad8c9a23), (*call).channelMessages),
	content(writing("channels.deleteMessages", 0x84c1fd4e), (*call).deletePosts),
	content(writing("channels.leaveChannel", 0xf836aa95), (*call).leaveChannel),
	content(forPeople("channels.readHistory", 0xcc104937), (*call).readPosts),
	content(changing(forPeople("channels.joinChannel", 0x7f6a1e22)), (*call).joinChannel),
	content(changing(forPeople("channels.createChannel", 0x91006707)), (*call).createChannel),
	content(changing(forPeople("channels.inviteToChannel", 0xc9e33d54)), (*call).inviteToChannel),
}

// reading is a method of an account's home that bots may call too; writing is one that a frozen account may not.
func reading(name string, id uint32) method {
	return method{name: name, id: id, needs: needsUser, home: true}
}
func writing(name string, id uint32) method { return changing(reading(name, id)) }

func changing(m method) method {
	m.changes = true
	return m
}
