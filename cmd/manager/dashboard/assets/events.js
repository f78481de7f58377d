// Events as they come, the newest first. Hold keeps them from moving while they are read.
'use strict';

const table = document.getElementById('events');
const hold = document.getElementById('hold');
let waiting = [];

function show(t) {
  document.getElementById('none').hidden = true;
  table.insertAdjacentHTML('afterbegin', t.html); // made by our templates, which escape
  while (table.rows.length > t.most) table.lastElementChild.remove();
}

handlers.events = t => {
  if (hold.getAttribute('aria-pressed') === 'false') return show(t);
  waiting.push(t);
  waiting = waiting.slice(-50);
  hold.textContent = 'Go on (more have come)';
};
hold.addEventListener('click', () => {
  const held = hold.getAttribute('aria-pressed') === 'false';
  hold.setAttribute('aria-pressed', String(held));
  hold.textContent = held ? 'Go on' : 'Hold';
  waiting.forEach(show);
  waiting = [];
});
