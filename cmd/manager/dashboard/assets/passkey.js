// Passkeys of this browser: one is asked for at a sign-in, or made for an account.
'use strict';

function offerPasskey() {
  const button = document.getElementById('passkey');
  if (!button) return;
  const able = window.PublicKeyCredential?.parseRequestOptionsFromJSON && window.PublicKeyCredential.parseCreationOptionsFromJSON;
  if (able) button.hidden = false;
  else put(document.getElementById('passkey-said'), 'This browser gives pages no passkeys. Use another authenticator, below.');
}

async function askAuthenticator(button) {
  const { publicKey } = JSON.parse(button.dataset.options);
  const credential = button.dataset.does === 'create'
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  const answer = document.getElementById('credential');
  answer.value = JSON.stringify(credential.toJSON());
  answer.form.requestSubmit();
}

document.addEventListener('replaced', offerPasskey);
document.addEventListener('click', async e => {
  if (e.target.id !== 'passkey') return;
  const said = document.getElementById('passkey-said');
  e.target.disabled = true;
  put(said, 'The authenticator is asked.');
  try {
    await askAuthenticator(e.target);
  } catch (err) {
    e.target.disabled = false;
    put(said, err.name === 'SecurityError'
      ? 'The relying party does not let a page of ' + location.hostname + ' ask for its passkeys. Use another authenticator, below.'
      : err.name === 'InvalidStateError' ? 'This authenticator has a passkey of the account already.'
        : 'The authenticator gave nothing: ' + err.message);
  }
});
offerPasskey();
