// A sign-in: the next step takes the focus, and a passkey of this browser is asked.
'use strict';

function ready() {
  const button = document.getElementById('passkey');
  if (button && window.PublicKeyCredential?.parseRequestOptionsFromJSON) button.hidden = false;
  const says = document.getElementById('step-says');
  if (says) announce(says.textContent);
}

document.addEventListener('replaced', e => {
  if (e.target.id !== 'step') return;
  const field = e.target.querySelector('form[data-answer] input:not([type=hidden])');
  if (field && !field.closest('details')) field.focus();
  ready();
});

document.addEventListener('click', async e => {
  if (e.target.id !== 'passkey') return;
  const said = document.getElementById('passkey-said');
  try {
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(e.target.dataset.options).publicKey);
    const credential = await navigator.credentials.get({ publicKey: options });
    document.getElementById('credential').value = JSON.stringify(credential.toJSON());
    document.querySelector('form[data-answer=passkey]').requestSubmit();
  } catch (err) {
    said.textContent = err.name === 'SecurityError'
      ? 'The relying party does not let a page of ' + location.hostname + ' ask for its passkeys. Use another authenticator, below.'
      : 'The authenticator gave nothing: ' + err.message;
  }
});
ready();
