import useSWR from "swr";

import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import type { Halt, HaltsPage } from "../../api/types";
import { useCommand } from "../../hooks/useCommand";
import { moment } from "../format";
import { Button } from "../parts/Button";
import { ErrorState, Skeleton } from "../parts/States";
import { HaltForm } from "./HaltForm";

const EVERY_MS = 2000;

/** What is halted, and the switch: nothing new is taken for what is halted until it is resumed. */
export function Halts({ client }: { readonly client: OrdersClient }) {
  const { data, error, mutate } = useSWR<HaltsPage, Error>("halts", () => client.halts(), { refreshInterval: EVERY_MS });
  return (
    <section className="card" aria-labelledby="halts-title">
      <h2 id="halts-title">Halts</h2>
      {data ? (
        data.halts.length === 0 ? (
          <p className="muted">Nothing is halted.</p>
        ) : (
          <ul className="plain-list">
            {data.halts.map((halt) => (
              <HaltLine key={halt.scope} client={client} halt={halt} onChanged={() => void mutate()} />
            ))}
          </ul>
        )
      ) : error ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      ) : (
        <Skeleton lines={2} />
      )}
      <HaltForm client={client} onChanged={() => void mutate()} />
    </section>
  );
}

interface LineProps {
  readonly client: OrdersClient;
  readonly halt: Halt;
  readonly onChanged: () => void;
}

function HaltLine({ client, halt, onChanged }: LineProps) {
  const resume = useCommand(async () => {
    await client.resume(halt.scope);
    onChanged();
  });
  return (
    <li data-halt={halt.scope}>
      <span className="tag bad">{halt.scope}</span> {halt.reason}
      <span className="muted number">
        {halt.halted_by}, {moment(halt.halted_at)}
      </span>
      <Button isBusy={resume.isRunning} onClick={() => void resume.run()} aria-label={`Resume ${halt.scope}`}>
        Resume
      </Button>
      {resume.error !== undefined && (
        <span className="error" role="alert">
          {sentenceOf(resume.error)}
        </span>
      )}
    </li>
  );
}
