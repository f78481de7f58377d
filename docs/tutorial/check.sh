#!/usr/bin/env bash
# Follows the tutorial: a test DC, a manager, the bot; then somebody writes to
# the bot, and it has to answer. It ends with 0 if it did. It needs Go, curl and jq.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
pids=()
end() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT

go build -o "$work/manager" ./cmd/manager
bot=$PWD/docs/tutorial/echo-bot.sh
cd "$work"
port=${PORT:-18090}
DC=http://127.0.0.1:$port
./manager testdc --users 2 --bots 1 --control "127.0.0.1:$port" --descriptor dc.json --write-config dc.yaml >testdc.log 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -s dc.json ] && [ -s dc.yaml ] && break; sleep 0.1; done
socket=$work/control.sock
export MTFLEET_CONFIG=dc.yaml MTFLEET_CONTROL_SOCKET=$socket
jq -r '.bots[0].token' dc.json >token.txt
./manager account login robot --add --bot-token-file token.txt
./manager run >run.log 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -S "$socket" ] && break; sleep 0.1; done
"$bot" robot "$socket" >bot.log 2>&1 &
pids+=($!)
# A consumer is told what comes after it was first there, and what comes before the
# account is online may be handed on before that.
for _ in $(seq 100); do
  ./manager consumers list 2>/dev/null | grep -q echo-bot && ./manager account show robot 2>/dev/null | grep -q online && break
  sleep 0.1
done

robot=$(jq -r '.bots[0].user_id' dc.json) alice=$(jq -r '.phones[0].user_id' dc.json)
# say TEXT FORM writes to the bot and reads its answer to that. Servers push a message
# with the people it is about, or in its short form without them.
say() {
  local said after got
  said=$(curl -sS --fail-with-body "$DC/users/$robot/messages" -d "{\"from\":$alice,\"text\":\"$1\",\"form\":\"$2\"}")
  after=$(jq .id <<<"$said") # what comes after it in their dialog is the answer
  got=$(curl -sS --fail-with-body "$DC/users/$robot/messages?peer=$alice&after=$after&wait=20s" | jq -r '.messages[0] | "\(.from): \(.text)"')
  if [ "$got" != "$robot: $1" ]; then
    echo "the bot did not answer $1: got $got"
    cat bot.log run.log
    exit 1
  fi
  echo "the bot answered: $got"
}
say "hello, robot" full
say "and again" short
