import { useEffect } from "react";

import { apiSink, postHogSink } from "../analytics/sinks";
import { Tracker } from "../analytics/tracker";
import { watchOrders } from "../analytics/watchOrders";
import { useFeatures } from "./useFeatures";
import { useOrdersSession } from "./OrdersProvider";

/** Tracks what becomes of the orders that are placed here: to the engine, and to PostHog where the engine names a project. */
export function useOrderAnalytics(traderId: string): void {
  const session = useOrdersSession();
  const { posthog_key: key, posthog_host: host } = useFeatures().data?.analytics ?? {};
  useEffect(() => {
    const sinks = [apiSink(session.client), ...(key && host ? [postHogSink(key, host, traderId)] : [])];
    const tracker = new Tracker(sinks);
    const end = watchOrders(session, tracker.track);
    globalThis.addEventListener("pagehide", tracker.flush);
    return () => {
      end();
      globalThis.removeEventListener("pagehide", tracker.flush);
      tracker.flush();
    };
  }, [session, key, host, traderId]);
}
