// A sign-in: the next step takes the focus, and is told to who listens.
'use strict';

function told() {
  const says = document.getElementById('step-says');
  if (says) announce(says.textContent);
}

document.addEventListener('replaced', e => {
  if (e.target.id !== 'step') return;
  const field = e.target.querySelector('form[data-answer] input:not([type=hidden])');
  if (field && !field.closest('details')) field.focus();
  told();
});
told();
