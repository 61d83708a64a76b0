// A real OpenID provider for the tests: `node provider.mjs PORT PACKAGES SETTINGS`. It signs anybody in whom
// SETTINGS names, by its own pages for development; nothing is kept when it ends.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [port, packages, file] = process.argv.slice(2);
const found = createRequire(`${packages}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));
const { people, redirect, home, secret, told } = JSON.parse(readFileSync(file, 'utf8'));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'ferrule',
    client_secret: secret,
    redirect_uris: [redirect],
    post_logout_redirect_uris: [home],
    ...(told ? { backchannel_logout_uri: told, backchannel_logout_session_required: true } : {}),
  }],
  claims: { openid: ['sub'], profile: ['name', 'groups', 'npi', 'email'] },
  conformIdTokenClaims: false,
  // Its own guard would not go to this machine, where the tests are.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  acrValues: ['urn:password', 'urn:second-factor'],
  features: { backchannelLogout: { enabled: Boolean(told) } },
  pkce: { required: () => true },
  cookies: { keys: ['a key of the tests'] },
  findAccount: (_ctx, id) => (id in people
    ? { accountId: id, claims: async () => ({ sub: id, ...people[id] }) }
    : undefined),
});

// Its page for development takes any password; whoever types `second factor` is known by that as well.
provider.use(async (ctx, next) => {
  if (ctx.method === 'POST' && ctx.path.startsWith('/interaction/')) {
    const parts = [];
    for await (const part of ctx.req) parts.push(part);
    ctx.req.body = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
    if (ctx.req.body.password !== undefined) {
      const acr = ctx.req.body.password === 'second factor' ? 'urn:second-factor' : 'urn:password';
      await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: ctx.req.body.login, acr } });
      ctx.respond = false;
      return;
    }
  }
  await next();
});
provider.listen(Number(port), '127.0.0.1');
