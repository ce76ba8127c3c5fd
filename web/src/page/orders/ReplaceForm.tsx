import { useState, type FormEvent } from "react";

import { ApiProblem, sentenceOf } from "../../api/problem";
import type { Order } from "../../api/types";
import { compare, decimal, ZERO } from "../../decimal";
import { useCommand } from "../../hooks/useCommand";
import { useOrdersSession } from "../../hooks/OrdersProvider";
import { Button } from "../parts/Button";
import { DecimalField } from "../parts/TextField";

interface Props {
  readonly order: Order;
  readonly onDone: () => void;
}

type Terms = { quantity: string; price: string; stop_price: string };

const LABELS: Record<keyof Terms, string> = { quantity: "New total", price: "New limit", stop_price: "New stop" };

/** Other terms for a working order. They are for the order as it is shown: if it has moved on meanwhile, nothing happens. */
export function ReplaceForm({ order, onDone }: Props) {
  const session = useOrdersSession();
  const [terms, setTerms] = useState<Terms>({
    quantity: order.quantity,
    price: order.price ?? "",
    stop_price: order.stop_price ?? "",
  });
  const replace = useCommand((changed: Partial<Terms>) =>
    session.replaceOrder(order.id, { quantity: null, price: null, stop_price: null, ...changed }, order.version),
  );
  const fields = (Object.keys(LABELS) as (keyof Terms)[]).filter((field) => isShown(order, field));
  const changed = Object.fromEntries(fields.filter((field) => terms[field] !== (order[field] ?? "")).map((each) => [each, terms[each].trim()]));
  const isGood = Object.values(changed).every(isPositive) && Object.keys(changed).length > 0;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (isGood && (await replace.run(changed))) onDone();
  };
  const refused = (field: keyof Terms) => (replace.error instanceof ApiProblem ? replace.error.messageFor(`/${field}`) : null);
  return (
    <form className="replace-form" onSubmit={submit} noValidate aria-label={`Replace ${order.symbol}`}>
      {fields.map((field, index) => (
        <DecimalField
          key={field}
          label={LABELS[field]}
          value={terms[field]}
          error={terms[field] !== "" && !isPositive(terms[field]) ? "Must be a number above 0" : refused(field)}
          onChange={(value) => setTerms({ ...terms, [field]: value })}
          autoFocus={index === 0}
          onKeyDown={(event) => event.key === "Escape" && onDone()}
        />
      ))}
      <Button kind="primary" type="submit" isBusy={replace.isRunning} disabled={!isGood}>
        Save
      </Button>
      <Button onClick={onDone}>Keep as it is</Button>
      {replace.error !== undefined && (
        <p className="error" role="alert">
          {isStale(replace.error) ? "The order has changed meanwhile. Look again, and decide again." : sentenceOf(replace.error)}
        </p>
      )}
    </form>
  );
}

function isShown(order: Order, field: keyof Terms): boolean {
  return field === "quantity" ? order.oco_order_id === null : order[field] !== null;
}

function isPositive(text: string): boolean {
  const value = decimal(text);
  return value !== null && compare(value, ZERO) > 0;
}

function isStale(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 412;
}
