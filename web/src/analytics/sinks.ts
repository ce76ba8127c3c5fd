import type { OrdersClient } from "../api/client";
import type { Sink } from "./tracker";

/** To the engine, which writes each event as a structured line of its log. It arrives also when the page is left. */
export function apiSink(client: OrdersClient): Sink {
  return (events) => client.request("/api/v1/metrics", { method: "POST", body: { events }, keepalive: true });
}

/** To PostHog. How to talk to it is loaded with the first event. */
export function postHogSink(key: string, host: string, traderId: string): Sink {
  return async (events) => {
    const { capture } = await import("./posthog");
    return capture({ key, host, traderId }, events);
  };
}
