import { useState, type FormEvent } from "react";

import type { OrdersClient } from "../../api/client";
import { sentenceOf } from "../../api/problem";
import { useCommand } from "../../hooks/useCommand";
import { Button } from "../parts/Button";
import { SelectField } from "../parts/SelectField";
import { TextField } from "../parts/TextField";

type Kind = "all" | "trader" | "symbol";

const KINDS: ReadonlyArray<readonly [Kind, string]> = [
  ["symbol", "A symbol"],
  ["trader", "A trader"],
  ["all", "All trading"],
];

interface Props {
  readonly client: OrdersClient;
  readonly onChanged: () => void;
}

/** Halts trading in a symbol, of a trader, or altogether. It takes a second press: the first one only says what it will do. */
export function HaltForm({ client, onChanged }: Props) {
  const [kind, setKind] = useState<Kind>("symbol");
  const [of, setOf] = useState("");
  const [reason, setReason] = useState("");
  const [isSure, setIsSure] = useState(false);
  const scope = kind === "all" ? "all" : `${kind}:${of.trim()}`;
  const isComplete = reason.trim() !== "" && (kind === "all" || of.trim() !== "");
  const halt = useCommand(async () => {
    await client.halt(scope, reason.trim());
    onChanged();
    setReason("");
    setOf("");
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isSure) void halt.run();
    setIsSure(!isSure);
  };
  const edit = (change: () => void) => {
    change();
    setIsSure(false);
  };
  return (
    <form className="halt-form" onSubmit={submit} noValidate aria-label="Halt trading">
      <SelectField label="What" value={kind} options={KINDS} onChange={(value) => edit(() => setKind(value))} />
      {kind !== "all" && (
        <TextField
          label={kind === "symbol" ? "Which symbol" : "Which trader"}
          value={of}
          onChange={(value) => edit(() => setOf(kind === "symbol" ? value.toUpperCase() : value))}
          autoComplete="off"
        />
      )}
      <TextField label="Reason" value={reason} onChange={(value) => edit(() => setReason(value))} autoComplete="off" />
      <Button kind="danger" type="submit" disabled={!isComplete} isBusy={halt.isRunning}>
        {isSure ? `Really halt ${kind === "all" ? "all trading" : of.trim()}?` : "Halt"}
      </Button>
      {halt.error !== undefined && (
        <p className="error" role="alert">
          {sentenceOf(halt.error)}
        </p>
      )}
    </form>
  );
}
