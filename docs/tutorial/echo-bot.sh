#!/usr/bin/env bash
# A bot that says back what it is told, with curl and jq: it speaks to the
# manager's control socket and to nothing else.
#
#   echo-bot.sh ACCOUNT SOCKET
set -euo pipefail
account=$1 socket=$2

# ask SERVICE/METHOD reads a request from standard input and prints the answer.
ask() {
  curl -sS -N --unix-socket "$socket" --json @- "http://manager/mtfleet.v1.$1"
}

# answer turns an event into a call that answers it, or into nothing.
answer='
  select(.kind == "EVENT_KIND_UPDATE" and .update._ == "updateNewMessage")
  | .account as $account | .update.message as $m
  | select($m.out | not) | select($m.peer_id._ == "peerUser" and $m.message != "")
  | {
      id: $account, method: "messages.sendMessage",
      params: {
        peer: {_: "inputPeerUser", user_id: $m.peer_id.user_id, access_hash: "0"},
        message: $m.message,
        random_id: "\($m.id)\($m.date % 1000000000)"
      }
    }'

jq -nc --arg account "$account" '{name: "echo-bot", filter: {accounts: [$account], kinds: ["EVENT_KIND_UPDATE"]}}' |
  ask UpdateService/Consume | jq --unbuffered -c '.event // empty' |
  while IFS= read -r event; do
    call=$(jq -c "$answer" <<<"$event")
    if [ -n "$call" ]; then
      ask AccountService/Call <<<"$call" | jq -c '{sent: .result._, error: .message}'
    fi
    # What was acknowledged is not told again; what was not is, even if the bot or
    # the manager was killed meanwhile.
    jq -c '{name: "echo-bot", cursor: .cursor}' <<<"$event" | ask UpdateService/Ack >/dev/null
  done
