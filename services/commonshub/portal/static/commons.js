// How the pages' scripts call the services: as any client does, with a bearer token, got from /portal/token.

const xsrf = document.querySelector('meta[name="xsrf"]')?.content;

export class Refused extends Error {}

export async function answer(response) {
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (!response.ok) {
    throw new Refused(body?.message || `The commons answered ${response.status}.`);
  }
  return body;
}

async function token(query = "") {
  const response = await fetch(`/portal/token${query}`, { method: "POST", headers: { "X-XSRFToken": xsrf ?? "" } });
  // The session has ended, or another one has begun: the sign-in leads back here, at once where there is nothing to ask.
  if (response.status === 401 || response.status === 403) {
    location.assign(`/portal/login?next=${location.pathname}`);
  }
  return (await answer(response)).access_token;
}

async function send(method, path, body, bearer, signal) {
  const headers = { Authorization: `bearer ${bearer}`, Accept: "application/json" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const content = body && JSON.stringify(body);
  return fetch(path, { method, headers, body: content, credentials: "omit", redirect: "error", signal });
}

// The response of a service, whatever its status.
export async function ask(method, path, body, signal) {
  const response = await send(method, path, body, await token(), signal);
  // A token can be revoked before its time, and the session be good for another.
  return response.status === 401 ? send(method, path, body, await token("?instead=refused"), signal) : response;
}

export async function call(method, path, body) {
  return answer(await ask(method, path, body));
}
