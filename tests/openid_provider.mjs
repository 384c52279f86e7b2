// A real OpenID provider for the tests: `node provider.mjs SETTINGS.json`, run in the folder where oidc-provider is.
//
// Who signs in is the account that the browser names: by `?account=` on the page that asks, or in the form there.
// Accounts are read from the settings file at every use, so that a test can change what the provider says of somebody.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const file = process.argv[2];
const settings = () => JSON.parse(readFileSync(file, 'utf8'));
const { host, port, clients, cookieKey, keys } = settings();
const issuer = `http://${host}:${port}`;

const require = createRequire(`${process.cwd()}/package.json`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const provider = new Provider(issuer, {
  clients,
  jwks: { keys },
  cookies: { keys: [cookieKey] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'groups', 'degree'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  pkce: { required: () => true },
  ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 3600, IdToken: 60, Interaction: 600, Session: 3600 },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = `<!doctype html><title>Sign out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`;
      },
    },
  },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(ctx, id) {
    const account = settings().accounts[id];
    return account && { accountId: id, claims: async () => ({ ...account, sub: id }) };
  },
  async loadExistingGrant(ctx) {
    // Everybody agreed already to what this commons asks for.
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { account, refuse } = ctx.query;
  if (refuse) {
    const result = { error: 'access_denied', error_description: refuse };
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  }
  if (account) {
    const result = { login: { accountId: account } };
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  }
  ctx.type = 'html';
  ctx.body = '<!doctype html><title>Provider</title><form><label>Account <input name="account" autofocus></label> <button>Sign in</button></form>';
});

provider.listen(port, host, () => console.log('ready'));
