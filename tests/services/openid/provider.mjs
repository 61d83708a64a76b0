// A real OpenID provider for the tests: `node provider.mjs PORT PACKAGES SETTINGS`. It signs anybody in whom
// SETTINGS names, by its own pages for development; nothing is kept when it ends.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [port, packages, file] = process.argv.slice(2);
const found = createRequire(`${packages}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));
const { people, redirect, home, secret } = JSON.parse(readFileSync(file, 'utf8'));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'ferrule',
    client_secret: secret,
    redirect_uris: [redirect],
    post_logout_redirect_uris: [home],
  }],
  claims: { openid: ['sub'], profile: ['name', 'groups', 'npi', 'email'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ['a key of the tests'] },
  findAccount: (_ctx, id) => (id in people
    ? { accountId: id, claims: async () => ({ sub: id, ...people[id] }) }
    : undefined),
});
provider.listen(Number(port), '127.0.0.1');
