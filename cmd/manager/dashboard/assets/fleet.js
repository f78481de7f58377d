// The fleet's table: all accounts are here, and the rows that are seen are drawn.
'use strict';

const rowHeight = 40; // as the style sheet has it
const spare = 10; // rows that are drawn beyond what is seen
const rank = new Map(['quarantined', 'duplicated', 'revoked', 'frozen', 'waiting', 'connecting', 'signing-in', 'signing-out', 'online',
  'new', 'paused', 'signed-out', 'exported', 'offline'].map((s, i) => [s, i]));
const kinds = { online: 'ok', connecting: 'busy', 'signing-in': 'busy', 'signing-out': 'busy', waiting: 'wait',
  quarantined: 'bad', duplicated: 'bad', revoked: 'bad', frozen: 'bad' };
const kindOf = state => kinds[state] ?? 'off';

const $ = id => document.getElementById(id);
const grid = $('grid'), body = $('rows');
const acts = $('bulk') !== null; // who may only look selects nothing
const accounts = new Map();
const chosen = new Set();
const drawn = new Map(); // rows by account
let shown = []; // accounts of the filter, in order
let query = new URLSearchParams(location.search);
let state = query.get('state') ?? '';
$('search').value = query.get('q') ?? '';

handlers.rows = t => {
  if (t.all) accounts.clear();
  for (const id of t.gone ?? []) { accounts.delete(id); chosen.delete(id); }
  for (const [id, at, since, until, dc, bot, labels, why, advice] of t.rows) {
    accounts.set(id, { id, state: t.words[at], since, until, dc, bot, labels: t.words[labels], why: t.words[why], advice: t.words[advice] });
  }
  count();
  filter();
  if (!grid.dataset.ready) performance.mark('ready'); // for who measures
  grid.dataset.ready = 'yes';
};

function count() {
  const n = new Map();
  for (const a of accounts.values()) n.set(a.state, (n.get(a.state) ?? 0) + 1);
  if (state && !n.has(state)) n.set(state, 0); // the filter that is set stays
  const order = [...n.keys()].sort((a, b) => rank.get(a) - rank.get(b));
  const buttons = $('counts');
  const had = new Map([...buttons.children].map(b => [b.dataset.state, b]));
  const want = ['', ...order].map(s => {
    const b = had.get(s) ?? Object.assign(document.createElement('button'), { type: 'button' });
    if (!had.has(s)) {
      b.dataset.state = s;
      b.className = kindOf(s);
      b.append(document.createElement('b'), ' ' + s);
    }
    put(b.firstElementChild, String(s ? n.get(s) : accounts.size));
    b.setAttribute('aria-pressed', String(s === state));
    return b;
  });
  if (want.length !== buttons.children.length || want.some((b, i) => b !== buttons.children[i])) buttons.replaceChildren(...want);
  const bar = $('bar');
  while (bar.children.length > order.length) bar.lastChild.remove();
  order.forEach((s, i) => {
    const piece = bar.children[i] ?? bar.appendChild(document.createElement('i'));
    piece.className = kindOf(s);
    piece.style.flexGrow = n.get(s);
  });
  const empty = $('empty');
  if (empty) empty.hidden = accounts.size > 0;
}

const orders = {
  need: (a, b) => rank.get(a.state) - rank.get(b.state) || (a.id < b.id ? -1 : 1),
  name: (a, b) => a.id < b.id ? -1 : 1,
  since: (a, b) => b.since - a.since || (a.id < b.id ? -1 : 1),
  dc: (a, b) => a.dc - b.dc || (a.id < b.id ? -1 : 1),
};

function filter() {
  const q = $('search').value.trim().toLowerCase();
  shown = [];
  for (const a of accounts.values()) {
    if (state && a.state !== state) continue;
    if (q && !(a.id.includes(q) || a.labels.toLowerCase().includes(q) || a.why.toLowerCase().includes(q))) continue;
    shown.push(a);
  }
  shown.sort(orders[$('order').value]);
  put($('shown'), shown.length === accounts.size ? '' : `${shown.length} of ${accounts.size} shown`);
  draw();
  choice();
}

function cell(tr, text, className) {
  const td = tr.appendChild(document.createElement('td'));
  if (className) td.className = className;
  td.textContent = text;
  return td;
}

