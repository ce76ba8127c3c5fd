import useSWR from "swr";

import type { OrdersClient } from "../../api/client";
import { ApiProblem, sentenceOf } from "../../api/problem";
import { moment } from "../format";
import { Button } from "../parts/Button";
import { ErrorState, Skeleton } from "../parts/States";
import { verifyCheckpoint } from "./verifyCheckpoint";

/** Whether the log is what it was, as far as the engine says, and whether that is signed with its key. */
export function Checkpoint({ client }: { readonly client: OrdersClient }) {
  const { data, error, isValidating, mutate } = useSWR(
    "checkpoint",
    async () => {
      const [checkpoint, key] = await Promise.all([client.checkpoint(), client.publicKey()]);
      return { checkpoint, isSigned: await verifyCheckpoint(checkpoint, key) };
    },
    { revalidateOnFocus: false },
  );
  const isTampered = error instanceof ApiProblem && error.code === "LOG_TAMPERED";
  return (
    <section className="card" aria-labelledby="checkpoint-title">
      <header className="list-head">
        <h2 id="checkpoint-title">Verification</h2>
        <Button isBusy={isValidating} onClick={() => void mutate()}>
          Check again
        </Button>
      </header>
      {isTampered ? (
        <p className="notice" role="alert">
          The log was changed: {error.message}
        </p>
      ) : error ? (
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      ) : data ? (
        <>
          <p className="tags">
            <span className="tag good">Intact up to position {data.checkpoint.position}</span>
            <Signature isSigned={data.isSigned} />
          </p>
          <dl className="checkpoint">
            <Line name="Last hash" value={data.checkpoint.hash} />
            <Line name="Merkle root" value={data.checkpoint.root} />
            <Line name="Key" value={data.checkpoint.key_id} />
            <Line name="Signature" value={data.checkpoint.signature} />
            <Line name="Taken" value={moment(data.checkpoint.taken_at)} />
          </dl>
          <a
            className="button"
            download={`checkpoint-${data.checkpoint.position}.json`}
            href={`data:application/json,${encodeURIComponent(JSON.stringify(data.checkpoint))}`}
          >
            Keep this checkpoint
          </a>
          <p className="hint">
            With it, <code>orderlog events verify --against FILE</code> finds whatever is changed before it, also years from now.
          </p>
        </>
      ) : (
        <Skeleton lines={5} />
      )}
    </section>
  );
}

function Signature({ isSigned }: { readonly isSigned: boolean | null }) {
  if (isSigned === null) return <span className="tag">This browser cannot check the signature</span>;
  return isSigned ? (
    <span className="tag good">Signature checked in this browser</span>
  ) : (
    <span className="tag bad">The signature is not that of the engine&apos;s key</span>
  );
}

function Line({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code>{value}</code>
      </dd>
    </div>
  );
}
