// What all pages have: the stream that keeps them up to date, and times.
'use strict';

const csrf = document.querySelector('meta[name=csrf]')?.content ?? '';
const lost = document.getElementById('lost');

// announce tells who listens to the page what they cannot see.
function announce(text) {
  document.getElementById('announce').textContent = text;
}

// words is a span of seconds.
function words(s) {
  s = Math.max(0, Math.round(s));
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min' + (s < 600 && s % 60 ? ' ' + s % 60 + ' s' : '');
  if (s < 86400) return Math.floor(s / 3600) + ' h' + (s % 3600 >= 60 ? ' ' + Math.floor(s % 3600 / 60) + ' min' : '');
  return Math.floor(s / 86400) + ' d' + (s % 86400 >= 3600 ? ' ' + Math.floor(s % 86400 / 3600) + ' h' : '');
}

function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// times writes how long ago a time was, or how long it is to one.
function times() {
  const now = Date.now();
  for (const el of document.querySelectorAll('time.age')) {
    put(el, words((now - Date.parse(el.dateTime)) / 1000) + ' ago');
  }
  for (const el of document.querySelectorAll('time.until')) {
    const left = (Date.parse(el.dateTime) - now) / 1000;
    put(el, left > 0 ? words(left) + ' left' : 'over');
  }
  for (const el of document.querySelectorAll('button[data-from]')) {
    if (Date.parse(el.dataset.from) <= now) {
      el.disabled = false;
      delete el.dataset.from;
    }
  }
}

// replace shows a part of the page anew, unless that very version is shown.
function replace(p) {
  const el = document.getElementById(p.id);
  if (!el || el.dataset.version === p.version) return;
  const focused = el.contains(document.activeElement) ? document.activeElement : null;
  const open = [...el.querySelectorAll('details')].map(d => d.open);
  const scrolled = [...el.querySelectorAll('.wide')].map(d => d.scrollLeft);
  el.innerHTML = p.html; // made by our templates, which escape
  el.dataset.version = p.version;
  el.querySelectorAll('details').forEach((d, i) => { d.open = open[i] ?? d.open; });
  el.querySelectorAll('.wide').forEach((d, i) => { d.scrollLeft = scrolled[i] ?? 0; });
  times();
  if (focused) {
    const again = focused.id && document.getElementById(focused.id);
    (again || document.getElementById('main')).focus({ preventScroll: true });
  }
  el.dispatchEvent(new CustomEvent('replaced', { bubbles: true }));
}

// live follows the page's stream while it is looked at.
function live(handlers) {
  let source = null;
  let since = null;
  const close = () => { source?.close(); source = null; };
  const say = text => {
    since ??= new Date();
    lost.textContent = text + ' What is shown is of ' + since.toLocaleTimeString() + '.';
    lost.hidden = false;
  };
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(document.body.dataset.live);
    source.onopen = () => { lost.hidden = true; since = null; };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        say('The manager does not let this page follow: load it again to sign in.');
        close();
        setTimeout(open, 5000);
      } else {
        say('The manager does not answer; it is tried again.');
      }
    };
    source.addEventListener('part', e => replace(JSON.parse(e.data)));
    source.addEventListener('failed', e => {
      close();
      say(JSON.parse(e.data));
      setTimeout(open, 5000);
    });
    for (const [name, f] of Object.entries(handlers)) source.addEventListener(name, e => f(JSON.parse(e.data)));
  };
  document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
  window.addEventListener('pagehide', close);
  open();
}

// ask sends JSON to a path, and returns what is answered.
async function ask(path, body) {
  const r = await fetch(path, {
    method: 'POST', body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRF-Token': csrf },
  });
  const got = await r.json();
  if (!r.ok) throw new Error(got.error);
  return got;
}

const handlers = {}; // by other scripts of the page, which come before this one is done
window.addEventListener('DOMContentLoaded', () => {
  times();
  setInterval(times, 1000);
  if (document.body.dataset.live) live(handlers);
});
