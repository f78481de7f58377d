// Keeps the page up to date, and sends what is pressed without leaving it.
'use strict';

const lost = document.getElementById('lost');
const said = document.getElementById('said');

function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

let story = '';

function show(now) {
  for (const [id, text] of Object.entries(now.text)) put(document.getElementById(id), text);
  for (const [id, kind] of Object.entries(now.kind)) document.getElementById(id).className = kind;
  const focused = document.activeElement;
  for (const [id, off] of Object.entries(now.off)) document.getElementById(id).disabled = off;
  // Who pressed a button by keyboard goes on from the one that undoes it.
  if (focused?.disabled) focused.closest('.row').querySelector('button:not(:disabled)')?.focus();
  if (story === (story = JSON.stringify(now.story))) return;
  document.getElementById('story').replaceChildren(...now.story.map(line => {
    const row = document.createElement('tr');
    row.insertCell().textContent = line.at;
    row.cells[0].className = 'nowrap';
    row.insertCell().textContent = line.text;
    return row;
  }));
}

const source = new EventSource('/live');
source.onopen = () => { lost.hidden = true; };
source.onmessage = e => show(JSON.parse(e.data));
source.onerror = () => {
  lost.textContent = 'The demo does not answer: it has ended, or it is busy.';
  lost.hidden = false;
};
window.addEventListener('pagehide', () => source.close());

document.addEventListener('submit', async e => {
  e.preventDefault();
  said.hidden = true;
  try {
    const r = await fetch('/act', { method: 'POST', body: new URLSearchParams(new FormData(e.target)), headers: { Accept: 'application/json' } });
    if (!r.ok) throw new Error((await r.json()).error);
  } catch (err) {
    said.textContent = err.message;
    said.hidden = false;
  }
});
