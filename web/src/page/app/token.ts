const KEY = "orderlog-token";

/** Who a token says it belongs to. Only the server can tell whether that is true. */
export interface Bearer {
  readonly token: string;
  readonly trader: string;
  readonly roles: readonly string[];
}

/** The token of this tab: from the address (`/#token=JWT`), out of which it is taken at once, or from before. */
export function takeToken(): Bearer | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get("token");
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    return keepToken(given);
  }
  const kept = sessionStorage.getItem(KEY);
  return kept === null ? null : bearerOf(kept);
}

/** Keep the token for as long as the tab is open; null when it is none. */
export function keepToken(text: string): Bearer | null {
  const bearer = bearerOf(text.trim());
  if (bearer) sessionStorage.setItem(KEY, bearer.token);
  return bearer;
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

function bearerOf(token: string): Bearer | null {
  try {
    const claims = JSON.parse(decoded(token.split(".")[1] ?? "")) as { sub?: unknown; roles?: unknown };
    if (typeof claims.sub !== "string") return null;
    const roles = Array.isArray(claims.roles) ? claims.roles.filter((role) => typeof role === "string") : ["trader"];
    return { token, trader: claims.sub, roles };
  } catch {
    return null;
  }
}

function decoded(base64url: string): string {
  const bytes = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}
