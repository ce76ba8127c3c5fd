import { useConnection } from "../../hooks/useConnection";
import type { Connection } from "../../stream/orderStatusSocket";

const WORDS: Record<Connection, string> = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  polling: "Polling",
  unauthenticated: "Signed out",
  stopped: "Connecting",
};

/** How fresh what is shown is. */
export function ConnectionBadge() {
  const connection = useConnection();
  return (
    <span className={`badge ${connection}`} role="status" title={TITLES[connection]}>
      {WORDS[connection]}
    </span>
  );
}

const TITLES: Partial<Record<Connection, string>> = {
  live: "Changes are shown as they happen",
  polling: "The stream is down: orders are asked for every 5 seconds",
  reconnecting: "The server does not answer: what is shown may be old",
};
