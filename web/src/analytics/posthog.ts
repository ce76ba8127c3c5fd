import type { TrackedEvent } from "./tracker";

export interface PostHogProject {
  readonly key: string;
  readonly host: string;
  readonly traderId: string;
}

/** PostHog's batch API, and nothing else of it: no cookies, no recording, no script of somebody else's. */
export async function capture(project: PostHogProject, events: readonly TrackedEvent[]): Promise<void> {
  const batch = events.map(({ name, at, ...properties }) => ({
    event: name,
    timestamp: at,
    properties: { ...properties, distinct_id: project.traderId, $lib: "orderlog-web" },
  }));
  await fetch(`${project.host}/batch/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ api_key: project.key, batch }),
    credentials: "omit",
    keepalive: true,
  });
}