function make(id) {
  const tr = document.createElement('tr');
  tr.dataset.id = id;
  const first = cell(tr, '');
  if (acts) {
    const box = Object.assign(document.createElement('input'), { type: 'checkbox' });
    box.setAttribute('aria-label', 'Select ' + id);
    first.append(box);
  }
  const name = Object.assign(document.createElement('a'), { href: '/accounts/' + id, textContent: id });
  cell(tr, '').append(name);
  cell(tr, '').append(document.createElement('span'));
  for (let i = 0; i < 4; i++) cell(tr, '');
  return tr;
}

function fill(tr, a, at, now) {
  tr.setAttribute('aria-rowindex', at + 2); // the first is the head
  const on = chosen.has(a.id);
  tr.classList.toggle('chosen', on);
  if (acts) tr.cells[0].firstChild.checked = on;
  const badge = tr.cells[2].firstChild;
  badge.className = 'badge ' + kindOf(a.state);
  put(badge, a.state);
  put(tr.cells[3], a.until * 1000 > now ? 'yet ' + words(a.until - now / 1000) : a.since ? words(now / 1000 - a.since) : '');
  put(tr.cells[4], a.dc ? String(a.dc) : '');
  put(tr.cells[5], a.labels);
  const why = [a.why, a.advice].filter(Boolean).join(' – ');
  put(tr.cells[6], why);
  tr.cells[6].title = why;
}

const above = space(), below = space();
function space() {
  const tr = document.createElement('tr');
  tr.className = 'space';
  tr.setAttribute('aria-hidden', 'true');
  tr.appendChild(document.createElement('td'));
  return tr;
}

function draw() {
  const seen = Math.ceil(grid.clientHeight / rowHeight);
  const first = Math.max(0, Math.min(Math.floor(grid.scrollTop / rowHeight) - spare, shown.length - seen));
  const part = shown.slice(first, first + seen + 2 * spare);
  grid.querySelector('table').setAttribute('aria-rowcount', shown.length + 1);
  above.firstChild.style.height = first * rowHeight + 'px';
  below.firstChild.style.height = Math.max(0, shown.length - first - part.length) * rowHeight + 'px';
  const now = Date.now();
  const want = part.map((a, i) => {
    const tr = drawn.get(a.id) ?? make(a.id);
    fill(tr, a, first + i, now);
    return tr;
  });
  drawn.clear();
  for (const tr of want) drawn.set(tr.dataset.id, tr);
  const all = [above, ...want, below];
  if (all.length === body.children.length && all.every((tr, i) => tr === body.children[i])) return;
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  body.replaceChildren(...all);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

// Select.
function choice() {
  if (!acts) return;
  const n = chosen.size;
  put($('chosen'), n ? n + ' selected' : 'None selected');
  put($('choose-all'), `Select all ${shown.length} shown`);
  $('choose-all').disabled = shown.length === 0;
  $('choose-none').disabled = n === 0;
  for (const b of document.querySelectorAll('[data-act]')) b.disabled = n === 0;
}
function choose(ids, on) {
  for (const id of ids) on ? chosen.add(id) : chosen.delete(id);
  choice();
  draw();
}
body.addEventListener('change', e => choose([e.target.closest('tr').dataset.id], e.target.checked));
$('choose-all')?.addEventListener('click', () => choose(shown.map(a => a.id), true));
$('choose-none')?.addEventListener('click', () => choose([...chosen], false));

// Filter.
function remember() {
  query = new URLSearchParams();
  if (state) query.set('state', state);
  if ($('search').value) query.set('q', $('search').value);
  history.replaceState(null, '', query.size ? '?' + query : location.pathname);
  grid.scrollTop = 0;
  count();
  filter();
}
$('counts').addEventListener('click', e => {
  const b = e.target.closest('button');
  if (!b) return;
  state = b.dataset.state === state ? '' : b.dataset.state;
  remember();
});
$('find').addEventListener('submit', e => e.preventDefault());
$('search').addEventListener('input', remember);
$('order').addEventListener('change', () => { grid.scrollTop = 0; filter(); });
let asked = false;
grid.addEventListener('scroll', () => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
});
new ResizeObserver(draw).observe(grid);
setInterval(draw, 1000); // ages

