// A real OpenID provider for tests/api/test_oidc_provider.py: node oidc_provider.mjs PORT REDIRECT_URI
// Its own sign-in form takes any name; a name is its e-mail address, verified unless it begins with "unverified".
import { Provider } from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'wayrate', client_secret: 'a-secret-of-the-test', redirect_uris: [redirect] }],
  claims: { email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ['only for the test'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unverified') }),
  }),
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