// By keyboard: arrows go from row to row, in the column where the focus is; / searches.
grid.addEventListener('keydown', e => {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[e.key];
  if (step === undefined || !shown.length) return;
  e.preventDefault();
  const tr = e.target.closest('tr[data-id]');
  const from = tr ? shown.findIndex(a => a.id === tr.dataset.id) : step > 0 && Number.isFinite(step) ? -1 : 0;
  const to = Math.max(0, Math.min(shown.length - 1, from + step));
  const top = to * rowHeight, room = grid.clientHeight - 2 * rowHeight;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top > grid.scrollTop + room) grid.scrollTop = top - room;
  draw();
  const row = drawn.get(shown[to].id);
  (e.target.type === 'checkbox' ? row.cells[0].firstChild : row.cells[1].firstChild).focus({ preventScroll: true });
});
document.addEventListener('keydown', e => {
  if (e.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && !$('act')?.open) {
    e.preventDefault();
    $('search').focus();
  }
});

// Act: what would be touched is shown first.
const names = { pause: 'Pause', resume: 'Resume', rotate: 'Rotate the temp keys of', label: 'Label' };
const most = 50; // in one request
let job = null;

$('bulk')?.addEventListener('click', e => {
  const action = e.target.dataset.act;
  if (!action) return;
  job = { action, ids: [...chosen], plan: null, stop: false };
  $('act-label').hidden = action !== 'label';
  $('label').value = '';
  put($('act-title'), `${names[action]} ${job.ids.length} selected`);
  put($('act-does'), '');
  put($('act-said'), '');
  $('act-list').replaceChildren();
  put($('act-stop'), 'Cancel');
  $('act').showModal();
  action === 'label' ? prepare('Look at what it touches') : look();
});

function prepare(text) {
  put($('act-go'), text);
  $('act-go').hidden = false;
  $('act-go').disabled = false;
}

function list(title, all, limit) {
  if (!all.length) return [];
  const p = document.createElement('p');
  p.append(Object.assign(document.createElement('b'), { textContent: title }));
  const ul = document.createElement('ul');
  for (const t of all.slice(0, limit)) ul.append(Object.assign(document.createElement('li'), { textContent: t.why ? `${t.id} ${t.why}` : `${t.id} (${t.state})` }));
  if (all.length > limit) ul.append(Object.assign(document.createElement('li'), { textContent: `and ${all.length - limit} more` }));
  return [p, ul];
}

async function look() {
  const j = job;
  $('act-go').disabled = true;
  try {
    j.plan = await ask('/fleet/plan', { action: j.action, ids: j.ids, label: $('label').value.trim() });
  } catch (e) {
    put($('act-said'), e.message);
    j.action === 'label' ? prepare('Look at what it touches') : $('act-go').hidden = true;
    return;
  }
  if (j !== job) return;
  const n = j.plan.touch.length;
  put($('act-does'), j.plan.does);
  put($('act-said'), n ? '' : 'It would touch nobody.');
  $('act-list').replaceChildren(...list(`It touches ${n}:`, j.plan.touch, 100), ...list(`It leaves ${j.plan.skip.length} out:`, j.plan.skip, 100));
  $('act-label').hidden = true;
  if (n) prepare(`${names[j.action]} ${n === 1 ? '1 account' : n + ' accounts'}`);
  else $('act-go').hidden = true;
  (n ? $('act-go') : $('act-stop')).focus();
}

async function act() {
  const j = job, ids = j.plan.touch.map(t => t.id), failed = [];
  let done = 0;
  $('act-go').hidden = true;
  put($('act-stop'), 'Stop');
  for (let i = 0; i < ids.length && !j.stop; i += most) {
    put($('act-said'), `${i} of ${ids.length}…`);
    try {
      const got = await ask('/fleet/act', { action: j.action, ids: ids.slice(i, i + most), label: $('label').value.trim() });
      done += got.done;
      failed.push(...got.failed);
    } catch (e) {
      put($('act-said'), `${done} done. ${e.message}`);
      put($('act-stop'), 'Close');
      j.over = true;
      return;
    }
  }
  j.over = true;
  put($('act-said'), `${done} done` + (failed.length ? `, ${failed.length} failed.` : '.') + (j.stop ? ' Stopped.' : ''));
  $('act-list').replaceChildren(...list('It failed for:', failed, 100));
  put($('act-stop'), 'Close');
  $('act-stop').focus();
}

$('act-go')?.addEventListener('click', () => job.plan ? act() : look());
$('act')?.querySelector('form').addEventListener('submit', e => { e.preventDefault(); if (!$('act-go').hidden) $('act-go').click(); });
$('act-stop')?.addEventListener('click', () => {
  if ($('act-stop').textContent === 'Stop') { job.stop = true; return; }
  $('act').close();
});
$('act')?.addEventListener('close', () => { if (job) job.stop = true; job = null; });
